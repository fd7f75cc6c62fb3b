"""What each file of a built artifact weighs, read from its zip, and which distribution it belongs to."""

import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packager.errors import ToolError
from packager.model import Distribution

APP = "app.zip"
"""The archive inside an edge artifact that holds its Python side."""

_LOCAL_HEADER, _CENTRAL_HEADER = 30, 46
_CACHED = "__pycache__"


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes: the share of the zip, headers included, and the contents."""

    zipped: int
    unpacked: int

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(self.zipped + other.zipped, self.unpacked + other.unpacked)


NOTHING = Weight(0, 0)


def sum_of(weights: Iterable[Weight]) -> Weight:
    """All together."""
    return sum(weights, NOTHING)


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of an artifact. `archive` is the name of the zip inside the artifact that holds it, if one does.

    `name` is its path there, the source's for bytecode; None for what the zips need beside their entries.
    """

    name: str | None
    archive: str | None
    weight: Weight


def pieces(artifact: Path) -> tuple[Piece, ...]:
    """All files of the zip `artifact`, those of its `APP` too; their shares add up to the size of the file.

    Raises `ToolError` if it cannot be read.
    """
    try:
        with zipfile.ZipFile(artifact) as outer:
            found = list(_pieces(outer, None, artifact.stat().st_size))
            if APP not in outer.namelist():
                return tuple(found)
            with outer.open(APP) as file, zipfile.ZipFile(file) as inner:
                size = outer.getinfo(APP).compress_size
                around = next(item for item in found if item.name == APP)
                rest = Piece(None, None, Weight(around.weight.zipped - size, 0))
                return (*(item for item in found if item is not around), rest, *_pieces(inner, APP, size))
    except (OSError, zipfile.BadZipFile) as error:
        raise ToolError(
            f"the artifact cannot be read: {error}", place=str(artifact), hint="Build the project again."
        ) from error


def owners(distributions: Iterable[Distribution]) -> dict[str, str]:
    """The name of the distribution that each file of an artifact comes from; of two with one file, the first."""
    found: dict[str, str] = {}
    for row in distributions:
        for path in row.folder.rglob("*"):
            found.setdefault(path.relative_to(row.folder).as_posix(), row.wheel.name)
    return found


def by_distribution(artifact: Path, distributions: Iterable[Distribution]) -> dict[str, Weight]:
    """What each distribution weighs in the zip `artifact`, the heaviest first."""
    belongs = owners(distributions)
    found: dict[str, Weight] = defaultdict(lambda: NOTHING)
    for item in pieces(artifact):
        if item.name in belongs:
            found[belongs[item.name]] += item.weight
    return heaviest_first(found)


def heaviest_first(weights: Mapping[str, Weight]) -> dict[str, Weight]:
    """The same, by share of the zip, then by name."""
    return dict(sorted(weights.items(), key=lambda row: (-row[1].zipped, row[0])))


def _pieces(archive: zipfile.ZipFile, name: str | None, size: int) -> Iterator[Piece]:
    rest = size
    for item in archive.infolist():
        headers = _LOCAL_HEADER + _CENTRAL_HEADER + 2 * len(item.orig_filename.encode())
        share = item.compress_size + headers
        rest -= share
        yield Piece(_source(item.filename), name, Weight(share, item.file_size))
    yield Piece(None, name, Weight(rest, 0))


def _source(name: str) -> str:
    """The source of a bytecode file (PEP 3147), any other file itself."""
    path = PurePosixPath(name)
    if path.suffix != ".pyc":
        return name
    if path.parent.name == _CACHED:
        return (path.parent.parent / f"{path.name.partition('.')[0]}.py").as_posix()
    return path.with_suffix(".py").as_posix()
