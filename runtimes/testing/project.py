"""The project that a test asks: its route tables, as the tool reads them from the sources.

The tool is found by the entry point `project` of the group `runtimes.testing`, since this package never imports it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal, cast

from runtimes.table import Table

GROUP = "runtimes.testing"
"""The group of entry points that has the reader of projects."""

type Runtime = Literal["edge", "nodejs"]
type Reader = Callable[[Path, Runtime | None], ProjectUnderTest]


class ProjectFaultError(Exception):
    """The project is at fault, as `packager check` would tell: what, where, and what to do."""


@dataclass(frozen=True, slots=True)
class ProjectUnderTest:
    """A project as it is saved. `tables` has those of the runtimes in use, each with all routes.

    `variables` are the values of its settings, `.env` and `.env.test`, the later one wins. `against_edge` says what
    keeps a route from running on edge, by its file.
    """

    root: Path
    tables: Mapping[Runtime, Table]
    variables: Mapping[str, str] = field(default_factory=dict)
    against_edge: Mapping[str, str] = field(default_factory=dict)


def read(folder: Path, runtime: Runtime | None) -> ProjectUnderTest:
    """Read the project in `folder`, all of its routes on `runtime`, each on its own if that is None.

    Raises `ProjectFaultError` if it cannot be served, or if there is nothing that reads it.
    """
    return _reader()(folder, runtime)


@cache
def _reader() -> Reader:
    readers = entry_points(group=GROUP, name="project")
    if not readers:
        raise ProjectFaultError(
            "nothing here reads route trees: install packager in the environment that runs the tests, "
            "or install it anew if it is an older one"
        )
    return cast("Reader", next(iter(readers)).load())


def found_above(folder: Path) -> Path:
    """The nearest folder from `folder` upwards that holds a route tree. Raises `ProjectFaultError`."""
    for candidate in (folder, *folder.parents):
        settled = (candidate / "pyproject.toml").is_file()
        for tree in (candidate / "app", candidate / "src" / "app"):
            if tree.is_dir() and (settled or any(tree.rglob("route.py"))):
                return candidate
    raise ProjectFaultError(
        f"no project in {folder} or above it: a folder with app/ or src/app/, and routes in it. "
        "Name it: Client('path/to/project')"
    )
