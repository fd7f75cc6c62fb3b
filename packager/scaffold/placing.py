"""Writing a new project: whole or not at all, and never over anything that is there."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from packager.errors import UsageError

_LEFT_ALONE = {".git"}
"""What a folder may hold that a project is made in."""


def vacant(folder: Path) -> None:
    """Raise `UsageError` unless `folder` can be made, or is empty but for a `.git`."""
    for place in (folder, *folder.parents):
        if place.is_symlink() and not place.exists():
            raise UsageError(f"{place} is a link to nowhere", hint="Name another folder.")
        if place.exists():
            if not place.is_dir():
                raise UsageError(f"{place} is a file", hint="Name another folder.")
            break
    if folder.is_dir():
        found = sorted(row.name for row in folder.iterdir() if row.name not in _LEFT_ALONE)
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise UsageError(
                f"{folder} is not empty: {', '.join(found[:3])}{more}",
                hint="Nothing is ever overwritten. Name a folder that is not there yet: packager init DIR",
            )


def place(files: Mapping[str, str], folder: Path) -> None:
    """Write `files`, texts by their path in the project, into `folder`, as `vacant` allows it.

    They are staged in a folder on the same disk and moved at the end; an interruption or an error leaves nothing
    behind. Raises `UsageError` as `vacant` does, and `OSError`.
    """
    vacant(folder)
    made = _make_parents(folder.parent)
    done = False
    try:
        staging = folder if folder.exists() else folder.parent
        with tempfile.TemporaryDirectory(dir=staging, prefix=".packager-init-") as name:
            staged = Path(name) / "project"
            for path, text in files.items():
                file = staged / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
            _move(staged, folder)
        done = True
    finally:
        if not done:
            for parent in made:
                parent.rmdir()


def _make_parents(folder: Path) -> list[Path]:
    """Make the folders that are missing; what was made, innermost first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _move(staged: Path, folder: Path) -> None:
    if not folder.exists():
        staged.rename(folder)
        return
    moved: list[Path] = []
    try:
        for entry in sorted(staged.iterdir()):
            target = folder / entry.name
            if target.exists():
                raise UsageError(f"{target} has come into being meanwhile", hint="Run the command again.")
            moved.append(entry.rename(target))
    except BaseException:
        for target in moved:
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink()
        raise
