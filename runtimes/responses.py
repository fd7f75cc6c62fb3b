"""The response that handlers and middleware return: Starlette's, with what Next's has."""

import json
from collections.abc import Mapping
from typing import Any, Self

from starlette.background import BackgroundTask
from starlette.datastructures import URL
from starlette.responses import Response as StarletteResponse

from runtimes.cookie import ResponseCookies

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
BODILESS_STATUSES = frozenset({204, 205, 304})


# made once: `json.dumps` with any option makes an encoder at each call
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def to_json(data: Any) -> bytes:
    """Compact UTF-8 JSON. Raises `TypeError` or `ValueError` for what JSON has no form for."""
    return _encode(data).encode()


class Response(StarletteResponse):
    """A Starlette response with `cookies` and Next's constructors.

    `content` is `str` (`text/plain; charset=utf-8` unless a type is given), `bytes` (no type) or None.
    """

    def __init__(
        self,
        content: str | bytes | memoryview | None = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        if media_type is None and isinstance(content, str):
            media_type = "text/plain"
        super().__init__(content, status_code, headers, media_type, background)

    @classmethod
    def json(cls, data: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        """JSON, as compact UTF-8. `headers` may name another content type."""
        return cls(to_json(data), status_code, headers, "application/json")

    @classmethod
    def redirect(
        cls, url: str | URL, status_code: int = 307, headers: Mapping[str, str] | None = None
    ) -> Self:
        """An empty answer with `Location: url`, verbatim. Raises `ValueError` for another status."""
        if status_code not in REDIRECT_STATUSES:
            raise ValueError(f"{status_code} is not a redirect status: use 301, 302, 303, 307 or 308")
        return cls(None, status_code, {**(headers or {}), "location": str(url)})

    @staticmethod
    def next(
        headers: Mapping[str, str] | None = None, request_headers: Mapping[str, str] | None = None
    ) -> "NextResponse":
        """Only in middleware: go on.

        `headers` go onto the final response; `request_headers` replace the whole set that the handler sees.
        """
        return NextResponse(headers, request_headers)

    @staticmethod
    def rewrite(
        url: str | URL,
        headers: Mapping[str, str] | None = None,
        request_headers: Mapping[str, str] | None = None,
    ) -> "RewriteResponse":
        """Only in middleware: go on with another URL. Raises `ValueError` if it is not absolute."""
        return RewriteResponse(str(url), headers, request_headers)

    @property
    def cookies(self) -> ResponseCookies:
        """The cookies that this response sets."""
        return ResponseCookies(self.raw_headers)


class NextResponse(Response):
    """What `Response.next()` gives; never sent itself."""

    def __init__(
        self, headers: Mapping[str, str] | None = None, request_headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(None, 200, headers)
        self.request_headers = None if request_headers is None else _flat(request_headers)
        # these describe no body of their own, and must not replace the handler's
        self.raw_headers = [row for row in self.raw_headers if row[0] != b"content-length"]


class RewriteResponse(NextResponse):
    """What `Response.rewrite()` gives; never sent itself."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        request_headers: Mapping[str, str] | None = None,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(
                f"a rewrite needs an absolute URL, not {url!r}: use str(request.url.replace(path=…))"
            )
        super().__init__(headers, request_headers)
        self.url = url


def _flat(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
