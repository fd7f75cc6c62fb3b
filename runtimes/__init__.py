"""What a route module imports: `from runtimes import Request, Response`."""

from runtimes.context import after, cookies, headers
from runtimes.navigation import forbidden, not_found, permanent_redirect, redirect, unauthorized
from runtimes.requests import Geo, Request
from runtimes.responses import Response

__all__ = [
    "Geo",
    "Request",
    "Response",
    "after",
    "cookies",
    "forbidden",
    "headers",
    "not_found",
    "permanent_redirect",
    "redirect",
    "unauthorized",
]
