"""The worker of an edge function in development: its frozen memory holds distributions, and nothing of the project.

What a save changes is in `app.zip` alone, whose modules are imported when a worker starts. The frozen folder is kept
in the project's cache for the next time.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packager import fingerprint
from packager.archive import Entry, write_zip
from packager.bundle import Contents, part
from packager.dev.nodejs import modules_of
from packager.dev.reading import Reading, Report, Served, table_text
from packager.edge_artifact import APP, write_worker
from packager.edge_rules import run_time_rules
from packager.model import Project
from packager.site_packages import SitePackages
from packager.snapshot import Entrypoint
from packager.staging import CACHE, OUTPUT
from packager.targets import target_of
from runtimes import table
from runtimes.edge import guard

_LATE = (
    "the project's modules are imported when the worker starts, so that a save changes nothing that is frozen"
)


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a worker needs beside the project's files.

    `contents` are the function's, its entries in memory and without the project's files. `key` is the hash of what
    the worker's memory depends on, `shape` says whether all this has to be gathered anew.
    """

    contents: Contents
    key: str
    shape: object


def shape_of(served: Served) -> object:
    """What decides which distributions' modules are in the archive. Files of the project are not part of it."""
    imports = frozenset((item.module, item.names) for item in served.function.reach.imports)
    return imports, served.row.memory, served.row.max_duration, _body_size(served)


def gathered(reading: Reading, served: Served, site: SitePackages) -> Frozen:
    """All that goes into the function's worker but the project's files. Raises `ProjectError` as `bundle.part` does."""
    target = target_of(reading.app, "edge")
    made = part(reading.app, served.function, reading.names, site, target, strict=False)
    contents = dataclasses.replace(
        made.contents,
        entrypoints=tuple(
            Entrypoint(item.file, item.reaches, late=_LATE) for item in made.contents.entrypoints
        ),
        preloaded=modules_of(served),
        # read once: they are written with every save
        entries=tuple(_in_memory(item) for item in made.contents.entries if item.name not in served.files),
    )
    return Frozen(contents, _key(contents), shape_of(served))


def _in_memory(entry: Entry) -> Entry:
    content = entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()
    return dataclasses.replace(entry, source=content, stored=True)


def frozen_folder(project: Project, frozen: Frozen, report: Report) -> Path:
    """The cached folder of a worker, which is made if needed: that takes some seconds, which `report` is told."""
    contents = frozen.contents
    folder = project.root / OUTPUT / CACHE / "dev" / f"{contents.name}-{frozen.key[:16]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    (project.root / OUTPUT / ".gitignore").write_text("*\n", encoding="utf-8")
    for old in folder.parent.glob(f"{contents.name}-{'?' * 16}"):
        shutil.rmtree(old, ignore_errors=True)
    area = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        write_worker(contents, area / "worker", report)
        (area / "worker").rename(folder)
    except OSError:
        # another one may have been faster
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(area, ignore_errors=True)
    return folder


def copied(frozen: Path, folder: Path) -> None:
    """Put a worker of one's own into `folder`, whose archive may be replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(frozen, folder, copy_function=_linked)


def write_app(folder: Path, frozen: Frozen, project: Project, served: Served) -> None:
    """Replace the archive of the worker in `folder` by one with the project's files as they are saved now.

    Raises `OSError` if one of them is gone meanwhile.
    """
    own = {
        table.PATH: table_text(served).encode(),
        guard.PATH: run_time_rules(project, served.function.reach, served.files).encode(),
        **{file: (project.root / file).read_bytes() for file in served.files},
    }
    kept = [entry for entry in frozen.contents.entries if entry.name not in own]
    entries = [*kept, *(Entry(name, data, stored=True) for name, data in own.items())]
    fresh = folder / f".{APP}"
    write_zip(fresh, entries)
    fresh.replace(folder / APP)


def _key(contents: Contents) -> str:
    """The hash of what is frozen: our runtime, distributions, limits; which of them are imported hardly matters."""
    inputs = [
        fingerprint.tool(),
        [contents.name, contents.loader, contents.max_body_size, contents.max_duration, contents.memory],
        [row.wheel.sha256 for row in contents.distributions],
        [entry.name for entry in contents.entries if entry.name.endswith(".so")],
    ]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _body_size(served: Served) -> int:
    return max(route.max_body_size for route in served.function.routes)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
