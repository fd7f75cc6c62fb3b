"""The artifact of an edge function: a folder with Pyodide and the app that Node can serve alone, and its zip.

What differs between edge targets is the script that the platform starts.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from infra.manifest import Snapshot
from packager import distil, pyodide, snapshot, snapshot_cache
from packager.archive import Entry, write_zip
from packager.bundle import Contents, runtimes_folder
from packager.edge_lock import edge_lock
from packager.targets import Artifact, Report
from packager.worker_scripts import SCRIPTS, worker_scripts

DISTRIBUTIONS = ("python-multipart", "starlette")
"""What our own code needs in every edge artifact."""
OMITTED = (
    *("aws_lambda.py", "edge_worker", "lambda_events.py", "origin_key.py", "secrets.py", "snap_start.py"),
    "testing",
)
"""The parts of `runtimes` that never run in Pyodide."""

APP = "app.zip"
_STDLIB = "python_stdlib.zip"


def artifact(name: str) -> str:
    """The path of the zip that is uploaded, relative to the build output."""
    return f"edge/{name}.zip"


def folder(name: str) -> str | None:
    """The path of the worker's folder, relative to the build output."""
    return f"edge/{name}"


def bundle(contents: Contents, out: Path, report: Report, scripts: Mapping[str, str]) -> Artifact:
    """Write the worker's folder and its zip into the build output `out`.

    `scripts` are those that the target adds, by their names in the folder; the values are of `ENTRIES`.
    Raises `ToolError` if Pyodide is neither in the cache nor to be had, `ProjectError` if the app cannot be frozen.
    """
    root = out / "edge" / contents.name
    made = write_worker(contents, root, report, scripts)
    written = write_zip(out / artifact(contents.name), _entries(root, made))
    return Artifact(written, made)


def write_worker(
    contents: Contents, root: Path, report: Report, scripts: Mapping[str, str] | None = None
) -> Snapshot | None:
    """Write the worker's folder `root`, which is made. Arguments and errors are those of `bundle`."""
    (root / "pyodide").mkdir(parents=True)
    sources = runtimes_folder() / "edge_worker"
    made_scripts = worker_scripts(sources, report)
    _copy(made_scripts, SCRIPTS, root)
    for name, script in (scripts or {}).items():
        shutil.copyfile(made_scripts / script, root / name)
    write_zip(root / APP, contents.entries)
    (root / "pyodide-lock.json").write_bytes(edge_lock(contents.distributions))
    stock = contents.loader == "stock"
    runtime = _stock(root, report) if stock else _distilled(contents, root, sources, report)
    compiled = any(entry.name.endswith(".so") for entry in contents.entries)
    if stock and compiled:
        report(
            "Pyodide's own loader cannot freeze compiled packages: everything is imported when the worker starts"
        )
        _settings(root, contents)
        return None
    return _frozen(contents, snapshot.Worker(root, runtime, sources, contents.loader), report)


def _stock(root: Path, report: Report) -> Path:
    """Put Pyodide with its own loader into the worker's folder."""
    runtime = pyodide.prepare(report)
    _copy(runtime, pyodide.FILES, root / "pyodide")
    return runtime


def _distilled(contents: Contents, root: Path, sources: Path, report: Report) -> Path:
    """Put the distilled runtime into the worker's folder."""
    with tempfile.TemporaryDirectory() as name:
        runtime = distil.distilled(_libraries(contents.entries, Path(name)), sources, report)
    _copy(runtime, (distil.SCRIPT, distil.RESTORED_MODULE), root / "pyodide")
    # Sources: what is imported while the worker runs is little, and as bytecode it is half as much again.
    _copy(pyodide.fetch(report), (_STDLIB,), root / "pyodide")
    return runtime


def _frozen(contents: Contents, worker: snapshot.Worker, report: Report) -> Snapshot:
    """Put the snapshot of the app into the worker's folder."""
    identity = snapshot.identity(worker)
    _settings(worker.folder, contents, identity=identity)
    made = snapshot_cache.frozen(
        worker,
        contents.entrypoints,
        strict=contents.strict,
        report=report,
        preloaded=contents.preloaded,
        title=f"edge/{contents.name}",
    )
    return Snapshot(made.files, identity, dict(made.late))


def _settings(root: Path, contents: Contents, **more: str) -> None:
    """Write what the worker has to know of itself; see `Settings` in bridge.mjs."""
    settings = {
        "function": contents.name,
        "max_body_size": contents.max_body_size,
        "max_duration": contents.max_duration,
        "memory": contents.memory,
        "loader": contents.loader,
        **more,
    }
    (root / "worker.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def _libraries(entries: Iterable[Entry], area: Path) -> list[Path]:
    """The dynamic libraries of an artifact as files."""
    found: list[Path] = []
    for entry in entries:
        if entry.name.endswith(".so"):
            file = entry.source
            if isinstance(file, bytes):
                file = area / f"{len(found)}.so"
                file.write_bytes(entry.source)  # type: ignore[arg-type]
            found.append(file)
    return found


def _copy(source: Path, names: Iterable[str], target: Path) -> None:
    for name in names:
        shutil.copyfile(source / name, target / name)


def _entries(root: Path, made: Snapshot | None) -> list[Entry]:
    """What the zip holds. Snapshots are given as bytes: no later build has the same to take from the cache."""
    entries = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        unique = made is not None and name in made.files
        entries.append(Entry(name, path.read_bytes() if unique else path, stored=name.endswith(".zip")))
    return entries
