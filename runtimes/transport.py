"""Requests that the app sends itself: what is sent, what comes back, what can go wrong.

How the bytes travel is the runtime's: nodejs uses sockets (`runtimes.sockets`); edge has none, so its host's `Send`
is in the scope of every request. Neither follows redirects, and both send and give the same.
"""

import base64
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

from runtimes.routing import resolve_dots

SEND = "packager.send"
"""Scope key: the `Send` of a runtime that has no sockets."""

type Headers = list[tuple[bytes, bytes]]
type Send = Callable[[Outgoing], Awaitable[Incoming]]
type Kind = Literal["connect", "connect-timeout", "timeout", "size", "answer"]

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*")
_PATH_SAFE = "/%!$&'()*+,:;=@[]|~"
_QUERY_SAFE = "/%!$&()*+,:;=@[]|~?`{}^\\"
# The edge's host sends these if the app does not; nodejs does the same, so that a target sees one request.
_DEFAULTS = ((b"accept", b"*/*"), (b"accept-language", b"*"), (b"user-agent", b"packager"))
_FIXED = {b"sec-fetch-mode": b"cors"}


class TransportError(Exception):
    """There is no whole answer. The text says why, for the log, and holds nothing of the URL.

    `kind` is `connect` or `connect-timeout` if the target was not reached, `timeout` if its answer came too
    late, `size` if it is too large, and `answer` if it is no valid one.
    """

    def __init__(self, reason: str, kind: Kind = "answer") -> None:
        super().__init__(reason)
        self.kind: Kind = kind


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL, spelled as the WHATWG URL standard does. `port` is None if it is the scheme's own."""

    scheme: str
    host: str
    port: int | None
    target: str
    """Path and query, ASCII."""
    authorization: bytes | None
    """The value of the header that the URL's name and password make."""

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port is None else f":{self.port}")

    @property
    def url(self) -> str:
        """Without credentials and fragment."""
        return self.origin + self.target


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to send. The sender adds Host and what says where the body ends.

    `timeout` is for the whole exchange, `idle` for each wait for the target, both in seconds; `limit` is how many
    bytes the body of the answer may have. With `decode` the answer's gzip or deflate is undone; edge always does.
    """

    method: str
    to: Destination
    headers: Headers
    body: bytes
    timeout: float | None
    limit: int
    idle: float | None = None
    decode: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole answer; the names of its headers are in lower case.

    What was decoded has no `content-encoding` and no `content-length` any more.
    """

    status: int
    headers: Headers
    body: bytes


def destination(url: str) -> Destination:
    """Read an absolute URL. Raises `TransportError` if it is none, or not http: or https:."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
        path = quote(parts.path.replace("\\", "/") or "/", safe=_PATH_SAFE)
        query = quote(parts.query, safe=_QUERY_SAFE)
    except ValueError:
        raise TransportError("it cannot be read") from None
    if parts.scheme not in ("http", "https"):
        raise TransportError("it is neither http: nor https:")
    if not _HOST.fullmatch(host):
        raise TransportError("it names no host")
    target = resolve_dots(path.encode()).decode() + ("?" + query if query else "")
    own_port = 443 if parts.scheme == "https" else 80
    return Destination(parts.scheme, host, None if port == own_port else port, target, _authorization(parts))


def _authorization(parts: SplitResult) -> bytes | None:
    if not parts.username and not parts.password:
        return None
    name, password = unquote_to_bytes(parts.username or ""), unquote_to_bytes(parts.password or "")
    return b"Basic " + base64.b64encode(name + b":" + password)


def with_defaults(headers: Headers) -> Headers:
    """The headers (names in lower case) with those that go with every request."""
    kept = [row for row in headers if row[0] not in _FIXED]
    names = {name for name, _ in kept}
    return [*kept, *_FIXED.items(), *(row for row in _DEFAULTS if row[0] not in names)]


def joined(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The rows in order of their names, one a name but for cookies, as `fetch` gives them on edge."""
    one: dict[bytes, bytes] = {}
    cookies: Headers = []
    for name, value in headers:
        if name == b"set-cookie":
            cookies.append((name, value))
        else:
            one[name] = one[name] + b", " + value if name in one else value
    return sorted(one.items()) + cookies


def sender(scope: Mapping[str, Any] | None) -> Send:
    """What sends for the request of this ASGI scope, None outside one.

    On edge nothing can be sent outside a request, as at import: raises `RuntimeError`.
    """
    by_host: Send | None = scope.get(SEND) if scope else None
    if by_host is not None:
        return by_host
    if sys.platform == "emscripten":
        raise RuntimeError(
            "nothing can be fetched outside a request on edge: do it in a handler, in middleware or in after(), "
            "not while a module is imported"
        )
    from runtimes.sockets import over_sockets  # noqa: PLC0415 - there are none on edge

    return over_sockets
