"""The uv workspace that a project is a member of: its lock is the workspace's, in a folder above.

Found as uv finds it (https://docs.astral.sh/uv/concepts/projects/workspaces/), without starting uv: builds that
have nothing to do ask too.
"""

import os
import posixpath
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

UV_LOCK = "uv.lock"
PYPROJECT = "pyproject.toml"


def workspace_of(root: Path) -> Path | None:
    """The folder of the workspace that the project in `root`, an absolute path, is a member of; None if of none.

    A project that is the root of a workspace is no member here. What cannot be read counts as not there.
    """
    own = _document(root / PYPROJECT)
    settings = _uv(own)
    if "project" not in own or "workspace" in settings or settings.get("managed") is False:
        return None
    # the next project above decides, whether it is a workspace or not
    above = next((folder for folder in root.parents if (folder / PYPROJECT).is_file()), None)
    if above is None:
        return None
    rules = _uv(_document(above / PYPROJECT)).get("workspace")
    if not isinstance(rules, dict):
        return None
    path = root.relative_to(above).as_posix()
    listed = any(_is_member(path, pattern) for pattern in _patterns(rules, "members"))
    # uv lets an asterisk stand for slashes too where it excludes, and nowhere else
    excluded = any(fnmatchcase(path, pattern) for pattern in _patterns(rules, "exclude"))
    return above if listed and not excluded else None


def shared_files(root: Path) -> tuple[str, ...]:
    """The workspace's files that decide which versions the project in `root` gets, relative to it."""
    above = workspace_of(root)
    if above is None:
        return ()
    return tuple(Path(os.path.relpath(above / name, root)).as_posix() for name in (PYPROJECT, UV_LOCK))


def settings_of(root: Path) -> Any:
    """`[tool.uv]` of the workspace that the project in `root` is a member of; None if of none."""
    above = workspace_of(root)
    return _uv(_document(above / PYPROJECT)) if above else None


def _document(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _uv(document: dict[str, Any]) -> dict[str, Any]:
    tool = document.get("tool")
    settings = tool.get("uv") if isinstance(tool, dict) else None
    return settings if isinstance(settings, dict) else {}


def _patterns(rules: dict[str, Any], key: str) -> list[str]:
    listed = rules.get(key)
    return [posixpath.normpath(text) for text in listed if isinstance(text, str)] if listed else []


def _is_member(path: str, pattern: str) -> bool:
    return _matches(path.split("/"), pattern.split("/"))


def _matches(parts: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_matches(parts[at:], patterns[1:]) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])
