"""`cors = {…}` of a route: the preflight's answer and the headers of actual requests (Fetch standard, §3.2)."""

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
    if "*" not in cors.origins:
        target.add_vary_header("Origin")
    origin = headers.get("origin")
    if origin is None or not _allowed(cors, origin):
        return
    target["access-control-allow-origin"] = "*" if "*" in cors.origins else origin
    if cors.credentials:
        target["access-control-allow-credentials"] = "true"


def _allowed(cors: Cors, origin: str) -> bool:
    return "*" in cors.origins or origin in cors.origins
