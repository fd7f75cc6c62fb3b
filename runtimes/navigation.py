"""Raised control flow: redirects and HTTP errors from anywhere below a handler, as in `next/navigation`.

They derive from `BaseException`, so that `except Exception` around a call does not swallow a redirect.
"""

from typing import NoReturn


class Redirect(BaseException):
    """Answer with `Location: url`, verbatim. `status` is 307 or 308."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(url, status)
        self.url = url
        self.status = status


class HTTPError(BaseException):
    """Answer with an empty response of this status: 401, 403 or 404."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def redirect(url: str) -> NoReturn:
    """Answer with 307; cookies set by `cookies()` are kept."""
    raise Redirect(url, 307)


def permanent_redirect(url: str) -> NoReturn:
    """Answer with 308; cookies set by `cookies()` are kept."""
    raise Redirect(url, 308)


def not_found() -> NoReturn:
    """Answer with an empty 404; cookies set by `cookies()` are dropped."""
    raise HTTPError(404)


def forbidden() -> NoReturn:
    """Answer with an empty 403; cookies set by `cookies()` are dropped."""
    raise HTTPError(403)


def unauthorized() -> NoReturn:
    """Answer with an empty 401; cookies set by `cookies()` are dropped."""
    raise HTTPError(401)
