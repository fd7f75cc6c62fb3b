"""What `runtimes.testing` wants to know of a project: the entry point `project` of the group `runtimes.testing`."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from infra.manifest import Runtime
from packager import environment
from packager.analyse import Sources, analyse
from packager.branches import EDGE
from packager.bundle import route_table
from packager.check import against_edge
from packager.diagnostics import Diagnostic
from packager.discover import discover
from packager.errors import PackagerError
from packager.functions import functions
from packager.guards import can_meet
from packager.imports import reach
from packager.model import App
from packager.place import place
from packager.project import load
from runtimes.testing.project import ProjectFaultError, ProjectUnderTest

STAGE = "test"
"""The stage whose `.env` file tests read."""


def read(folder: Path, runtime: Runtime | None) -> ProjectUnderTest:
    """`runtimes.testing.project.Reader`: by the sources alone, without distributions and without a network."""
    try:
        project = load(folder)
        tree, of_tree = discover(project)
        sources, of_sources = analyse(project, tree)
        variables, of_names = environment.read(project)
        values, of_test = environment.stage_values(project, f"{environment.FILE}.{STAGE}")
    except PackagerError as error:
        raise ProjectFaultError(_text(error.place, error.message, error.hint)) from error
    _refuse([*of_tree, *of_sources, *of_names, *of_test])
    app = place(sources if runtime is None else _all_on(sources, runtime)).app
    names = {route.path: str(route.runtime) for route in app.routes}
    return ProjectUnderTest(
        root=project.root,
        tables={item.runtime: route_table(app, item, names) for item in functions(app, names)},
        variables={**variables.values, **values},
        against_edge=_against_edge(app),
    )


def _all_on(sources: Sources, runtime: Runtime) -> Sources:
    routes = tuple(
        dataclasses.replace(item, declared=dataclasses.replace(item.declared, runtime=runtime))
        for item in sources.routes
    )
    return dataclasses.replace(sources, routes=routes)


def _against_edge(app: App) -> dict[str, str]:
    found: dict[str, str] = {}
    for route in app.routes:
        if route.runtime == "edge":
            entries = [route.file, *(item.file for item in app.middleware if can_meet(item, route))]
            errors = against_edge(app.project, reach(app.project, entries, EDGE), None)
            if text := _told(errors):
                found[route.file] = text
    return found


def _refuse(found: Iterable[Diagnostic]) -> None:
    if text := _told(found):
        raise ProjectFaultError(text)


def _told(found: Iterable[Diagnostic]) -> str:
    errors = [item for item in found if item.severity == "error"]
    return "\n".join(
        _text(f"{item.file}:{item.line}", f"{item.rule}: {item.message}", item.hint) for item in errors
    )


def _text(place: str | None, message: str, hint: str) -> str:
    return f"{f'{place}: ' if place else ''}{message}. {hint}"
