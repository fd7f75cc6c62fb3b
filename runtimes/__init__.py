"""What a route module imports: `from runtimes import Request, Response`.

A name is imported from its module when it is first asked for, so that the tool can read a route table or
compile a matcher without Starlette.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtimes.client import FetchError, FetchResponse, FetchTimeoutError, fetch
    from runtimes.context import after, cookies, headers
    from runtimes.navigation import forbidden, not_found, permanent_redirect, redirect, unauthorized
    from runtimes.requests import Geo, Request
    from runtimes.responses import Response
    from runtimes.restored import after_restore
    from runtimes.shutdown import on_shutdown
    from runtimes.signature import content_type, status

__all__ = [
    "FetchError",
    "FetchResponse",
    "FetchTimeoutError",
    "Geo",
    "Request",
    "Response",
    "after",
    "after_restore",
    "content_type",
    "cookies",
    "fetch",
    "forbidden",
    "headers",
    "not_found",
    "on_shutdown",
    "permanent_redirect",
    "redirect",
    "status",
    "unauthorized",
]

_HOMES = {
    **dict.fromkeys(("FetchError", "FetchResponse", "FetchTimeoutError", "fetch"), "runtimes.client"),
    **dict.fromkeys(("after", "cookies", "headers"), "runtimes.context"),
    **dict.fromkeys(
        ("forbidden", "not_found", "permanent_redirect", "redirect", "unauthorized"), "runtimes.navigation"
    ),
    **dict.fromkeys(("Geo", "Request"), "runtimes.requests"),
    "Response": "runtimes.responses",
    "after_restore": "runtimes.restored",
    "on_shutdown": "runtimes.shutdown",
    **dict.fromkeys(("content_type", "status"), "runtimes.signature"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
