"""`lambda-edge`: edge routes in Pyodide on Lambda@Edge, a folder that Node can serve alone, and its zip."""

import json
import shutil
from pathlib import Path

from infra.manifest import Runtime
from packager import pyodide
from packager.archive import Entry, Written, write_zip
from packager.bundle import Contents, runtimes_folder

NAME = "lambda-edge"
RUNTIME: Runtime = "edge"
HANDLER = "index.handler"
DISTRIBUTIONS = ("python-multipart", "starlette")
OMITTED = ("aws_lambda.py", "edge_worker")


def artifact(name: str) -> str:
    """The path of the zip that is uploaded, relative to the build output."""
    return f"edge/{name}.zip"


def folder(name: str) -> str | None:
    """The path of the worker's folder, relative to the build output."""
    return f"edge/{name}"


def bundle(contents: Contents, out: Path) -> Written:
    """Write the worker's folder and its zip into the build output `out`.

    Raises `ToolError` if Pyodide is neither in the cache nor to be had.
    """
    root = out / "edge" / contents.name
    (root / "pyodide").mkdir(parents=True)
    for source in sorted((runtimes_folder() / "edge_worker").glob("*.mjs")):
        shutil.copyfile(source, root / source.name)
    for source in sorted(pyodide.prepare().iterdir()):
        shutil.copyfile(source, root / "pyodide" / source.name)
    write_zip(root / "app.zip", contents.entries)
    settings = {
        "function": contents.name,
        "max_body_size": contents.max_body_size,
        "max_duration": contents.max_duration,
        "memory": contents.memory,
    }
    (root / "worker.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
    files = sorted(path for path in root.rglob("*") if path.is_file())
    entries = [
        Entry(path.relative_to(root).as_posix(), path, stored=path.name == "app.zip") for path in files
    ]
    return write_zip(out / artifact(contents.name), entries)
