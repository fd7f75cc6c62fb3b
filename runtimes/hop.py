"""The way from one function of the app to another, for a request whose rewritten URL the other one serves."""

import logging
import os

from runtimes.requests import ORIGIN, VIEWER_ORIGIN, Request
from runtimes.transport import Headers

ORIGIN_VARIABLE = "PACKAGER_ORIGIN"
"""The environment variable with the scheme and host of the app where it is emulated."""

logger = logging.getLogger("runtimes")


def destination(request: Request, public_url: str | None, *, in_api: bool) -> tuple[str, Headers] | None:
    """The request's URL at the app's own origin, which never is what the client calls it, and headers to send along.

    Behind the CDN the API takes only what has the CDN's key. Where the other function is in the API (`in_api`), it
    is asked there, in the CDN's name, so that it sees the same viewer; else through the CDN. None and a line in the
    log if no origin is known.
    """
    scope = request.scope
    origin, headers = _way(request, public_url, in_api=in_api)
    if origin is None:
        logger.error("no origin to forward to is known: set [tool.packager] public_url")
        return None
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    if origin == scope.get(ORIGIN):
        # An HTTP API decodes a path before it chooses the function: `%2F` would be a slash, and lead back here.
        path = path.replace("%", "%25")
    return f"{origin}{path}{'?' + query if query else ''}", headers


def _way(request: Request, public_url: str | None, *, in_api: bool) -> tuple[str | None, Headers]:
    if emulated := os.environ.get(ORIGIN_VARIABLE):
        return emulated, []
    scope = request.scope
    api: str | None = scope.get(ORIGIN)
    if api and in_api:
        from runtimes import origin_key  # noqa: PLC0415 - in no edge artifact, whose functions know no API

        if origin_key.KEY:
            host = request.headers.get("host", "")
            return api, origin_key.passport(origin_key.KEY, scope["raw_path"], host)
    return public_url or scope.get(VIEWER_ORIGIN) or api, []
