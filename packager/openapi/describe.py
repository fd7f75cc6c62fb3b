"""Has a child process import the routes and tell their types: in the project's own environment, not in the tool's.

The child has the locked versions with this machine's wheels, the app's plain variables, no secrets and nothing else
of the environment; the Python is the one that the app is for, if that is here.
"""

import json
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from packager import bytecode, environment, import_child, resolve
from packager.bundle import runtimes_folder
from packager.diagnostics import Diagnostic
from packager.errors import DiagnosticsError, ProjectError
from packager.model import Project
from packager.openapi.operations import Operations
from packager.openapi.typed import Answer, Input, Schema, Typed, Types

TIME_LIMIT = 60
"""Seconds that all routes together may take to be imported."""

_CHILD = Path(__file__).with_name("describe_child.py")
_SURROUNDINGS = {"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": "UTC"}
_BINARY = {"type": "string", "format": "binary"}


def types(
    project: Project,
    operations: Operations,
    report: Callable[[str], None],
    stop: threading.Event | None = None,
) -> Types:
    """The types of the handlers that may be typed.

    `report` gets one line for each long step; `stop` ends the imports, which then are an error. Raises
    `DiagnosticsError` if files cannot be imported or typed, `ProjectError` if the imports do not end, and what
    `resolve` raises for dependencies that cannot be had.
    """
    if not operations.typed:
        return Types()
    wanted = project.settings.nodejs
    interpreter = bytecode.find(wanted.python)
    python = interpreter.python if interpreter else f"{sys.version_info.major}.{sys.version_info.minor}"
    if interpreter is None:
        report(
            f"the routes are imported with Python {python}: there is no Python {wanted.python} on this machine"
        )
    locked = resolve.locked_for(project, report, edge=operations.edge)
    here, there = resolve.host_platform(python), resolve.lambda_platform(wanted)
    site = resolve.site_packages(project, locked, here, report, naming=there)
    folders = [row.folder for row in site.distributions.values()]
    path = interpreter.path if interpreter else sys.executable
    found = _run(project, path, operations.typed, folders, stop)
    if found["failures"]:
        raise DiagnosticsError([_diagnostic(row) for row in found["failures"]])
    handlers = {
        (file, method): _typed(row)
        for file, rows in found["handlers"].items()
        for method, row in rows.items()
    }
    return Types(handlers, found["schemas"])


def _run(
    project: Project,
    interpreter: str,
    files: Sequence[str],
    folders: Sequence[Path],
    stop: threading.Event | None,
) -> dict[str, Any]:
    variables, _ = environment.read(project)
    with tempfile.TemporaryDirectory(prefix="packager-types-") as name:
        area = Path(name).resolve()
        result, own = area / "result.json", area / "own"
        own.mkdir()
        # alone: beside it, where it is installed, are the tool's own distributions
        (own / "runtimes").symlink_to(runtimes_folder(), target_is_directory=True)
        before = dict.fromkeys((project.root / project.import_root, project.root, own))
        words = map(str, (_CHILD, result, project.root, *files, "--", *before, *folders))
        command = [interpreter, "-I", "-S", "-B", *words]
        said = import_child.run(
            command, project.root, {**_SURROUNDINGS, **variables.values}, TIME_LIMIT, stop
        )
        try:
            document: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            current = area / "current"
            raise ProjectError(
                f"the routes cannot be imported to know their types: {said}",
                place=current.read_text(encoding="utf-8") if current.is_file() else None,
                hint="`packager preview` shows all that they write; do slow or risky work in handlers.",
            ) from None
        return document


def _diagnostic(row: Mapping[str, Any]) -> Diagnostic:
    steps = row["steps"] or [(row["file"], 1, "")]
    file, line, _ = steps[-1]
    chain = tuple(f"{name}:{number} {text}".rstrip() for name, number, text in steps)
    said = f"{row['kind']}: {row['message']}".rstrip(": ")
    hint = (
        "The routes are imported with the locked distributions and the plain variables, and without secrets."
    )
    return Diagnostic("import-failed", file, line, 1, f"the types cannot be read: {said}", hint, chain=chain)


def _typed(row: Mapping[str, Any]) -> Typed:
    inputs = {
        name: Input(item["schema"], item["required"], tuple(item["content_types"]))
        for name, item in row["inputs"].items()
    }
    return Typed(inputs, tuple(_answer(item) for item in row["answers"]))


def _answer(row: Mapping[str, Any]) -> Answer:
    kind, content_type = row["kind"], row["content_type"]
    schema: Schema | None = row["schema"]
    if kind == "bytes":
        schema = {**_BINARY, "contentMediaType": content_type}
    elif kind == "text" or (content_type or "").startswith("text/"):
        schema = {"type": "string"}
    return Answer(row["status"], content_type, schema)
