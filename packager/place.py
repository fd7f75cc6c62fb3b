"""Where each route runs: as it declares, and `auto` routes on edge if nothing they reach speaks against it."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.manifest import Middleware, Runtime
from packager.analyse import RouteSource, Sources
from packager.branches import EDGE
from packager.check import against_edge
from packager.diagnostics import Diagnostic
from packager.guards import can_meet, is_rewritten
from packager.imports import reach
from packager.literals import bindings
from packager.model import App, Project, Route
from packager.route_config import DEFAULTS, EDGE_MAX_DURATION
from packager.site_packages import SitePackages
from packager.sources import Source, read


@dataclass(frozen=True, slots=True)
class Placement:
    """An app whose routes have their runtime.

    `against` has, for the file of each `auto` route, what keeps it from running on edge; nothing if it does.
    """

    app: App
    against: Mapping[str, tuple[Diagnostic, ...]]


def place(sources: Sources, edge: SitePackages | None = None) -> Placement:
    """Decide where the routes run; `edge` are the resolved distributions there, None if they are not known."""
    against = {
        item.file.file: _against(sources, item, edge)
        for item in sources.routes
        if item.declared.runtime == "auto"
    }
    routes = tuple(_route(item, _runtime(item, against)) for item in sources.routes)
    return Placement(App(sources.project, routes, sources.middleware), against)


def _runtime(item: RouteSource, against: Mapping[str, tuple[Diagnostic, ...]]) -> Runtime:
    if item.declared.runtime == "auto":
        return "nodejs" if against[item.file.file] else "edge"
    return "edge" if item.declared.runtime == "edge" else "nodejs"


def _against(sources: Sources, item: RouteSource, edge: SitePackages | None) -> tuple[Diagnostic, ...]:
    if (item.declared.max_duration or 0) > EDGE_MAX_DURATION:
        return (_too_long(sources.project, item),)
    entries = [item.file.file, *(row.file for row in _before(sources, item))]
    return against_edge(sources.project, reach(sources.project, entries, EDGE), edge)


def _before(sources: Sources, item: RouteSource) -> list[Middleware]:
    """The middleware in front of the route if it runs on edge; where no route runs on nodejs, that is all."""
    on_nodejs = any(row.declared.runtime in ("nodejs", "python") for row in sources.routes)
    everything = not on_nodejs or is_rewritten(sources.project)
    route = _route(item, "edge")
    return [row for row in sources.middleware if everything or can_meet(row, route)]


def _too_long(project: Project, item: RouteSource) -> Diagnostic:
    source = read(project.root, item.file.file)
    line = bindings(source.tree)["max_duration"][-1].lineno if isinstance(source, Source) else 1
    message = f"max_duration is {item.declared.max_duration} s, and edge stops at {EDGE_MAX_DURATION} s"
    return Diagnostic(
        "invalid-config", item.file.file, line, 1, message, f"Choose at most {EDGE_MAX_DURATION} for edge."
    )


def _route(item: RouteSource, runtime: Runtime) -> Route:
    declared, defaults = item.declared, DEFAULTS[runtime]
    automatic = {"OPTIONS", *(["HEAD"] if "GET" in item.methods else [])}
    return Route(
        file=item.file.file,
        path=item.file.path,
        params=item.file.params,
        methods=tuple(sorted(item.methods | automatic)),
        runtime=runtime,
        declared_runtime=declared.runtime,
        max_duration=defaults.max_duration if declared.max_duration is None else declared.max_duration,
        memory=defaults.memory if declared.memory is None else declared.memory,
        max_body_size=defaults.max_body_size if declared.max_body_size is None else declared.max_body_size,
        revalidate=declared.revalidate,
        cors=declared.cors,
        isolate=declared.isolate,
        files=declared.files,
    )
