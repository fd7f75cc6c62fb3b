"""`cors = {…}` of a route: the preflight's answer and the headers of actual requests (Fetch standard, §3.2)."""

import functools
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response as StarletteResponse

from runtimes.responses import Response
from runtimes.table import Cors


def is_preflight(method: str, headers: Headers) -> bool:
    """True if a browser asks whether it may send another request."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def preflight(cors: Cors, headers: Headers, methods: Iterable[str]) -> Response:
    """The answer to a preflight: 204; `methods` are the route's, for a `cors` that lists none."""
    response = Response(None, 204)
    if _allowed(cors, headers["origin"]):
        response.headers["access-control-allow-methods"] = ", ".join(cors.methods or methods)
        asked = headers.get("access-control-request-headers")
        if cors.headers is not None:
            response.headers["access-control-allow-headers"] = ", ".join(cors.headers)
        elif asked:
            response.headers["access-control-allow-headers"] = asked
            response.headers.add_vary_header("Access-Control-Request-Headers")
        if cors.max_age is not None:
            response.headers["access-control-max-age"] = str(cors.max_age)
    apply(cors, headers, response)
    return response


def apply(cors: Cors, headers: Headers, response: StarletteResponse) -> None:
    """Put the permission, if the origin has one, on a response; a handler's own headers are replaced."""
    target = MutableHeaders(raw=response.raw_headers)
    # An answer that another function gave for the same route says so already.
    if "*" not in cors.origins and "origin" not in target.get("vary", "").lower().split(", "):
        target.add_vary_header("Origin")
    origin = headers.get("origin")
    if origin is None or not _allowed(cors, origin):
        return
    target["access-control-allow-origin"] = "*" if "*" in cors.origins else origin
    if cors.credentials:
        target["access-control-allow-credentials"] = "true"


def _allowed(cors: Cors, origin: str) -> bool:
    return "*" in cors.origins or origin in cors.origins or _allows_pattern(cors.origins, origin)


def _allows_pattern(origins: tuple[str, ...], origin: str) -> bool:
    """Whether an origin fits a pattern such as `https://*.shop.example`.

    A `*` is exactly one label of the host, as in a TLS certificate (RFC 9525, §6.3):
    `https://eu.shop.example` fits, `https://shop.example` and `https://a.b.shop.example` do not.
    Scheme, port and every other label have to be equal.
    """
    pattern = _compiled(origins)
    return pattern is not None and pattern.fullmatch(origin) is not None


@functools.cache
def _compiled(origins: tuple[str, ...]) -> re.Pattern[str] | None:
    patterns = [re.escape(origin).replace(r"\*", "[A-Za-z0-9_-]+") for origin in origins if "*" in origin]
    return re.compile("|".join(patterns)) if patterns else None
