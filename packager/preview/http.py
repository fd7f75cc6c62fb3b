"""The values of one HTTP exchange, and the ways an answer leaves."""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

type Headers = tuple[tuple[bytes, bytes], ...]
"""Pairs in the order sent; names in lower case."""

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Log = Callable[[str], None]

HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
"""Header fields of one connection, never handed on (RFC 9110 §7.6.1)."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came in, without its body. `raw_path` and `query` are as sent.

    `route_key` is the HTTP API's for the route that matched, `params` its variables.
    """

    method: str
    raw_path: bytes
    query: bytes
    headers: Headers
    client: tuple[str, int]
    http_version: str
    route_key: str = "$default"
    params: Mapping[str, str | list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: Headers
    body: bytes


class Backend(Protocol):
    """What serves one function."""

    async def serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Answer the request, whose body comes from `receive`."""

    def start(self) -> None:
        """Warm up in the background."""

    async def close(self) -> None:
        """End every process."""


def message_answer(status: int, message: str) -> Answer:
    """The gateway's own answer: `{"message": …}`, as API Gateway spells it."""
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    return Answer(status, ((b"content-type", b"application/json"),), body)


def has_no_body(method: str, status: int) -> bool:
    """Whether the response is only a head (RFC 9110 §6.4.1)."""
    return method == "HEAD" or status in (204, 304)


def response_headers(headers: Headers, status: int) -> list[tuple[bytes, bytes]]:
    """Without the fields of the inner connection; 204 and 304 lose `content-length` too."""
    bodiless = status in (204, 304)
    return [
        (name, value)
        for name, value in headers
        if name not in HOP_BY_HOP and not (bodiless and name == b"content-length")
    ]


async def send_answer(send: Send, answer: Answer, method: str) -> None:
    """Send it with the one right `content-length`; HEAD keeps the function's own."""
    headers = response_headers(answer.headers, answer.status)
    if method != "HEAD" or answer.body:
        headers = [pair for pair in headers if pair[0] != b"content-length"]
        if answer.status not in (204, 304):
            headers.append((b"content-length", str(len(answer.body)).encode()))
    body = b"" if has_no_body(method, answer.status) else answer.body
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
