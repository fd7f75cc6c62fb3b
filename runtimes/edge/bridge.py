"""Requests cross from `bridge.mjs` and become calls of the ASGI app.

A crossing costs microseconds, and more for every value that is not a number. So a request lies in one buffer that
both sides see, the answer in another, and a handler that waits for nothing is answered within one call. What
does not fit crosses as an object of its own.

A message is a head and a body, one after the other. A head is Latin-1 fields with a NUL between; no field may
have one. Of a request: eight lines, the target (as sent), then names (lower case) and values of the headers. The
lines are method, scheme, HTTP version, flags (`c` if the adapter vouches for the CDN's headers, `o` if the body is
left out, since it is larger than any route takes), client's host and port, server's host and port (empty if
unknown). Of an answer: status, then names and values.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from functools import cache
from itertools import chain, count
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from starlette.types import Message, Scope

from runtimes.app import App
from runtimes.requests import CDN, OVERSIZED
from runtimes.transport import SEND, Incoming, Outgoing, TransportError

SHARED_BYTES = 64 * 1024
"""The size of each buffer: enough for nearly all heads and most bodies."""
MAX_HEAD = 2**20
"""Bytes that the head of an answer stays below, so that one number can tell both sizes."""

_LINES = 8
_ASGI = {"version": "3.0", "spec_version": "2.4"}


class Host(Protocol):
    """The functions of `bridge.mjs`. `number` names the request, `more` says that chunks follow.

    `share` takes the two buffers, once. `start` and `chunk` read the message that lies in the answer's buffer, or
    that `large` gave right before, if it does not fit; `sizes` are those of its body, times `MAX_HEAD`, and its head.
    `chunk` gives a promise if the reader is slower than the app. `done` ends every request that `handle` did not
    end; `failed` means that the answer is torn.

    `fetch` sends a request of the app's own and never rejects. `head` is JSON: `method`, `url`, `headers` (flat),
    `timeout` and `idle` in milliseconds or null, `limit` in bytes. The answer is JSON, `status` and `headers` or
    `error` and `kind`, and the body. `abort` gives up the fetch of this number.
    """

    def share(self, requests: bytearray, answers: bytearray) -> None: ...
    def large(self, message: Any) -> None: ...
    def start(self, number: int, sizes: int, more: bool) -> None: ...
    def chunk(self, number: int, sizes: int, more: bool) -> Awaitable[None] | None: ...
    def done(self, number: int, failed: bool) -> None: ...
    def fetch(self, number: int, head: str, body: Any) -> "Awaitable[tuple[str, Buffer | None]]": ...
    def abort(self, number: int) -> None: ...


class Buffer(Protocol):
    """A `Uint8Array`."""

    def to_bytes(self) -> bytes:
        """A copy of its bytes."""


class _Exchange:
    """One request and its answer, as the two callables of ASGI.

    As long as `handle` has not returned, a whole answer is kept in `whole` for it.
    """

    __slots__ = ("_bridge", "_content", "_gone", "_head", "_number", "_silent", "disconnected", "finished", "inside",
                 "method", "path", "started", "whole")  # fmt: skip

    def __init__(self, bridge: "Bridge", number: int, scope: Scope, content: bytes) -> None:
        self._bridge = bridge
        self._number = number
        self._content: bytes | None = content
        self._gone: asyncio.Event | None = None
        self._head: bytes | None = None
        self._silent = False
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.disconnected = False
        self.finished = False
        self.inside = True
        self.started = False
        self.whole: tuple[bytes, bytes] | None = None

    def disconnect(self) -> None:
        self.disconnected = True
        if self._gone is not None:
            self._gone.set()

    async def receive(self) -> Message:
        if self._content is not None:
            content, self._content = self._content, None
            return {"type": "http.request", "body": content, "more_body": False}
        if not self.disconnected:
            self._gone = self._gone or asyncio.Event()
            await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """As ASGI 2.4 wants it, raises `OSError` once the client is gone."""
        kind = message["type"]
        if self.disconnected:
            raise OSError("the client is gone")
        if self.finished:
            raise RuntimeError(f"{kind} after the end of the response")
        if kind == "http.response.start" and self._head is None:
            status = message["status"]
            self._head = _head(status, message.get("headers", ()))
            # RFC 9110: these answers have no content, whatever the app says.
            self._silent = self.method == "HEAD" or status in {204, 304}
        elif kind == "http.response.body" and self._head is not None:
            full = self._pass_on(self._head, message.get("body", b""), message.get("more_body", False))
            if full is not None:
                await full
        else:
            raise RuntimeError(f"unexpected ASGI message {kind}")

    def fail(self) -> None:
        """Answer 500; what went wrong is for the log alone."""
        body = b'{"error":"Internal Server Error"}'
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        self._silent = self.method == "HEAD"
        self._pass_on(_head(500, headers), body, False)

    def _pass_on(self, head: bytes, body: bytes, more: bool) -> Awaitable[None] | None:
        if self._silent:
            body = b""
        elif type(body) is not bytes:
            body = bytes(body)
        self.finished = not more
        bridge = self._bridge
        if not self.started:
            self.started = True
            if self.inside and not more:
                self.whole = head, body
            else:
                bridge.host_start(self._number, bridge.put(head, body), more)
        elif body or not more:
            return bridge.host_chunk(self._number, bridge.put(b"", body), more)
        return None


class Bridge:
    """What `bridge.mjs` calls: `handle`, `disconnect` and `owns`.

    Until `attach` it holds nothing of JavaScript, so that the memory it lives in can be frozen.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._open: dict[int, tuple[_Exchange, asyncio.Task[None]]] = {}
        self._requests = bytearray(SHARED_BYTES)
        self._answers = bytearray(SHARED_BYTES)
        self._request_view = memoryview(self._requests)
        self._fetches = count()

    def attach(self, host: Host, to_js: Callable[[bytes], Any]) -> None:
        """Begin to serve: `host` is called from now on, `to_js` makes a `Uint8Array` of bytes."""
        self._to_js = to_js
        # Looking a function up on a JavaScript object is a crossing too, so it is done once.
        self._host_large = host.large
        self.host_start = host.start
        self.host_chunk = host.chunk
        self._host_done = host.done
        self._host_fetch = host.fetch
        self._host_abort = host.abort
        self._send = self._fetch
        self._loop = asyncio.get_running_loop()
        host.share(self._requests, self._answers)

    def handle(self, number: int, head: int, body: int, fields: int, large: Buffer | None = None) -> int:
        """Answer the request in the buffer, or in `large`: `head` and `body` are its sizes, in bytes.

        `fields` is the number of fields that the head was made of. Gives the sizes of the answer in the buffer, as
        `put` does, negative if the app has not ended; 0 if the answer comes through the host's functions.
        """
        content = self._request_view if large is None else memoryview(large.to_bytes())
        parts = content[:head].tobytes().split(b"\0")
        lines = parts[0].decode("latin-1").split("\n")
        if len(parts) != fields or len(lines) != _LINES:
            refusal = b'{"error":"Bad Request"}'
            return self.put(_head(400, [(b"content-type", b"application/json")]), refusal)
        scope = _scope(lines, parts)
        scope[SEND] = self._send
        exchange = _Exchange(self, number, scope, content[head : head + body].tobytes() if body else b"")
        # An eager task runs at once up to its first real wait: most handlers end here without the loop. It costs
        # half a microsecond more than driving the coroutine by hand, and whatever waits has a task to wait in.
        task = asyncio.Task(self._answer(exchange, number, scope), loop=self._loop, eager_start=True)
        exchange.inside = False
        if exchange.whole is None:
            if not task.done():
                self._open[number] = exchange, task
            return 0
        sizes = self.put(*exchange.whole)
        if task.done():
            return sizes
        self._open[number] = exchange, task
        return -sizes

    def disconnect(self, number: int) -> None:
        """Tell the app that the client of this request is gone; unknown numbers have been answered."""
        if number in self._open:
            self._open[number][0].disconnect()

    def owns(self, target: str) -> bool:
        """Whether this artifact answers the request target (one character per byte); see `App.owns`."""
        return self._app.owns(_split(target.encode("latin-1"))[1])

    def put(self, head: bytes, body: bytes) -> int:
        """Give a message to the host. Gives its sizes, that of the body times `MAX_HEAD`."""
        head_size, body_size = len(head), len(body)
        size = head_size + body_size
        if size <= SHARED_BYTES:
            self._answers[:size] = head + body
        else:
            self._host_large(self._to_js(head + body))
        return body_size * MAX_HEAD + head_size

    async def _fetch(self, outgoing: Outgoing) -> Incoming:
        """`transport.Send` by the host. Raises `TransportError` with what the host says went wrong."""
        head = {
            "method": outgoing.method,
            "url": outgoing.to.url,
            "headers": [text.decode("latin-1") for pair in outgoing.headers for text in pair],
            "timeout": _milliseconds(outgoing.timeout),
            "idle": _milliseconds(outgoing.idle),
            "limit": outgoing.limit,
        }
        content = self._to_js(outgoing.body) if outgoing.body else None
        number = next(self._fetches)
        try:
            text, body = await self._host_fetch(number, json.dumps(head), content)
        except asyncio.CancelledError:
            self._host_abort(number)
            raise
        answer = json.loads(text)
        if "error" in answer:
            raise TransportError(answer["error"], answer["kind"])
        flat = iter(answer["headers"])
        headers = [(name.encode("latin-1"), next(flat).encode("latin-1")) for name in flat]
        return Incoming(answer["status"], headers, b"" if body is None else body.to_bytes())

    async def _answer(self, exchange: _Exchange, number: int, scope: Scope) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
            if not exchange.finished and not exchange.disconnected:
                _log(f"{exchange.method} {exchange.path}: the app ended without a whole response")
        except BaseException:  # noqa: BLE001 - sys.exit() in a handler must not end the worker
            if not exchange.disconnected:
                _log_exception()
        if not exchange.started and not exchange.disconnected:
            exchange.fail()
        if exchange.inside and exchange.whole is not None:
            return
        self._open.pop(number, None)
        self._host_done(number, not exchange.finished)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000))


@cache
def _status(code: int) -> bytes:
    return b"%d" % code


def _head(status: int, headers: Any) -> bytes:
    """The head of an answer. Raises `RuntimeError` for one that cannot cross."""
    rows = headers if type(headers) is list else list(headers)
    head = b"\0".join([_status(status), *chain.from_iterable(rows)])
    if head.count(b"\0") != 2 * len(rows):
        raise RuntimeError("a header of the response has a NUL")
    if len(head) >= MAX_HEAD:
        raise RuntimeError(f"the headers of the response have more than {MAX_HEAD} bytes")
    return head


def _scope(lines: list[str], fields: list[bytes]) -> Scope:
    """The ASGI scope of a request's head."""
    method, scheme, version, flags, client, client_port, server, server_port = lines
    authority, path, query = _split(fields[1])
    headers = list(zip(fields[2::2], fields[3::2]))  # noqa: B905 - strict costs as much as the rest of the line
    if authority is not None:
        # RFC 9112, 3.2.2: an absolute target's authority replaces the Host header.
        headers = [(b"host", authority), *(pair for pair in headers if pair[0] != b"host")]
    scope: Scope = {
        "type": "http",
        "asgi": _ASGI,
        "http_version": version,
        "method": method,
        "scheme": scheme,
        "path": (path if path.find(b"%") < 0 else unquote_to_bytes(path)).decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": (client, int(client_port)) if client else None,
        "server": (server, int(server_port)) if server else None,
        "state": {},
    }
    if flags:
        if "c" in flags:
            scope[CDN] = True
        if "o" in flags:
            scope[OVERSIZED] = True
    return scope


def _split(target: bytes) -> tuple[bytes | None, bytes, bytes]:
    """Authority (of an absolute target only), path and query of a request target, all as sent."""
    rest, _, query = target.partition(b"?")
    if rest.startswith(b"/") or b"://" not in rest:
        return None, rest, query
    authority, slash, path = rest.partition(b"://")[2].partition(b"/")
    return authority.rpartition(b"@")[2], (slash + path) or b"/", query


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _log_exception() -> None:
    import traceback  # noqa: PLC0415 - a start without errors does not need it

    traceback.print_exc()
