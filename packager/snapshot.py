"""The memory snapshot of an edge worker: its app is imported once, at build, in a sealed Pyodide, and frozen.

A snapshot may hold nothing that belongs to one process or one deployment. Modules that read the environment while
they are imported are therefore left out of it, and imported when the worker starts; what cannot be left out is
an error.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packager import node, pyodide
from packager.errors import ProjectError, ToolError, ToolTimeoutError
from packager.model import Loader

HEAP = "heap.bin"
CODE = "code.bin"
LIBRARIES = "libraries"
TIMEOUT_SECONDS = 120
CODE_TIMEOUT_SECONDS = 120

_SCRIPTS = ("snapshot.mjs", "freezer.mjs", "wasm.mjs")
_WARM = "warm.mjs"
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """A route or middleware module, and all files of the project that it reaches, itself among them.

    `late` is the reason why it is imported at start in any case, if there is one.
    """

    file: str
    reaches: frozenset[str]
    late: str | None = None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that is complete but for its snapshot.

    `folder` is the artifact's, `runtime` the one it has, the distilled or Pyodide's own, `scripts` has the modules
    that its scripts were made of.
    """

    folder: Path
    runtime: Path
    scripts: Path
    loader: Loader


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A finished snapshot. `files` are relative to the worker's folder.

    `late` maps each entrypoint that is imported at start to the reason, for people.
    """

    files: tuple[str, ...]
    late: Mapping[str, str]


def identity(worker: Worker) -> str:
    """The hash of what the snapshot of a worker is made of, hexadecimal."""
    digest = hashlib.sha256(worker.runtime.name.encode())
    archives = (worker.folder / "app.zip", worker.folder / "pyodide" / "python_stdlib.zip")
    scripts = (pyodide.LOCK_FOLDER / name for name in (*_SCRIPTS, _WARM))
    for path in (*archives, *scripts, *sorted(worker.scripts.glob("*.mjs"))):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def freeze(
    worker: Worker,
    entrypoints: Sequence[Entrypoint],
    *,
    strict: bool,
    report: Callable[[str], None],
    preloaded: Sequence[str] = (),
) -> Snapshot:
    """Import the app of a worker, and before it the modules `preloaded`, and write the snapshot into its folder.

    Unless `strict`, modules that fail to be imported are left to the start of the worker. `report` gets what the
    project's modules print. Raises `ProjectError` if one fails, does not end, or leaves behind what a snapshot
    cannot keep; `ToolError` if Node fails.
    """
    late = {entry.file: entry.late for entry in entrypoints if entry.late}
    preload = [*preloaded]
    name = identity(worker)
    # Node gives leave to what is in a folder only if the folder is there when it starts.
    (worker.folder / LIBRARIES).mkdir()
    for _ in range(_ATTEMPTS):
        settings = {
            "loader": worker.loader,
            "identity": name,
            "hash_seed": int(name[:8], 16) or 1,
            "late": sorted(late),
            "preload": preload,
        }
        found = _imported(worker, settings, report)
        reasons = _late(found, entrypoints, strict=strict)
        if not reasons:
            _check(found)
            code = _warm(worker, report) if worker.loader == "snapshot" else ()
            return Snapshot((HEAP, *code), late)
        preload = list(dict.fromkeys([*preload, *found["modules"]]))
        late |= reasons
    raise ProjectError(
        "the edge routes cannot be frozen: their modules do something else each time they are imported",
        hint="Let them do the same each time: what depends on chance or time belongs in a handler.",
    )


def _imported(worker: Worker, settings: Mapping[str, Any], report: Callable[[str], None]) -> dict[str, Any]:
    """The report of runtimes/edge/start.py on what the imports did."""
    loader = pyodide.prepare(report)
    folder, scripts = worker.folder, pyodide.LOCK_FOLDER
    readable = (folder, loader, worker.runtime, worker.scripts, *(scripts / name for name in _SCRIPTS))
    try:
        lines = node.run(
            scripts / "snapshot.mjs",
            [loader, worker.runtime, worker.scripts, folder, json.dumps(settings)],
            access=node.Access(readable, (folder / HEAP, folder / LIBRARIES)),
            timeout=TIMEOUT_SECONDS,
            failure="importing the edge routes failed",
            hint='Try loader = "stock" in [tool.packager.edge], which is slower and needs less.',
        )
    except ToolTimeoutError as error:
        raise ProjectError(
            f"importing the edge routes did not end within {TIMEOUT_SECONDS} seconds",
            hint="A module waits or loops while it is imported: move that into a handler.",
        ) from error
    for line in lines[:-1]:
        report(line)
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _late(found: Mapping[str, Any], entrypoints: Iterable[Entrypoint], *, strict: bool) -> dict[str, str]:
    """The entrypoints that cannot be frozen, with the reasons. Raises `ProjectError` for a failed import."""
    reads = {row["file"]: row for row in reversed(found["reads"])}
    late: dict[str, str] = {}
    for entry in entrypoints:
        file = next((file for file in sorted(entry.reaches) if file in reads), None)
        if file is not None and not entry.late:
            row = reads[file]
            what = "the environment" if row["what"] == "*" else row["what"]
            late[entry.file] = f"{file}:{row['line']} reads {what} while it is imported"
    for failure in found["failures"]:
        if failure["entry"] not in late and strict:
            raise _failed(failure)
        late.setdefault(failure["entry"], f"{failure['file']}:{failure['line']} fails: {failure['message']}")
    return late


def _failed(failure: Mapping[str, Any]) -> ProjectError:
    reason = failure["message"].strip().splitlines()[-1]
    place = f"{failure['file']}:{failure['line']}" if failure["line"] else failure["file"]
    return ProjectError(
        f"{failure['entry']} cannot be imported on edge: {reason}",
        place=place,
        hint='Mend the import, or set runtime = "nodejs" in the route.',
    )


def _check(found: Mapping[str, Any]) -> None:
    for task in found["tasks"]:
        raise ProjectError(
            f"{task['file']} leaves work to the event loop while it is imported ({task['what']}), and a snapshot "
            "cannot keep it",
            place=f"{task['file']}:{task['line']}",
            hint="Start it in a handler, or in a function given to runtimes.after_restore().",
        )
    for path in found["leftovers"]:
        raise ProjectError(
            f"{path} is left open, or was written, while the edge routes are imported, and a snapshot cannot keep it",
            hint="Close the file, or do it in a handler or in a function given to runtimes.after_restore().",
        )


def _warm(worker: Worker, report: Callable[[str], None]) -> tuple[str, ...]:
    """Write the code cache. It is only an accelerator: without it the worker compiles for itself."""
    script, code = pyodide.LOCK_FOLDER / _WARM, worker.folder / CODE
    try:
        node.run(
            script,
            [worker.scripts, worker.folder],
            access=node.Access((worker.folder, worker.scripts, script), (code,)),
            timeout=CODE_TIMEOUT_SECONDS,
            failure="no code cache, the worker will start more slowly",
            hint="Build again when the machine is less busy.",
        )
    except ToolError as error:
        report(error.message)
        code.unlink(missing_ok=True)
        return ()
    return (CODE,)
