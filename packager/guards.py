"""Which middleware can run in front of which routes, so that it is in every function that needs it and in no other."""

from collections.abc import Iterable
from typing import Any

from infra.manifest import Middleware
from packager.model import App, Project, Route
from runtimes.patterns import compile_path

_SPECIAL = ":({\\%"


def guards(app: App, routes: Iterable[Route], *, unmatched: bool) -> tuple[Middleware, ...]:
    """The middleware in front of `routes`.

    `unmatched` says that the function also answers URLs without a route: then every middleware may run. A
    matcher's conditions (`has`, `missing`) are taken as fulfilled. The matchers must be valid.
    """
    routes = tuple(routes)
    return tuple(
        item for item in app.middleware if unmatched or any(can_meet(item, route) for route in routes)
    )


def is_rewritten(project: Project) -> bool:
    """True if the site has rewrites.

    Then each function answers URLs that are not its routes', and middleware meets a request under the URL it
    came with: all middleware may run everywhere.
    """
    site = project.settings.site
    return site is not None and bool(site.before_files or site.after_files or site.fallback)


def can_meet(item: Middleware, route: Route) -> bool:
    """True if some request for `route` may pass through the middleware."""
    folder = item.file.rpartition("/")[0]
    inside = item.scope == "/" or route.file.startswith(f"{folder}/")
    return inside and (
        item.matchers is None or any(_can_match(matcher, route.path) for matcher in item.matchers)
    )


def _can_match(matcher: Any, path: str) -> bool:
    source = matcher if isinstance(matcher, str) else matcher["source"]
    # an escape (`/caf%C3%A9`) is compared with the URL as it was sent, of which there are many for one route
    if "[" not in path and "%" not in source:
        return compile_path(source).match(path) is not None
    literal = source[: min((source.index(char) for char in _SPECIAL if char in source), default=len(source))]
    # the slash before a parameter belongs to it, and goes with an optional one
    literal, fixed = literal.rstrip("/"), path.partition("[")[0]
    return fixed.startswith(literal) or literal.startswith(fixed.rstrip("/"))
