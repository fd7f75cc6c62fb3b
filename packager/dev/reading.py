"""The project as it is saved now: what a build knows of it before any artifact is made."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra import manifest
from infra.manifest import Manifest, Runtime
from packager import environment, resolve
from packager.analyse import RouteSource, Sources, analyse
from packager.build import site_of
from packager.bundle import project_files, route_table
from packager.diagnostics import Diagnostic, in_order
from packager.discover import discover
from packager.functions import Function, functions
from packager.grouping import Grouping, group, rows
from packager.model import App, Distribution, Project, Tree
from packager.place import place
from packager.project import load
from packager.route_config import Declared
from packager.site_packages import SitePackages
from packager.sources import read as read_source
from packager.targets import target_of
from runtimes import table
from runtimes.table import METHODS, Table

type Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Distributions:
    """The project's distributions: of this machine for nodejs, and as resolved for edge if there is edge code."""

    nodejs: tuple[Distribution, ...]
    edge: SitePackages | None


@dataclass(frozen=True, slots=True)
class Served:
    """A function of the reading. `files` are the project's files that it reads; `table` is its route table."""

    function: Function
    row: manifest.Function
    table: Table
    files: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """An app as it is saved. `values` are its variables, local ones too; `diagnostics` what reading it found.

    `names` maps a route's path to its function's name.
    """

    app: App
    manifest: Manifest
    names: Mapping[str, str]
    served: Mapping[str, Served]
    values: Mapping[str, str]
    diagnostics: tuple[Diagnostic, ...]


def distributions(folder: Path, report: Report) -> Distributions:
    """Resolve and fetch what the project depends on, with what our own code needs.

    Raises `ProjectError` if the dependencies are at fault, `ToolError` if a download fails.
    """
    project = load(folder)
    sources, _ = analyse(project, discover(project)[0])
    declared = {item.declared.runtime for item in sources.routes}
    edge = bool(declared & {"auto", "edge"})
    locked = resolve.locked_for(project, report, edge=edge)
    there = resolve.lambda_platform(project.settings.nodejs)
    here = resolve.host_platform(project.settings.nodejs.python)
    nodejs = resolve.site_packages(project, locked, here, report, naming=there)
    native = [
        f"{row.wheel.name} {row.wheel.version}" for row in nodejs.distributions.values() if row.wheel.native
    ]
    if native:
        report(f"this machine's wheels take the place of the artifact's: {', '.join(native)}")
    for name, absent in nodejs.absent.items():
        report(f"warning: {name} {absent.version} has no wheel for this machine; importing it will fail")
    site = None
    if edge:
        runtimes: tuple[Runtime, ...] = ("edge", "nodejs")
        site = resolve.for_runtimes(project, runtimes, report)["edge"]
    return Distributions(tuple(nodejs.distributions.values()), site)


def read(folder: Path, found: Distributions, before: Reading | None = None) -> Reading:
    """Read the project in `folder`, whose distributions were found before.

    A route that Python refuses stays, with the runtime that it had `before`: whoever asks for it is told why. Raises
    `UsageError` and `ProjectError` as `load` does.
    """
    project = load(folder)
    tree, of_tree = discover(project)
    sources, of_sources = analyse(project, tree)
    variables, of_names = environment.read(project)
    sources = dataclasses.replace(
        sources, routes=(*sources.routes, *_refused(project, tree, sources, before))
    )
    app = place(_unique(sources), found.edge).app
    names = group(app.routes)
    served = {item.name: _served(app, item, names) for item in functions(app, names)}
    built = Manifest(
        app=manifest.AppInfo(project.name, project.tree),
        routes=rows(app, Grouping(names)),
        middleware=app.middleware,
        functions=tuple(item.row for item in served.values()),
        environment=variables,
        site=site_of(app),
    )
    values = {**variables.values, **environment.local_values(project.root)}
    return Reading(app, built, names, served, values, in_order([*of_tree, *of_sources, *of_names]))


def _refused(project: Project, tree: Tree, sources: Sources, before: Reading | None) -> list[RouteSource]:
    """The routes whose files Python refuses."""
    known = {item.file.file for item in sources.routes}
    earlier = {route.file: route.runtime for route in before.app.routes} if before else {}
    return [
        RouteSource(file, Declared(runtime=earlier.get(file.file, "nodejs")), frozenset(METHODS))
        for file in tree.routes
        if file.file not in known and isinstance(read_source(project.root, file.file), Diagnostic)
    ]


def _unique(sources: Sources) -> Sources:
    """One route for each URL: that others claim it too is a diagnostic."""
    by_path = {item.file.path: item for item in reversed(sources.routes)}
    return dataclasses.replace(sources, routes=tuple(by_path[path] for path in sorted(by_path)))


def _served(app: App, function: Function, names: Mapping[str, str]) -> Served:
    target = target_of(app, function.runtime)
    nodejs = function.runtime == "nodejs"
    settings = app.project.settings.nodejs
    row = manifest.Function(
        name=function.name,
        runtime=function.runtime,
        target=target.NAME,
        artifact=target.artifact(function.name),
        sha256="",
        zip_bytes=0,
        unpacked_bytes=0,
        handler=target.HANDLER,
        distributions=(),
        max_duration=max(route.max_duration for route in function.routes),
        memory=max(route.memory for route in function.routes),
        python=settings.python if nodejs else None,
        architecture=settings.architecture if nodejs else None,
        middleware=tuple(sorted(item.file for item in function.middleware)),
    )
    known = dataclasses.replace(route_table(app, function, names), development=True)
    return Served(function, row, known, frozenset(project_files(app, function)))


def table_text(served: Served) -> str:
    """The route table of a function as its file's text."""
    return table.to_json(served.table)
