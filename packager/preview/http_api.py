"""The HTTP API: finds the route of a request by its key, and the function that the route leads to.

Source: API Gateway Developer Guide, "Routing API requests": of the routes that match, a full match comes before one
with a greedy variable, that of the request's own method before ANY, the more specific before the less, `$default` last.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from packager.preview.http import Arrival, Backend, Receive, Send, message_answer, send_answer
from packager.preview.template import Place
from packager.preview.topology import FunctionConfig, HttpApi, RouteKey
from packager.traffic.trace import current

DEFAULT_KEY = "$default"


@dataclass(frozen=True, slots=True)
class Found:
    """A route that matches, with its variables."""

    route: RouteKey
    params: dict[str, str]


class HttpApiFront:
    """Serves what comes to the API. `backends` serve its functions by their place."""

    def __init__(
        self, api: HttpApi, functions: Mapping[Place, FunctionConfig], backends: Mapping[Place, Backend]
    ) -> None:
        self.host = api.host
        self._routes = tuple(_Pattern.of(route) for route in api.routes)
        self._default = next((route for route in api.routes if route.key == DEFAULT_KEY), None)
        self._functions = functions
        self._backends = backends

    async def serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Answer one request; 404 as the API spells it if no route matches."""
        found = self.match(arrival.method, arrival.raw_path)
        if found is None:
            current().matched = False
            await send_answer(send, message_answer(404, "Not Found"), arrival.method)
            return
        function = self._functions[found.route.function]
        trace = current()
        trace.function, trace.matched = function.label, found.route.key != DEFAULT_KEY
        trace.runtime = "nodejs" if function.is_python else "edge"
        routed = dataclasses.replace(arrival, route_key=found.route.key, params=found.params)
        await self._backends[function.place].serve(routed, receive, send)

    def match(self, method: str, raw_path: bytes) -> Found | None:
        """The route of a request, whose path is decoded once as the API does before it chooses."""
        path = unquote_to_bytes(raw_path).decode("utf-8", "replace")
        parts = path.removeprefix("/").split("/") if path != "/" else []
        matching = [(row.rank(method), row) for row in self._routes if row.matches(method, parts)]
        if matching:
            _, best = min(matching, key=lambda item: item[0])
            return Found(best.route, dict(best.values(parts)))
        return Found(self._default, {}) if self._default else None


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A route key in its parts: a text, or a name for any one segment, or `greedy` for all that follow."""

    route: RouteKey
    method: str
    parts: tuple[str, ...]
    greedy: str | None

    @classmethod
    def of(cls, route: RouteKey) -> "_Pattern":
        method, _, path = route.key.partition(" ")
        parts = tuple(part for part in path.split("/") if part)
        if parts and parts[-1].endswith("+}"):
            return cls(route, method, parts[:-1], parts[-1][1:-2])
        return cls(route, method, parts, None)

    def matches(self, method: str, parts: list[str]) -> bool:
        if self.method == DEFAULT_KEY or self.method not in ("ANY", method):
            return False
        if len(parts) <= len(self.parts) if self.greedy else len(parts) != len(self.parts):
            return False
        pairs = zip(self.parts, parts, strict=False)
        return all(got != "" if want[0] == "{" else want == got for want, got in pairs)

    def rank(self, method: str) -> tuple[object, ...]:
        """The lower, the more specific."""
        variables = tuple(part[0] == "{" for part in self.parts)
        return (self.greedy is not None, -len(self.parts), variables, self.method != method)

    def values(self, parts: list[str]) -> Iterator[tuple[str, str]]:
        for want, got in zip(self.parts, parts, strict=False):
            if want[0] == "{":
                yield want[1:-1], got
        if self.greedy:
            yield self.greedy, "/".join(parts[len(self.parts) :])
