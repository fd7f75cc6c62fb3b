"""The proxy hop: a function forwards a request whose rewritten URL another function or another origin serves.

What is sent and what is taken from the answer is decided here, once for both runtimes. How the bytes travel is
not: nodejs uses `http.client` in a thread; edge has no sockets, so its host's `Fetch` is in the scope.
"""

import asyncio
import base64
import contextlib
import functools
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

from starlette.requests import Request
from starlette.responses import Response as StarletteResponse

from runtimes.responses import BODILESS_STATUSES, Response
from runtimes.routing import resolve_dots

if TYPE_CHECKING:
    import http.client
    import ssl

logger = logging.getLogger("runtimes")

FETCH = "packager.fetch"
"""Scope key: the `Fetch` of a runtime that has no sockets."""
TIMEOUT = 25
"""Seconds for a whole hop: less than the 30 after which API Gateway and CloudFront answer themselves."""
MAX_ANSWER = 6 * 2**20
"""Bytes that the body of an answer may have: what a Lambda function can answer."""
MAX_HOPS = 4
"""How often one request is forwarded."""

type Headers = list[tuple[bytes, bytes]]
type Fetch = Callable[[Outgoing], Awaitable[Incoming]]

_HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    )
)
_INTERNAL = (b"x-middleware-", b"x-packager-")
_MADE_ANEW = frozenset((b"cdn-loop", b"content-length", b"expect", b"host"))
# `fetch` would decode what is encoded, says `cors` whatever the client's mode was, and fills in what is missing; nodejs
# does the same, so that a target sees one request.
_FIXED = {b"accept-encoding": b"identity", b"sec-fetch-mode": b"cors"}
_DEFAULTS = ((b"accept", b"*/*"), (b"accept-language", b"*"), (b"user-agent", b"packager"))
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*")
_PATH_SAFE = "/%!$&'()*+,:;=@[]|~"
_QUERY_SAFE = "/%!$&()*+,:;=@[]|~?`{}^\\"
_LISTED = re.compile(rb'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_OWN_ENTRY = re.compile(rb"packager[ \t]*(?:;.*)?", re.DOTALL)
_HOPS = re.compile(rb';[ \t]*hops="?(\d{1,9})')


class ForwardError(Exception):
    """There is no answer that can be passed on. The text is for the log and holds nothing of the URL."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL, spelled as the WHATWG URL standard does. `port` is None if it is the scheme's own."""

    scheme: str
    host: str
    port: int | None
    target: str
    """Path and query, ASCII."""
    credentials: bytes | None
    """`name:password`."""

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port is None else f":{self.port}")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to send. The sender adds Host and what says where the body ends."""

    method: str
    to: Destination
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """A whole answer, as it came."""

    status: int
    headers: Headers
    body: bytes


async def forward(request: Request, url: str, send_headers: Headers) -> StarletteResponse:
    """Send the request's method, headers and body to `url`; the answer comes back, redirects too.

    `send_headers` (names in lower case) are sent as well and replace the request's own of the same names;
    `x-middleware-*` and `x-packager-*` go out only this way. Credentials in `url` become `Authorization`. GET and
    HEAD are sent without content, which `fetch` refuses for them. Every other header is sent on to other origins
    too, `Cookie` and `Authorization` included, as Next does; middleware removes what the target must not see.

    Raises nothing: 508 if `CDN-Loop` counts `MAX_HOPS` hops, 502 and a line in the log for want of an answer. A
    target that encodes in spite of `Accept-Encoding: identity` is passed on encoded by nodejs, decoded by edge.
    """
    hops, others = _loop(request.scope["headers"])
    if hops >= MAX_HOPS:
        return Response.json({"error": "Loop Detected"}, 508)
    origin = "a URL"
    try:
        to = _destination(url)
        origin = to.origin
        headers = _request_headers(request.scope["headers"], send_headers, to.credentials)
        headers.append((b"cdn-loop", b", ".join([*others, b"packager; hops=%d" % (hops + 1)])))
        body = b"" if request.method in ("GET", "HEAD") else await request.body()
        fetch: Fetch = request.scope.get(FETCH, over_sockets)
        return _response(request.method, await fetch(Outgoing(request.method, to, headers, body)))
    except ForwardError as error:
        logger.error("forwarding to %s failed: %s", origin, error)
        return Response.json({"error": "Bad Gateway"}, 502)


def _loop(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, list[bytes]]:
    """The hops so far and the entries of others in `CDN-Loop` (RFC 8586, §2)."""
    values = [value for name, value in headers if name == b"cdn-loop"]
    entries = [entry.strip() for value in values for entry in _LISTED.findall(value) if entry.strip()]
    own = [entry for entry in entries if _OWN_ENTRY.fullmatch(entry)]
    counts = [int(found[1]) if (found := _HOPS.search(entry)) else 1 for entry in own]
    return max(counts, default=0), [entry for entry in entries if entry not in own]


def _destination(url: str) -> Destination:
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
        path = quote(parts.path.replace("\\", "/") or "/", safe=_PATH_SAFE)
        query = quote(parts.query, safe=_QUERY_SAFE)
    except ValueError:
        raise ForwardError("it cannot be read") from None
    if parts.scheme not in ("http", "https"):
        raise ForwardError("it is neither http: nor https:")
    if not _HOST.fullmatch(host):
        raise ForwardError("it names no host")
    target = resolve_dots(path.encode()).decode() + ("?" + query if query else "")
    own_port = 443 if parts.scheme == "https" else 80
    return Destination(parts.scheme, host, None if port == own_port else port, target, _credentials(parts))


def _credentials(parts: SplitResult) -> bytes | None:
    if not parts.username and not parts.password:
        return None
    return unquote_to_bytes(parts.username or "") + b":" + unquote_to_bytes(parts.password or "")


def _request_headers(headers: Headers, send_headers: Headers, credentials: bytes | None) -> Headers:
    sent = {**dict(send_headers), **_FIXED}
    if credentials is not None:
        sent.setdefault(b"authorization", b"Basic " + base64.b64encode(credentials))
    kept = [row for row in _end_to_end(headers) if row[0] not in _MADE_ANEW and row[0] not in sent]
    names = {name for name, _ in kept} | sent.keys()
    return [*kept, *sent.items(), *(row for row in _DEFAULTS if row[0] not in names)]


def _end_to_end(headers: Headers) -> Headers:
    """Without what is meant for one connection (RFC 9110, §7.6.1) or for this tool alone."""
    options = b",".join(value for name, value in headers if name == b"connection").lower().split(b",")
    own = _HOP_BY_HOP.union(option.strip() for option in options)
    return [row for row in headers if row[0] not in own and not row[0].startswith(_INTERNAL)]


def _response(method: str, answer: Incoming) -> StarletteResponse:
    """The answer for the client: names in lower case and in order, one row a name but for cookies."""
    if not 200 <= answer.status <= 599:
        raise ForwardError(f"it answered with the status {answer.status}")
    joined: dict[bytes, bytes] = {}
    cookies: Headers = []
    for name, value in _end_to_end([(name.lower(), value) for name, value in answer.headers]):
        if b"\r" in value or b"\n" in value or b"\0" in value:
            raise ForwardError("it answered with a line break in a header")
        if name == b"set-cookie":
            cookies.append((name, value))
        else:
            joined[name] = joined[name] + b", " + value if name in joined else value
    body = b"" if method == "HEAD" or answer.status in BODILESS_STATUSES else answer.body
    if method != "HEAD":
        joined.pop(b"content-length", None)
        if answer.status not in BODILESS_STATUSES:
            joined[b"content-length"] = str(len(body)).encode()
    response = StarletteResponse(body, answer.status)
    response.raw_headers = sorted(joined.items()) + cookies
    return response


async def over_sockets(outgoing: Outgoing) -> Incoming:
    """Send by `http.client`. Raises `ForwardError`; the thread and the connection end with the call."""
    # Not the loop's own pool: requests that wait there for an answer could leave no thread to the handler
    # that gives it, if one process serves both.
    pool = ThreadPoolExecutor(1, "proxy-hop")
    opened: list[socket.socket] = []
    try:
        async with asyncio.timeout(TIMEOUT):
            work = functools.partial(_exchange, outgoing, opened)
            return await asyncio.get_running_loop().run_in_executor(pool, work)
    except TimeoutError:
        raise ForwardError(f"there was no whole answer after {TIMEOUT} seconds") from None
    finally:
        pool.shutdown(wait=False)
        for connected in opened:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


def _exchange(outgoing: Outgoing, opened: list[socket.socket]) -> Incoming:
    """Send and read, blocking. `opened` gets the socket, so that it can be shut from outside."""
    import http.client  # noqa: PLC0415 - the edge imports this module too and needs no client

    try:
        with contextlib.closing(_connection(outgoing.to)) as connection:
            connection.connect()
            opened.append(connection.sock)
            _send(connection, outgoing)
            with connection.getresponse() as answer:
                body = answer.read(MAX_ANSWER + 1)
                if len(body) > MAX_ANSWER:
                    raise ForwardError(f"its answer is larger than {MAX_ANSWER} bytes")
                if answer.length:
                    raise ForwardError("it broke off its answer")
                rows = [
                    (name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders()
                ]
                return Incoming(answer.status, rows, body)
    except OSError as error:
        raise ForwardError(error.strerror or type(error).__name__) from None
    except (http.client.HTTPException, ValueError) as error:
        raise ForwardError(f"it gave no valid answer ({type(error).__name__})") from None


def _connection(to: Destination) -> "http.client.HTTPConnection":
    import http.client  # noqa: PLC0415 - as above

    if to.scheme == "https":
        return http.client.HTTPSConnection(to.host, to.port, timeout=TIMEOUT, context=_tls())
    return http.client.HTTPConnection(to.host, to.port, timeout=TIMEOUT)


@functools.cache
def _tls() -> "ssl.SSLContext":
    import ssl  # noqa: PLC0415 - most apps forward nothing

    return ssl.create_default_context()


def _send(connection: "http.client.HTTPConnection", outgoing: Outgoing) -> None:
    connection.putrequest(outgoing.method, outgoing.to.target, skip_accept_encoding=True)
    for name, value in outgoing.headers:
        connection.putheader(name, value)
    connection.putheader("connection", "close")
    if outgoing.body or outgoing.method in ("POST", "PUT", "PATCH", "QUERY"):
        connection.putheader("content-length", str(len(outgoing.body)))
    connection.endheaders(outgoing.body or None)
