"""`fetch`: requests of a handler's own, the same on both runtimes.

Redirects, headers and limits are decided here; `runtimes.transport` sends. Redirects are followed as the Fetch standard
says (§4.4, HTTP-redirect fetch).
"""

import asyncio
import json as jsonlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urljoin

from starlette.datastructures import URL
from starlette.datastructures import Headers as ResponseHeaders

from runtimes import context, transport
from runtimes.responses import to_json
from runtimes.transport import Headers, Incoming, Outgoing, TransportError

MAX_BYTES = 10 * 2**20
"""Bytes that the body of an answer may have, unless the call says otherwise."""
MAX_REDIRECTS = 20

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_OF_THE_CONNECTION = frozenset(
    (
        *(
            "accept-encoding",
            "connection",
            "content-length",
            "expect",
            "host",
            "keep-alive",
            "proxy-connection",
        ),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
_OF_THE_BODY = (b"content-encoding", b"content-language", b"content-location", b"content-type")
_OF_THE_ORIGIN = (b"authorization", b"cookie", b"proxy-authorization")


class FetchError(Exception):
    """There is no answer. `reason` says why; it names the origin asked, and nothing else of the URL."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FetchTimeoutError(FetchError, TimeoutError):
    """The whole answer was not there in time."""


@dataclass(frozen=True, slots=True)
class FetchResponse:
    """An answer, whatever its status. `content` is its body, whole; its methods are awaited as a request's are.

    `headers` find names in any case, and every value with `getlist`. `url` is the one that answered, redirects
    followed, without credentials.
    """

    status: int
    headers: ResponseHeaders
    url: str
    redirected: bool
    content: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 200 to 299."""
        return 200 <= self.status <= 299

    async def text(self) -> str:
        """The body in the charset of its `content-type`, or UTF-8; what cannot be read becomes U+FFFD."""
        charset = re.search(
            r'charset\s*=\s*"?([^\s;"]+)', self.headers.get("content-type", ""), re.IGNORECASE
        )
        try:
            return self.content.decode(charset[1] if charset else "utf-8", "replace").removeprefix("\ufeff")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    async def json(self) -> Any:
        """Raises `json.JSONDecodeError`, which, uncaught, is a 500: the client is not at fault."""
        return jsonlib.loads(self.content)


async def fetch(  # noqa: PLR0913 - the options of one request, each by its name
    url: str | URL,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: str | bytes | None = None,
    json: Any = None,
    timeout: float | None = 10.0,  # noqa: ASYNC109 - for the whole answer, redirects too; the host enforces it
    redirect: Literal["follow", "manual", "error"] = "follow",
    max_bytes: int = MAX_BYTES,
) -> FetchResponse:
    """Ask an http: or https: URL and give the whole answer.

        response = await fetch("https://api.example/users", method="POST", json={"name": "Ada"})
        if response.ok:
            user = await response.json()

    `body` is sent as it is (a `str` as UTF-8 text), `json` as JSON with its content type; GET and HEAD have neither.
    `timeout` is in seconds, for everything. At most `MAX_REDIRECTS` redirects are followed: 303, and 301 and 302
    after a POST, go on as GET without the body; another origin gets neither `Authorization` nor `Cookie`. With
    "manual" a redirect is the answer, with "error" it is an error. gzip and deflate are asked for and undone.
    Name and password of the URL become `Authorization`.

    An HTTP error is an answer, not an exception. Raises `FetchError` if there is no whole answer (nobody
    listens, no such host, broken off, larger than `max_bytes`, not an http: URL), `FetchTimeoutError` if it came too
    late, `ValueError` for a method, header or option that no request can have. On edge it works below a request
    only: `RuntimeError` elsewhere.
    """
    verb, rows, content = _checked(method, headers, body, json, redirect)
    running = context.running()
    send = transport.sender(running.request.scope if running else None)
    deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
    asked = str(url)
    origin = "the URL"
    try:
        for redirects in range(MAX_REDIRECTS + 1):
            to = transport.destination(asked)
            origin = to.origin
            if to.authorization and b"authorization" not in dict(rows):
                rows = [*rows, (b"authorization", to.authorization)]
            outgoing = Outgoing(verb, to, _sent(rows), content, _left(deadline), max_bytes, decode=True)
            answer = await send(outgoing)
            location = dict(answer.headers).get(b"location") if answer.status in _REDIRECTS else None
            if location is None or redirect == "manual":
                found = ResponseHeaders(raw=transport.joined(answer.headers))
                return FetchResponse(answer.status, found, to.url, redirects > 0, answer.body)
            if redirect == "error":
                raise TransportError("it answered with a redirect")
            asked = urljoin(to.url, _text(location))
            verb, rows, content = _redirected(answer, verb, rows, content)
            if transport.destination(asked).origin != origin:
                rows = [row for row in rows if row[0] not in _OF_THE_ORIGIN]
        raise TransportError(f"it redirected more than {MAX_REDIRECTS} times")
    except TransportError as error:
        late = error.kind in ("timeout", "connect-timeout")
        kind = FetchTimeoutError if late else FetchError
        raise kind(f"fetching from {origin} failed: {error}") from None


def _checked(
    method: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: str | bytes | None,
    json: Any,
    redirect: str,
) -> tuple[str, Headers, bytes]:
    """Method, headers (names in lower case) and body as they are sent. Raises `ValueError`."""
    verb = method.upper()
    if not _TOKEN.fullmatch(verb) or verb in ("CONNECT", "TRACE", "TRACK"):
        raise ValueError(f"{method!r} is no method that fetch() can send")
    if redirect not in ("follow", "manual", "error"):
        raise ValueError(f'redirect is "follow", "manual" or "error", not {redirect!r}')
    if body is not None and json is not None:
        raise ValueError("a request has one body: give body or json")
    if verb in ("GET", "HEAD") and (body is not None or json is not None):
        raise ValueError(f"{verb} is sent without a body: use POST, PUT, PATCH or QUERY")
    rows = [_row(*pair) for pair in (headers.items() if isinstance(headers, Mapping) else headers)]
    kind, content = b"", b""
    if json is not None:
        kind, content = b"application/json", to_json(json)
    elif isinstance(body, str):
        kind, content = b"text/plain;charset=UTF-8", body.encode()
    elif body is not None:
        content = bytes(body)
    if kind and not any(name == b"content-type" for name, _ in rows):
        rows.append((b"content-type", kind))
    return verb, rows, content


def _row(name: str, value: str) -> tuple[bytes, bytes]:
    folded = name.lower()
    if not _TOKEN.fullmatch(name) or any(character in value for character in "\r\n\0"):
        raise ValueError(f"{name!r} is not the name of a header, or its value has a line break")
    if folded in _OF_THE_CONNECTION:
        raise ValueError(f"{folded} is the connection's own: fetch() sets it")
    try:
        return folded.encode(), value.strip(" \t").encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"the value of {folded} has characters that no header can have") from None


def _sent(rows: Headers) -> Headers:
    return transport.with_defaults([*transport.joined(rows), (b"accept-encoding", b"gzip, deflate")])


def _left(deadline: float | None) -> float | None:
    """Seconds that are left. Raises `TransportError` if there are none."""
    if deadline is None:
        return None
    left = deadline - asyncio.get_running_loop().time()
    if left <= 0:
        raise TransportError("there was no whole answer in time", "timeout")
    return left


def _redirected(answer: Incoming, verb: str, rows: Headers, content: bytes) -> tuple[str, Headers, bytes]:
    """The request that a redirect asks for."""
    if (answer.status == 303 and verb not in ("GET", "HEAD")) or (
        answer.status in (301, 302) and verb == "POST"
    ):
        return "GET", [row for row in rows if row[0] not in _OF_THE_BODY], b""
    return verb, rows, content


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
