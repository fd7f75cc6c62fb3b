"""The request that handlers and middleware get: Starlette's, with what Next's has."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.datastructures import URL, Headers
from starlette.requests import Request as StarletteRequest
from starlette.types import Scope

from runtimes.cookie import RequestCookies

CDN = "packager.cdn"
"""Scope key: True if the adapter vouches for the CDN's viewer headers."""
ORIGIN = "packager.origin"
"""Scope key: scheme and host at which the platform takes requests for the app, if the adapter knows them."""
VIEWER_ORIGIN = "packager.viewer_origin"
"""Scope key: scheme and host that the client asked, if the CDN vouches for them: one of its own names."""
EXPLAINER = "packager.explainer"
"""In the scope while somebody develops: makes the response to an uncaught exception of a place in the project."""
OVERSIZED = "packager.oversized"
"""Scope key: True if the adapter left the body out, because it is larger than any route takes."""
PUBLIC_URL = "packager.public_url"
"""Scope key: scheme and host under which the app is known, if the project says so."""


class BadJSONError(json.JSONDecodeError):
    """The body is not JSON; uncaught, it is answered with 400."""


@dataclass(frozen=True, slots=True)
class Geo:
    """Where the viewer is, as the CDN says; every field is None without a CDN."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    latitude: str | None = None
    longitude: str | None = None


class Request(StarletteRequest):
    """A Starlette request whose `cookies` can be changed, with `text()`, `geo` and `ip`."""

    @property
    def url(self) -> URL:
        """The URL with escapes and query as sent; after a rewrite, the new one."""
        if not hasattr(self, "_url"):
            self._url = URL(raw_url(self.scope))
        return self._url

    @property
    def cookies(self) -> RequestCookies:
        """Names and decoded values. A change in middleware is seen by later middleware and the handler."""
        if not hasattr(self, "_request_cookies"):
            self.headers  # noqa: B018  (makes scope["headers"] the list that the view shares)
            self._request_cookies = RequestCookies(self.scope["headers"])
        return self._request_cookies

    @property
    def ip(self) -> str | None:
        """The viewer's address: the peer's, or what the CDN vouches for."""
        if self.scope.get(CDN) and (address := self.headers.get("cloudfront-viewer-address")):
            return address.rpartition(":")[0].strip("[]")
        return self.client.host if self.client else None

    @property
    def geo(self) -> Geo:
        """Where the viewer is. Source: CloudFront's viewer headers."""
        if not self.scope.get(CDN):
            return Geo()
        return Geo(
            country=self._viewer("country"),
            region=self._viewer("country-region"),
            city=self._viewer("city"),
            latitude=self._viewer("latitude"),
            longitude=self._viewer("longitude"),
        )

    def _viewer(self, name: str) -> str | None:
        value = self.headers.get(f"cloudfront-viewer-{name}")
        return None if value is None else unquote_to_bytes(value).decode("utf-8", "replace")

    async def text(self) -> str:
        """The body as UTF-8; bytes that are not become U+FFFD."""
        return (await self.body()).decode("utf-8", "replace").removeprefix("\ufeff")

    async def json(self) -> Any:
        """The body as JSON (RFC 8259: no NaN or Infinity; a BOM is skipped). Raises `json.JSONDecodeError`."""
        if not hasattr(self, "_json"):
            self._json = parse_json(await self.body())
        return self._json


def parse_json(body: bytes) -> Any:
    """Strict JSON of UTF-8 bytes. Raises `BadJSONError`."""
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise BadJSONError(error.msg, error.doc, error.pos) from None
    except RecursionError:
        raise BadJSONError("Nested too deeply", "", 0) from None
    except ValueError as error:
        raise BadJSONError(str(error), "", 0) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def raw_url(scope: Scope) -> str:
    """The absolute URL of a scope, escapes and query as sent.

    Scheme and host are those of `[tool.packager] public_url` if there is one, else the request's own.
    """
    path = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    target = f"{path}?{query}" if query else path
    if public := scope.get(PUBLIC_URL):
        return f"{public}{target}"
    host = Headers(scope=scope).get("host")
    if not host:
        name, port = scope.get("server") or ("localhost", None)
        host = name if port in (None, 80, 443) else f"{name}:{port}"
    return f"{scope.get('scheme', 'http')}://{host}{target}"
