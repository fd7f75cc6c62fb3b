"""The data files of `[tool.packager] include`."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packager.errors import ProjectError

_SECRET = re.compile(r"(?i:\.env(\..*)?|\.git|\.packager|\.aws|\.ssh|\.netrc|\.npmrc|\.pypirc|__pycache__)")
_WILD = re.compile(r"[*?\[]")


def included(root: Path, globs: Iterable[str]) -> tuple[str, ...]:
    """The files that match, relative to the project `root` (POSIX), sorted.

    As in a shell, wildcards do not match names that begin with a dot. A folder stands for all that is in it.
    Raises `ProjectError` for a pattern that leaves the project, names a file that is no data (`.env`, `.git`,
    …) or matches nothing.
    """
    found: set[str] = set()
    for pattern in globs:
        files = set(_matches(root, pattern))
        if not files:
            raise _error(f"include {pattern!r} matches no file", "Mend the pattern or take it out.")
        found |= files
    return tuple(sorted(found))


def _matches(root: Path, pattern: str) -> Iterator[str]:
    parts = Path(pattern).parts
    if Path(pattern).is_absolute() or ".." in parts or not parts:
        raise _error(f"include {pattern!r} leaves the project", "Copy the files into the project.")
    secret = next((part for part in parts if _SECRET.fullmatch(part)), None)
    if secret:
        raise _error(
            f"include {pattern!r} would put {secret} into the artifacts",
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
            if not real.is_relative_to(root) or any(map(_SECRET.fullmatch, real.relative_to(root).parts)):
                raise _error(f"{relative.as_posix()} is a link to {real}", "Copy the file instead.")
            yield relative.as_posix()


def _error(message: str, hint: str) -> ProjectError:
    return ProjectError(message, place="pyproject.toml", hint=hint)
