"""The data files that `include` in `[tool.packager]` and `files` in a route name by patterns."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from packager.errors import ProjectError

_SECRET = re.compile(r"(?i:\.env(\..*)?|\.git|\.packager|\.aws|\.ssh|\.netrc|\.npmrc|\.pypirc|__pycache__)")
_WILD = re.compile(r"[*?\[]")


def included(
    root: Path, globs: Iterable[str], *, setting: str = "include", place: str = "pyproject.toml"
) -> tuple[str, ...]:
    """The files that match, relative to the project `root` (POSIX), sorted.

    The patterns are relative to `root`, too. As in a shell, wildcards do not match names that begin with a dot.
    A folder stands for all that is in it. Raises `ProjectError` for a pattern that leaves the project, names a
    file that is no data (`.env`, `.git`, …) or matches nothing; `setting` and `place` say whose pattern it is.
    """
    found: set[str] = set()
    for pattern in globs:
        try:
            files = set(_matches(root, pattern))
        except _PatternError as error:
            raise ProjectError(f"{setting} {error}", place=place, hint=error.hint) from None
        if not files:
            hint = "Patterns count from the project's folder. Mend it or take it out."
            raise ProjectError(f"{setting} {pattern!r} matches no file", place=place, hint=hint)
        found |= files
    return tuple(sorted(found))


def below(root: Path, folder: str) -> Iterator[str]:
    """All data files in `folder`, relative to the project `root` as the names are; no links out of it."""
    for path in (root / folder).rglob("*"):
        relative = path.relative_to(root)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        if not hidden and path.is_file():
            yield relative.as_posix()


def is_secret(path: str) -> bool:
    """True if a part of the path is a name that never goes into an artifact: `.env`, `.git`, `.ssh`, …"""
    return any(map(_SECRET.fullmatch, PurePosixPath(path).parts))


class _PatternError(ValueError):
    """A pattern is wrong; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def _matches(root: Path, pattern: str) -> Iterator[str]:
    parts = Path(pattern).parts
    if Path(pattern).is_absolute() or ".." in parts or not parts:
        raise _PatternError(f"{pattern!r} leaves the project", "Copy the files into the project.")
    secret = next((part for part in parts if _SECRET.fullmatch(part)), None)
    if secret:
        raise _PatternError(
            f"{pattern!r} would put {secret} into the artifacts",
            "Declare variables and secrets under [tool.packager.environment].",
        )
    literal = {part for part in parts if part.startswith(".") and not _WILD.search(part)}
    for match in root.glob(pattern):
        for path in match.rglob("*") if match.is_dir() else [match]:
            relative = path.relative_to(root)
            hidden = (part for part in relative.parts if part.startswith(".") and part not in literal)
            if "__pycache__" in relative.parts or any(hidden) or not path.is_file():
                continue
            real = path.resolve()
            if not real.is_relative_to(root) or is_secret(real.relative_to(root).as_posix()):
                raise _PatternError(
                    f"{pattern!r}: {relative.as_posix()} is a link to {real}", "Copy the file instead."
                )
            yield relative.as_posix()
