"""Which routes, middleware and imports make up each function."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from infra.manifest import Middleware, Runtime
from packager.branches import EDGE, Platform
from packager.guards import guards, is_rewritten
from packager.imports import Reach, reach
from packager.model import App, Route, Settings


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its routes, the middleware that can run before them, and all that they import."""

    name: str
    runtime: Runtime
    routes: tuple[Route, ...]
    middleware: tuple[Middleware, ...]
    reach: Reach


def functions(app: App, names: Mapping[str, str]) -> tuple[Function, ...]:
    """The functions of an app, sorted by name; `names` maps a route's path to the name of its function.

    URLs without a route go to the first nodejs function, or the first edge one if there is none, as `$default`
    of the HTTP API does; so that one has all middleware, and with rewrites every function has all.
    """
    rows: dict[str, list[Route]] = defaultdict(list)
    for route in app.routes:
        rows[names[route.path]].append(route)
    placed = sorted(route.path for routes in rows.values() for route in routes)
    assert placed == sorted({route.path for route in app.routes}), "a route is in no function or in two"
    runtimes = {name: {route.runtime for route in routes} for name, routes in rows.items()}
    assert all(len(found) == 1 for found in runtimes.values()), "a function has routes of two runtimes"
    default = min(rows, key=lambda name: ("nodejs" not in runtimes[name], name), default=None)
    rewritten = is_rewritten(app.project)
    return tuple(
        _function(app, name, rows[name], unmatched=rewritten or name == default) for name in sorted(rows)
    )


def alone(app: App, route: Route) -> Function:
    """The function that a route would have if it were the app's only one."""
    return _function(app, route.path, [route], unmatched=is_rewritten(app.project))


def _function(app: App, name: str, routes: list[Route], *, unmatched: bool) -> Function:
    middleware = guards(app, routes, unmatched=unmatched)
    entries = [*(route.file for route in routes), *(item.file for item in middleware)]
    runtime = routes[0].runtime
    found = reach(app.project, entries, platform_of(app.project.settings, runtime))
    return Function(name, runtime, tuple(routes), middleware, found)


def platform_of(settings: Settings, runtime: Runtime) -> Platform:
    """Which branches of the code a runtime takes."""
    if runtime == "edge":
        return EDGE
    major, minor = settings.nodejs.python.split(".")
    return Platform("linux", (int(major), int(minor)))
