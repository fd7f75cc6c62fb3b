"""What an artifact runs on: one module each, found here by name.

A target is any module of this package that satisfies `Target`; adding one touches nothing else.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from infra.manifest import Runtime, Snapshot
from packager.archive import Written
from packager.bundle import Contents
from packager.errors import ProjectError
from packager.model import App

type Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a target wrote: the zip, and the snapshot in it if there is one."""

    written: Written
    snapshot: Snapshot | None = None


class Target(Protocol):
    """A module that makes one kind of artifact.

    `DISTRIBUTIONS` are the normalised names of what our own code needs there, `OMITTED` the parts of the
    `runtimes` package that never run there, `HANDLER` what the function is configured to call. `ON_API` tells
    whether the HTTP API leads to its functions; only the CDN leads to others.
    """

    NAME: str
    RUNTIME: Runtime
    HANDLER: str
    ON_API: bool
    DISTRIBUTIONS: tuple[str, ...]
    OMITTED: tuple[str, ...]

    def artifact(self, name: str) -> str:
        """The path of the function's zip, relative to the build output."""

    def folder(self, name: str) -> str | None:
        """The path of the function's folder, relative to the build output, if the target has one."""

    def bundle(self, contents: Contents, out: Path, report: Report) -> Artifact:
        """Write the artifact (and its folder) into the build output `out`; `report` gets a line for a long step."""


def registry() -> dict[str, Target]:
    """Every target by its name, sorted."""
    modules = (import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    targets = (cast("Target", module) for module in modules)
    return {target.NAME: target for target in sorted(targets, key=lambda target: target.NAME)}


def target_of(app: App, runtime: Runtime) -> Target:
    """The target of the app's functions of a runtime. Raises `ProjectError` as `find` does."""
    return find(app.project.settings.edge.target if runtime == "edge" else "lambda", runtime)


def find(name: str, runtime: Runtime) -> Target:
    """The target of that name. Raises `ProjectError` if there is none, or if it is for another runtime."""
    fitting = {name: target for name, target in registry().items() if runtime == target.RUNTIME}
    if name not in fitting:
        raise ProjectError(
            f"there is no {runtime} target named {name!r}",
            place="pyproject.toml",
            hint=f"The targets for {runtime} routes are: {', '.join(fitting)}.",
        )
    return fitting[name]
