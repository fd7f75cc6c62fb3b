"""All of `packager types` in order: load → operations → types → document → TypeScript."""

import difflib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packager.errors import ToolError, UsageError
from packager.model import Project
from packager.openapi import describe, operations, settings, typescript
from packager.openapi.document import About, document, text
from packager.project import load

DOCUMENT = "openapi.json"
_SHOWN_LINES = 20

type Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Described:
    """The OpenAPI document of a project, and the folder that its files go to by default.

    `base_path` is where the app lies on its servers. `left_out` are routes with their method that OpenAPI has no
    operation for.
    """

    document: dict[str, Any]
    out: Path
    base_path: str
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Generated:
    """The files of `packager types`, by name, and the folder that they belong in."""

    files: dict[str, str]
    out: Path
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """A file that is not what the routes say: missing, or `diff` shows the first lines that differ."""

    name: str
    missing: bool
    diff: tuple[str, ...] = ()


def describe_project(folder: Path, report: Report, stop: threading.Event | None = None) -> Described:
    """The OpenAPI document of the project in `folder`.

    `report` gets one line for each long step; `stop` ends it early, by a `ProjectError`. Raises `DiagnosticsError`
    if the route tree has an error or a route cannot be imported, and the errors of `load`, of `settings.read` and of
    getting the distributions.
    """
    project = load(folder)
    wanted = settings.read(project.root)
    found = operations.read(project)
    types = describe.types(project, found, report, stop)
    about = _about(project)
    made = document(about, wanted, found, types)
    return Described(made, wanted.out, about.base_path, found.left_out)


def generate(folder: Path, out: Path | None, report: Report) -> Generated:
    """The OpenAPI document of the project in `folder`, its types and its client, as texts.

    Raises what `describe_project` raises, and `ToolError` if openapi-typescript cannot be had.
    """
    return files_of(describe_project(folder, report), out, report)


def files_of(described: Described, out: Path | None, report: Report) -> Generated:
    """The files for what was described. Raises `ToolError` if openapi-typescript cannot be had."""
    written = text(described.document)
    files = {
        DOCUMENT: written,
        typescript.SCHEMA: typescript.schema(written, report),
        typescript.CLIENT: typescript.client(described.document),
    }
    return Generated(files, out.resolve() if out else described.out, described.left_out)


def write(generated: Generated) -> tuple[str, ...]:
    """Write the files that differ; their names. Raises `UsageError` if the folder cannot be one."""
    out = generated.out
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, not a folder", hint="Give --out another place.")
    out.mkdir(parents=True, exist_ok=True)
    changed = tuple(item.name for item in stale(generated))
    for name in changed:
        (out / name).write_text(generated.files[name], encoding="utf-8", newline="")
    return changed


def stale(generated: Generated) -> tuple[Stale, ...]:
    """The files that are missing, or are not what would be written. Raises `ToolError` for one that cannot be read."""
    return tuple(found for name in generated.files if (found := _compared(generated, name)))


def _compared(generated: Generated, name: str) -> Stale | None:
    expected = generated.files[name]
    try:
        there = (generated.out / name).read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return Stale(name, missing=True)
    except OSError as error:
        raise ToolError(
            f"{generated.out / name} cannot be read: {error.strerror}", hint="Make it a readable file."
        ) from error
    if there == expected:
        return None
    lines = difflib.unified_diff(
        there.splitlines(), expected.splitlines(), f"{name} (there)", f"{name} (expected)", "", "", 1, ""
    )
    return Stale(name, missing=False, diff=tuple(lines)[:_SHOWN_LINES])


def _about(project: Project) -> About:
    site = project.settings.site
    return About(
        title=project.name,
        origin=project.settings.public_url,
        base_path=site.base_path if site else "",
        trailing_slash=site.trailing_slash if site else False,
    )
