"""The build and the assembly that a deployment is of: those that are there if they are current, else made anew.

They are made in a process of their own. CDK, its JavaScript and what a build imports take as much memory as all the
rest, and are gone when the deployment begins; the way to AWS is prepared meanwhile.
"""

import base64
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra import manifest
from infra.manifest import Manifest
from infra.stage import Stage
from packager import build as builds
from packager import stages, synth
from packager.deploy import assembly as assemblies
from packager.deploy.assembly import Assembly
from packager.deploy.aws import Aws, connect
from packager.errors import PackagerError, ToolError
from packager.model import Project
from packager.project import load
from packager.staging import OUTPUT

_LAST_LINES = 5

type Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """A build and the stage of the project that it is deployed to; `name` is the stage's as it was given."""

    project: Project
    stage: Stage
    name: str
    built: Manifest

    @property
    def app(self) -> str:
        return self.built.app.name


@dataclass(frozen=True, slots=True)
class Synthesis(Built):
    """A build with the stacks that were made of it for the stage."""

    assembly: Assembly


type Make[T] = Callable[[Project, Stage, str, Report], T]


def begin[T](
    folder: Path, name: str | None, profile: str | None, report: Report, make: Make[T]
) -> tuple[Aws, T]:
    """What every deployment of a stage begins with: a caller of AWS who may deploy it, and what is deployed.

    Both are prepared at once; `make` is `synthesize` or `build`. `name` is the stage's, `profile` one of `~/.aws`.
    Raises `UsageError` without a stage, what `make` raises, and `ToolError` without credentials of the stage's account.
    """
    project = load(folder)
    stage = stages.named(project, name)
    with ThreadPoolExecutor(1) as meanwhile:
        caller = meanwhile.submit(_caller, stage, profile)
        made = make(project, stage, name or stage.name, report)
        return caller.result(), made


def synthesize(project: Project, stage: Stage, name: str, report: Report) -> Synthesis:
    """Have build and assembly of a stage current, whose `name` is written as in its `.env` file.

    `report` gets a line for each long step. Raises what `packager.synth.synth` and `assembly.read` raise.
    """
    if not synth.is_current(project, stage):
        _run(project.root, name, report)
    folder = synth.default_place(project, stage)
    return Synthesis(
        project, stage, name, manifest.read(project.root / OUTPUT), assembly=assemblies.read(folder)
    )


def build(project: Project, stage: Stage, name: str, report: Report) -> Built:
    """Have the build current, without stacks. Raises what `packager.build.build` raises."""
    return Built(project, stage, name, builds.build(project.root, report=report).manifest)


def _caller(stage: Stage, profile: str | None) -> Aws:
    aws = connect(stage.region, profile=profile, account=stage.account)
    assert aws.account  # asks AWS, which is waited for here, and refuses another account than the stage's
    return aws


def _run(root: Path, name: str, report: Report) -> None:
    """Synthesize in another process; its errors are raised here as they were raised there."""
    packages = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH", "")]))
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(  # noqa: S603 - our own command line
            # -P: a file `json.py` in the working folder is not Python's
            [sys.executable, "-P", "-m", __name__, str(root), name],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        assert process.stdout
        try:
            for line in process.stdout:
                message = json.loads(line)
                if "error" in message:
                    raise _restored(message["error"])
                report(message["report"])
            status = process.wait()
        except BaseException:
            process.kill()
            raise
        if status:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
            raise ToolError(
                f"synthesizing ended with status {status}: {' '.join(last) or 'it was ended from outside'}",
                hint="Run `packager synth` alone; if it was killed, free some memory first.",
            )


def _restored(text: str) -> Exception:
    # from our own child alone
    error: Exception = pickle.loads(base64.b64decode(text))  # noqa: S301
    return error


def main() -> None:
    """The other process: reports and errors go to standard output, a JSON document a line."""
    root, name = Path(sys.argv[1]), sys.argv[2]
    # What CDK's JavaScript prints must not get between them.
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as out:
        os.dup2(2, 1)

        def tell(**message: str) -> None:
            out.write(json.dumps(message) + "\n")

        try:
            synth.synth(root, name, report=lambda line: tell(report=line))
        except (PackagerError, OSError) as error:
            tell(error=base64.b64encode(pickle.dumps(error)).decode())


if __name__ == "__main__":
    main()
