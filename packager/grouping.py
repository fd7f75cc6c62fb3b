"""Which routes share a function."""

import re
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from infra import manifest
from packager.model import App, Route
from packager.route_config import DEFAULTS

MAX_NAME = 40
"""Characters of a function's name: with the app's name and stage, Lambda takes 64."""

_SHARED = {"nodejs": "api", "edge": "edge"}


@dataclass(frozen=True, slots=True)
class Grouping:
    """The name of the function that serves each route's path, and why for those that its size moved there."""

    names: Mapping[str, str]
    moved: Mapping[str, str] = field(default_factory=dict)


def group(routes: Sequence[Route]) -> dict[str, str]:
    """The name of the function that serves each route's path, sizes aside.

    Routes of equal runtime, memory and duration share one, `api` or `edge` with default settings, else with
    the settings in its name: `api-1024mb-60s`. A route with `isolate = True` has its own, named after its
    path. Names are ASCII letters, digits and `-`, at most `MAX_NAME` long, and no two differ only by case.
    """
    shared = {route.path: _shared_name(route) for route in routes if not route.isolate}
    isolated = {route.path: _path_name(route.path) for route in routes if route.isolate}
    uses = Counter(name.lower() for name in [*set(shared.values()), *_SHARED.values(), *isolated.values()])
    named = {
        path: name if uses[name.lower()] == 1 and len(name) <= MAX_NAME else _hashed(name, path)
        for path, name in isolated.items()
    }
    return {route.path: named.get(route.path) or shared[route.path] for route in routes}


def rows(app: App, grouping: Grouping | None = None) -> tuple[manifest.Route, ...]:
    """The manifest's rows for the routes of an app; without a grouping, as they are before sizes are known."""
    grouping = grouping or Grouping(group(app.routes))
    return tuple(
        manifest.Route(
            path=route.path,
            file=route.file,
            methods=route.methods,
            runtime=route.runtime,
            declared_runtime=route.declared_runtime,
            params=route.params,
            function=grouping.names[route.path],
            max_duration=route.max_duration,
            memory=route.memory,
            max_body_size=route.max_body_size,
            reason=grouping.moved.get(route.path) or reason(route),
            revalidate=route.revalidate,
            cors=route.cors is not None,
        )
        for route in app.routes
    )


def split_name(name: str, need: str, taken: Collection[str]) -> str:
    """A name, not yet `taken`, for the part of the function `name` whose routes need the distribution `need`."""
    made = f"{name}-{_path_name(need)}"
    in_use = {other.lower() for other in taken}
    return made if made.lower() not in in_use and len(made) <= MAX_NAME else _hashed(made, f"{name} {need}")


def reason(route: Route) -> str:
    """Why a route is in the function it is in, sizes aside, for people; `manifest.Route.reason` is what was built."""
    if route.isolate:
        return "isolate = True gives it a function of its own"
    return f"routes of {route.runtime} with {route.memory} MB and {route.max_duration} s share one function"


def _shared_name(route: Route) -> str:
    defaults = DEFAULTS[route.runtime]
    name = _SHARED[route.runtime]
    if (route.memory, route.max_duration) == (defaults.memory, defaults.max_duration):
        return name
    return f"{name}-{route.memory}mb-{route.max_duration}s"


def _path_name(path: str) -> str:
    return "-".join(re.findall(r"[A-Za-z0-9]+", path)) or "root"


def _hashed(name: str, path: str) -> str:
    """The name with a mark of the path it was made from; another path could give the same name."""
    return f"{name[: MAX_NAME - 9]}-{zlib.crc32(path.encode()):08x}"
