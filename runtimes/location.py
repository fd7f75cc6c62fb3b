"""Where a request ends: the route table, with the site's base path and rewrites around it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtimes.chain import Subject, derive
from runtimes.requests import Request
from runtimes.routing import BadPathError, Match, Router, canonical, resolve_dots
from runtimes.table import RouteEntry

if TYPE_CHECKING:
    from runtimes.site import CompiledSite


@dataclass(slots=True)  # frozen ones take three times as long to make, and each request makes one
class Place:
    """The route that a request ends at, None without one, and the request as the handler gets it.

    `url` is set instead if a rewrite leads to another host.
    """

    request: Request
    match: Match[RouteEntry] | None
    url: str | None = None


class Locator:
    """Finds places. `rules` is None without base path, trailing slashes and rewrites."""

    def __init__(self, routes: Iterable[RouteEntry], rules: "CompiledSite | None") -> None:
        self._router = Router((entry.path, entry) for entry in routes)
        self._rules = rules

    def exact(self, raw_path: bytes) -> Match[RouteEntry] | None:
        """The route without parameters at a path, where no rule of the site can lead elsewhere."""
        return self._router.exact(raw_path) if self._rules is None else None

    def canonical(self, raw_path: bytes) -> bytes:
        """The path that a request is redirected to, if it is another one."""
        if self._rules is None:
            return canonical(raw_path)
        from runtimes import site  # noqa: PLC0415 - only where there are rules, here and below

        return site.canonical(self._rules, raw_path)

    def find(self, request: Request) -> Place:
        """Where the request ends. Raises `BadPathError` if a parameter of the route cannot be decoded."""
        raw_path = resolve_dots(request.scope["raw_path"])
        if self._rules is None:
            return Place(request, self._router.match(raw_path))
        from runtimes import site  # noqa: PLC0415

        start = site.Rewrite(raw_path.decode("latin-1"), request.scope["query_string"].decode("latin-1"))
        end, match = site.resolve(self._rules, start, Subject(request), self._router.match, _is_static)
        if end == start:
            return Place(request, match)
        if end.origin:
            return Place(request, None, end.origin + end.path + ("?" + end.query if end.query else ""))
        if not hasattr(request.state, "original_url"):
            request.state.original_url = str(request.url)
        moved = derive(request, path=end.path.encode("latin-1"), query=end.query.encode("latin-1"))
        return Place(moved, match)

    def function_of(self, raw_path: bytes) -> str | None:
        """The function whose route a path is, rewrites aside; None if it is nobody's."""
        path: bytes | None = resolve_dots(raw_path)
        if self._rules is not None and path is not None:
            from runtimes import site  # noqa: PLC0415

            path = site.strip_base(self._rules, path)
        try:
            match = None if path is None else self._router.match(canonical(path))
        except BadPathError:
            return None
        return match.value.function if match else None


def _is_static(match: Match[RouteEntry] | None) -> bool:
    return match is not None and "[" not in match.value.path
