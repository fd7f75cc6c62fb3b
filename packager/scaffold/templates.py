"""The templates: each is a folder of `projects`, complete, with a name that is replaced in a new project."""

import secrets
from pathlib import Path

NAMES = ("minimal", "full")

_FOLDER = Path(__file__).with_name("projects")
_NAME = "packager-template"
_SKIPPED = {"__pycache__", ".packager", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
"""What checking a template in its place leaves there."""


def template(kind: str, name: str) -> dict[str, str]:
    """The files of a template, texts by path, as a project called `name`.

    Secrets that it needs on this machine are new ones, in `.env.local`.
    """
    folder = _FOLDER / kind
    files = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8").replace(_NAME, name)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _SKIPPED.intersection(path.relative_to(folder).parts)
    }
    if "SESSION_KEY" in files["pyproject.toml"]:
        files[".env.local"] = f"SESSION_KEY={secrets.token_urlsafe(32)}\n"
    return files
