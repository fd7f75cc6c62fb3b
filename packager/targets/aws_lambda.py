"""`lambda`: nodejs routes on AWS Lambda, a zip whose root is the task root."""

from pathlib import Path

from infra.manifest import Runtime
from packager.archive import write_zip
from packager.bundle import Contents
from packager.targets import Artifact, Report

NAME = "lambda"
RUNTIME: Runtime = "nodejs"
HANDLER = "runtimes.aws_lambda.handler"
ON_API = True
DISTRIBUTIONS = ("mangum", "python-multipart", "starlette")
OMITTED = ("edge", "edge_worker", "testing")


def artifact(name: str) -> str:
    """The path of the function's zip, relative to the build output."""
    return f"functions/{name}.zip"


def folder(name: str) -> str | None:  # noqa: ARG001 - as `Target` has it
    """None: Lambda unpacks the zip itself, and so does preview."""
    return None


def bundle(contents: Contents, out: Path, report: Report) -> Artifact:  # noqa: ARG001 - as `Target` has it
    """Write the zip into the build output `out`."""
    path = out / artifact(contents.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return Artifact(write_zip(path, contents.entries))
