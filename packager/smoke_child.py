"""Imports an artifact as Lambda would and matches each of its routes once; calls no handler, runs no start-up.

    python -I -S -B smoke_child.py RESULT HANDLER ROOT FOLDER…

Run as a file by the interpreter that the artifact is for; it imports the standard library and what is in the FOLDERs,
which are all of `sys.path` before the standard library. ROOT, one of them, is the unpacked artifact. What went
wrong goes to the file RESULT as a JSON list of objects; an empty list says that nothing did.
"""

import ast
import json
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

_TASK_ROOT = "/var/task/"
_SAMPLE = "packager-sample"

type Failure = dict[str, Any]


def _remember_missing(missing: list[str]) -> None:
    """Note the environment variables that were asked for and are not there."""
    kind = type(os.environ)
    original = kind.__getitem__

    def getitem(environ: Any, key: str) -> str:
        try:
            return original(environ, key)
        except KeyError:
            missing.append(key)
            raise

    kind.__getitem__ = getitem  # type: ignore[method-assign]


def _frames(folders: list[str], trace: TracebackType | None) -> list[tuple[str, int, str]]:
    """File, line and text of each step; files relative to the folder that holds them."""
    found = []
    for row in traceback.extract_tb(trace):
        file = row.filename
        # bytecode names the place where Lambda unpacks it
        relative = file.removeprefix(_TASK_ROOT) if file.startswith(_TASK_ROOT) else None
        for folder in folders:
            if file.startswith(f"{folder}/"):
                relative = file[len(folder) + 1 :]
        if relative is not None and not relative.startswith("runtimes/"):
            found.append((relative, row.lineno or 1, _line(folders, relative, row.lineno or 1)))
    return found


def _line(folders: list[str], file: str, number: int) -> str:
    for folder in folders:
        path = Path(folder, file)
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            return lines[number - 1].strip() if number <= len(lines) else ""
    return ""


def _failure(file: str, error: BaseException, folders: list[str], missing: list[str]) -> Failure:
    name = getattr(error, "name", None)
    filename = getattr(error, "filename", None)
    return {
        "file": file,
        "kinds": [kind.__name__ for kind in type(error).__mro__],
        "message": str(error),
        "module": name if isinstance(name, str) else None,
        "filename": os.path.relpath(filename) if isinstance(filename, str) else None,
        "variables": sorted(set(missing)),
        "frames": _frames(folders, error.__traceback__),
    }


def _import_handler(root: str, handler: str) -> None:
    """Run the import statements of the handler's module, and not what begins to serve."""
    path = Path(root, f"{handler.rpartition('.')[0].replace('.', '/')}.py")
    tree = ast.parse(path.read_bytes(), str(path))
    tree.body = [row for row in tree.body if isinstance(row, ast.Import | ast.ImportFrom)]
    exec(compile(tree, str(path), "exec"), {"__name__": handler.rpartition(".")[0]})  # noqa: S102 - our own file


def _sample(path: str) -> bytes:
    """A URL of the route and of no other: a parameter is one segment, what takes several is two, or none if it may."""
    found = [""]
    for part in path.split("/")[1:]:
        if part.startswith("[..."):
            found += [_SAMPLE, _SAMPLE]
        elif not part.startswith("[["):
            found.append(_SAMPLE if part.startswith("[") else part)
    return "/".join(found).encode() or b"/"


def check(root: str, handler: str, folders: list[str]) -> list[Failure]:
    """Everything that is wrong with the artifact."""
    missing: list[str] = []
    found: list[Failure] = []
    _remember_missing(missing)
    try:
        _import_handler(root, handler)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the result
        return [_failure("", error, folders, missing)]
    app_module, routing, table = map(import_module, ("runtimes.app", "runtimes.routing", "runtimes.table"))
    handlers = import_module("runtimes.handlers")

    def importer(folder: Path, file: str) -> ModuleType:
        missing.clear()
        try:
            module: ModuleType = handlers.load_module(folder, file)
            handlers.handlers_of(module, file)
        except BaseException as error:  # noqa: BLE001 - the other modules are to be tried, too
            found.append(_failure(file, error, folders, missing))
        else:
            return module
        stand_in = ModuleType(file)
        stand_in.middleware = lambda _request: None  # type: ignore[attr-defined]
        return stand_in

    try:
        app_module.load(Path(root), importer)
    except BaseException as error:  # noqa: BLE001 - as above
        return [*found, _failure("", error, folders, missing)]
    routes = table.from_json(Path(root, table.PATH).read_text(encoding="utf-8"))
    router = routing.Router((entry.path, entry) for entry in routes.routes)
    for entry in routes.routes:
        match = router.match(_sample(entry.path)) if entry.function == routes.function else None
        if entry.function == routes.function and (match is None or match.value is not entry):
            lost = LookupError(f"{_sample(entry.path).decode()} does not lead to {entry.path}")
            found.append(_failure(entry.file, lost, folders, []))
    return found


def main(arguments: list[str]) -> None:
    """Read the command line described above."""
    result, handler, root, *folders = arguments
    sys.path[:0] = folders
    os.chdir(root)
    Path(result).write_text(json.dumps(check(root, handler, folders)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
