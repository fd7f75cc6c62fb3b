"""Whether a build output still belongs to its inputs, without importing or analysing anything.

The record, kept in the output's cache, holds the hashes of the inputs as they were before the build read them,
and what was written. Every Python file of the project is an input: a new one may change what an import finds.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from infra import manifest
from packager.errors import ProjectError
from packager.include import included
from packager.staging import CACHE
from packager.workspace import shared_files

FILE_NAME = "build.json"

_SETTINGS = ("pyproject.toml", "uv.toml", "uv.lock", "pylock.toml", ".env")
_SKIPPED = {".git", "node_modules", "__pycache__"}
_SHIPPED = {".py", ".mjs", ".json", ".toml"}


@dataclass(frozen=True, slots=True)
class Record:
    """What a finished build remembers.

    `tool` is the hash of all that the tool ships, `checked` whether errors would have stopped the build,
    `include` the patterns of data files, `watched` the data files that modules name, there or not. `inputs` maps
    the project's files to their hashes (None: not there), `outputs` the output's files to their sizes in bytes,
    `keys` each function to the hash of its artifact's inputs. `manifest` is the manifest's hash.
    """

    tool: str
    checked: bool
    include: list[str]
    watched: list[str]
    inputs: dict[str, str | None]
    outputs: dict[str, int]
    manifest: str | None
    keys: dict[str, str]


def inputs(root: Path, include: Iterable[str]) -> dict[str, str | None]:
    """The hashes of all files of the project `root` that a build may read, but those that modules name.

    Raises `ProjectError` if a pattern of `include` is wrong.
    """
    names = {*_sources(root), *_SETTINGS, *shared_files(root), *included(root, include)}
    return hashes(root, sorted(names))


def hashes(root: Path, names: Iterable[str]) -> dict[str, str | None]:
    """The hashes of files below `root`; None for one that is not there."""
    return {name: _hash(root / name) for name in names}


def take(
    fresh: Path,
    given: Mapping[str, str | None],
    *,
    checked: bool,
    include: Iterable[str],
    watched: Iterable[str],
    keys: Mapping[str, str],
) -> Record:
    """The record of a build that was written to the folder `fresh` from the inputs `given`."""
    return Record(
        tool=tool(),
        checked=checked,
        include=list(include),
        watched=list(watched),
        inputs=dict(given),
        outputs={name: (fresh / name).stat().st_size for name in sorted(_files(fresh))},
        manifest=_hash(fresh / manifest.FILE_NAME),
        keys=dict(keys),
    )


def write(record: Record, out: Path) -> None:
    """Keep the record in the cache of the output folder `out`."""
    (out / CACHE).mkdir(exist_ok=True)
    (out / CACHE / FILE_NAME).write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")


def read(out: Path) -> Record | None:
    """The record of the output folder `out`; None if there is none, or one of another version of the tool."""
    try:
        record = Record(**json.loads((out / CACHE / FILE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return record if record.tool == tool() else None


def is_current(root: Path, out: Path) -> bool:
    """Whether building the project `root` again would change nothing in `out`."""
    record = read(out)
    if record is None:
        return False
    try:
        return (
            record.inputs == {**hashes(root, record.watched), **inputs(root, record.include)}
            and record.manifest == _hash(out / manifest.FILE_NAME)
            and all((out / name).stat().st_size == size for name, size in record.outputs.items())
        )
    except (OSError, ProjectError):
        return False


@cache
def tool() -> str:
    """The hash of all that this tool ships: another version, or an edit in a checkout, builds anew."""
    rows = []
    package = Path(__file__).parent
    for folder in (package, package.parent / "runtimes", package.parent / "infra"):
        names = sorted(name for name in _files(folder) if Path(name).suffix in _SHIPPED)
        rows.append([[name, _hash(folder / name)] for name in names])
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _sources(root: Path) -> Iterator[str]:
    """Names of the Python files below `root`, without those of virtual environments and build outputs."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".packager")]
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        below = Path(folder).relative_to(root)
        yield from ((below / name).as_posix() for name in files if name.endswith(".py"))


def _files(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
