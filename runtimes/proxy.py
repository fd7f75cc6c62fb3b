"""The proxy hop: a function forwards a request whose rewritten URL another function or another origin serves.

What is sent and what is taken from the answer is decided here, once for both runtimes; `runtimes.transport` sends.
"""

import logging
import re
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response as StarletteResponse

from runtimes import transport
from runtimes.responses import BODILESS_STATUSES, Response
from runtimes.transport import Headers, Incoming, Outgoing, TransportError

logger = logging.getLogger("runtimes")

TIMEOUT = 25
"""Seconds for a whole hop: less than the 30 after which API Gateway and CloudFront answer themselves."""
MAX_ANSWER = 6 * 2**20
"""Bytes that the body of an answer may have: what a Lambda function can answer."""
MAX_HOPS = 4
"""How often one request is forwarded."""

_HOP_BY_HOP = frozenset(
    (
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    )
)
_INTERNAL = (b"x-middleware-", b"x-packager-")
_MADE_ANEW = frozenset((b"cdn-loop", b"content-length", b"expect", b"host"))
# The edge's host would decode what is encoded.
_FIXED = {b"accept-encoding": b"identity"}
_LISTED = re.compile(rb'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_OWN_ENTRY = re.compile(rb"packager[ \t]*(?:;.*)?", re.DOTALL)
_HOPS = re.compile(rb';[ \t]*hops="?(\d{1,9})')


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
        to = transport.destination(url)
        origin = to.origin
        headers = _request_headers(request.scope["headers"], send_headers, to.authorization)
        headers.append((b"cdn-loop", b", ".join([*others, b"packager; hops=%d" % (hops + 1)])))
        body = b"" if request.method in ("GET", "HEAD") else await request.body()
        outgoing = Outgoing(request.method, to, headers, body, TIMEOUT, MAX_ANSWER)
        return _response(request.method, await transport.sender(request.scope)(outgoing))
    except TransportError as error:
        logger.error("forwarding to %s failed: %s", origin, error)
        return Response.json({"error": "Bad Gateway"}, 502)


def _loop(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, list[bytes]]:
    """The hops so far and the entries of others in `CDN-Loop` (RFC 8586, §2)."""
    values = [value for name, value in headers if name == b"cdn-loop"]
    entries = [entry.strip() for value in values for entry in _LISTED.findall(value) if entry.strip()]
    own = [entry for entry in entries if _OWN_ENTRY.fullmatch(entry)]
    counts = [int(found[1]) if (found := _HOPS.search(entry)) else 1 for entry in own]
    return max(counts, default=0), [entry for entry in entries if entry not in own]


def _request_headers(headers: Headers, send_headers: Headers, authorization: bytes | None) -> Headers:
    sent = {**dict(send_headers), **_FIXED}
    if authorization is not None:
        sent.setdefault(b"authorization", authorization)
    kept = [row for row in _end_to_end(headers) if row[0] not in _MADE_ANEW and row[0] not in sent]
    return transport.with_defaults([*kept, *sent.items()])


def _end_to_end(headers: Headers) -> Headers:
    """Without what is meant for one connection (RFC 9110, §7.6.1) or for this tool alone."""
    options = b",".join(value for name, value in headers if name == b"connection").lower().split(b",")
    own = _HOP_BY_HOP.union(option.strip() for option in options)
    return [row for row in headers if row[0] not in own and not row[0].startswith(_INTERNAL)]


def _response(method: str, answer: Incoming) -> StarletteResponse:
    """The answer for the client."""
    if not 200 <= answer.status <= 599:
        raise TransportError(f"it answered with the status {answer.status}")
    rows = transport.joined(_end_to_end(answer.headers))
    if any(byte in value for _, value in rows for byte in b"\r\n\0"):
        raise TransportError("it answered with a line break in a header")
    body = b"" if method == "HEAD" or answer.status in BODILESS_STATUSES else answer.body
    if method != "HEAD":
        rows = [row for row in rows if row[0] != b"content-length"]
        if answer.status not in BODILESS_STATUSES:
            rows = transport.joined([*rows, (b"content-length", str(len(body)).encode())])
    response = StarletteResponse(body, answer.status)
    response.raw_headers = rows
    return response
