"""The build output appears at once and whole: made in a folder beside it, swapped in by renaming."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.manifest import FILE_NAME
from packager.errors import UsageError

OUTPUT = ".packager"
CACHE = "cache"
ANALYSIS = "analysis.html"
_ARTIFACTS = (FILE_NAME, "functions", "edge")
REPLACED = (*_ARTIFACTS, "sbom", ANALYSIS)
"""What a build makes, and what is said of it. Everything else in the output folder, such as the cache, outlives it."""


def check_place(root: Path, out: Path) -> None:
    """Raise `UsageError` if writing the output to `out` could destroy what is not a build output."""
    if root.is_relative_to(out):
        raise UsageError(
            f"{out} holds the project itself", hint="Give --out a folder of its own, such as .packager."
        )
    above = next(parent for parent in out.parents if parent.exists())
    if not above.is_dir():
        raise UsageError(f"{above} is a file, not a folder", hint="Give --out another place.")
    names = _names(out)
    if (out.exists() and not out.is_dir()) or (names and not names.intersection({*_ARTIFACTS, CACHE})):
        raise UsageError(
            f"{out} exists and is not the output of a build", hint="Give --out a new or an empty folder."
        )


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A new folder that takes the place of `out` when the block ends well, and vanishes otherwise."""
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out.name.lstrip('.')}-"
    area = Path(tempfile.mkdtemp(dir=out.parent, prefix=prefix))
    fresh, retired = area / "fresh", area / "retired"
    try:
        fresh.mkdir()
        yield fresh
        _swap(fresh, out, retired)
    finally:
        shutil.rmtree(area, ignore_errors=True)


def _swap(fresh: Path, out: Path, retired: Path) -> None:
    try:
        for name in sorted(_names(out).difference(REPLACED)):
            (out / name).rename(fresh / name)
        if out.exists():
            out.rename(retired)
        fresh.rename(out)
    except BaseException:
        if retired.exists() and not out.exists():
            retired.rename(out)
        if fresh.exists():
            for name in _names(fresh).difference(REPLACED):
                (fresh / name).rename(out / name)
        raise


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()
