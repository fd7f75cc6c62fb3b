"""Requests cross from `bridge.mjs` and become calls of the ASGI app.

A crossing costs microseconds per value, so a request crosses as one JSON text and one buffer, an answer as one
JSON text and one buffer for each chunk, and no object of one side is kept by the other but the functions
named here.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from starlette.types import Message, Scope

from runtimes.app import App
from runtimes.proxy import FETCH, MAX_ANSWER, TIMEOUT, ForwardError, Incoming, Outgoing
from runtimes.requests import CDN, OVERSIZED


class Host(Protocol):
    """The functions of `bridge.mjs`. `number` names the request, `more` says that chunks follow.

    `start` takes the status and a flat list of header names and values as JSON. `chunk` gives a promise if
    the reader is slower than the app. `done` ends every request; `failed` means that the answer is torn.

    `fetch` sends a request of the app's own and never rejects. `head` is JSON: `method`, `url`, `headers` (flat),
    `timeout` in milliseconds, `limit` in bytes. The answer is JSON, `status` and `headers` or the `error`, and the
    body.
    """

    def start(self, number: int, head: str, body: Any, more: bool) -> None: ...
    def chunk(self, number: int, body: Any, more: bool) -> Awaitable[None] | None: ...
    def done(self, number: int, failed: bool) -> None: ...
    def fetch(self, head: str, body: Any) -> "Awaitable[tuple[str, Buffer | None]]": ...


class Buffer(Protocol):
    """A `Uint8Array`."""

    def to_bytes(self) -> bytes:
        """A copy of its bytes."""


class _Exchange:
    """One request and its answer, as the two callables of ASGI."""

    __slots__ = ("_body", "_bridge", "_gone", "_head", "_method", "_number", "_silent", "finished", "started")

    def __init__(self, bridge: "Bridge", number: int, method: str, body: bytes) -> None:
        self._bridge = bridge
        self._number = number
        self._method = method
        self._body: bytes | None = body
        self._gone = asyncio.Event()
        self._head: tuple[int, Iterable[tuple[bytes, bytes]]] | None = None
        self._silent = False
        self.started = False
        self.finished = False

    @property
    def disconnected(self) -> bool:
        return self._gone.is_set()

    def disconnect(self) -> None:
        self._gone.set()

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """As ASGI 2.4 wants it, raises `OSError` once the client is gone."""
        if self._gone.is_set():
            raise OSError("the client is gone")
        if self.finished:
            raise RuntimeError(f"{message['type']} after the end of the response")
        if message["type"] == "http.response.start" and self._head is None:
            self._head = message["status"], message.get("headers", ())
            # RFC 9110: these answers have no content, whatever the app says.
            self._silent = self._method == "HEAD" or message["status"] in {204, 304}
        elif message["type"] == "http.response.body" and self._head is not None:
            await self._send_body(self._head, message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"unexpected ASGI message {message['type']}")

    async def fail(self) -> None:
        """Answer 500; what went wrong is for the log alone."""
        body = b'{"error":"Internal Server Error"}'
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        self._silent = self._method == "HEAD"
        await self._send_body((500, headers), body, False)

    async def _send_body(
        self, head: tuple[int, Iterable[tuple[bytes, bytes]]], body: bytes, more: bool
    ) -> None:
        buffer = self._bridge.to_buffer(body) if body and not self._silent else None
        self.finished = not more
        if not self.started:
            self.started = True
            status, headers = head
            flat = [text.decode("latin-1") for pair in headers for text in pair]
            self._bridge.host_start(self._number, json.dumps([status, flat]), buffer, more)
        elif buffer is not None or not more:
            full = self._bridge.host_chunk(self._number, buffer, more)
            if full is not None:
                await full


class Bridge:
    """What `bridge.mjs` calls: `handle`, `disconnect` and `owns`."""

    def __init__(self, app: App, host: Host, to_buffer: Callable[[bytes], Any]) -> None:
        self._app = app
        self._open: dict[int, tuple[_Exchange, asyncio.Task[None]]] = {}
        self.to_buffer = to_buffer
        # Looking a function up on a JavaScript object is a crossing too, so it is done once.
        self.host_start = host.start
        self.host_chunk = host.chunk
        self.host_done = host.done
        self.host_fetch = host.fetch

    def handle(self, number: int, head: str, body: Buffer | None) -> None:
        """Answer one request through the host's functions, now or later on the loop.

        `head` is JSON: `method`, `target` (as sent, one character per byte), `scheme`, `http_version`,
        `headers` (flat list of names and values), `client` and `server` (`[host, port]` or null), `cdn`,
        `oversized` (the body is left out, since it is larger than any route takes).
        """
        request = json.loads(head)
        content = b"" if body is None else body.to_bytes()
        exchange = _Exchange(self, number, request["method"], content)
        loop = asyncio.get_running_loop()
        # An eager task runs at once up to its first real wait: most handlers end here without the loop.
        scope = scope_of(request)
        scope[FETCH] = self._fetch
        task = asyncio.Task(self._answer(exchange, number, scope), loop=loop, eager_start=True)
        if not task.done():
            self._open[number] = exchange, task

    def disconnect(self, number: int) -> None:
        """Tell the app that the client of this request is gone; unknown numbers have been answered."""
        if number in self._open:
            self._open[number][0].disconnect()

    def owns(self, target: str) -> bool:
        """Whether this artifact answers the request target; see `App.owns`."""
        return self._app.owns(_split(target)[1])

    async def _fetch(self, outgoing: Outgoing) -> Incoming:
        """`proxy.Fetch` by the host. Raises `ForwardError` with what the host says went wrong."""
        head = {
            "method": outgoing.method,
            "url": outgoing.to.origin + outgoing.to.target,
            "headers": [text.decode("latin-1") for pair in outgoing.headers for text in pair],
            "timeout": TIMEOUT * 1000,
            "limit": MAX_ANSWER,
        }
        content = self.to_buffer(outgoing.body) if outgoing.body else None
        text, body = await self.host_fetch(json.dumps(head), content)
        answer = json.loads(text)
        if "error" in answer:
            raise ForwardError(answer["error"])
        flat = iter(answer["headers"])
        headers = [(name.encode("latin-1"), next(flat).encode("latin-1")) for name in flat]
        return Incoming(answer["status"], headers, b"" if body is None else body.to_bytes())

    async def _answer(self, exchange: _Exchange, number: int, scope: Scope) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
            if not exchange.finished and not exchange.disconnected:
                _log(f"{scope['method']} {scope['path']}: the app ended without a whole response")
        except BaseException:  # noqa: BLE001 - sys.exit() in a handler must not end the worker
            if not exchange.disconnected:
                _log_exception()
        if not exchange.started and not exchange.disconnected:
            await exchange.fail()
        self._open.pop(number, None)
        self.host_done(number, not exchange.finished)


def scope_of(request: dict[str, Any]) -> Scope:
    """The ASGI scope of a request as `Bridge.handle` takes it."""
    authority, path, query = _split(request["target"])
    flat = iter(request["headers"])
    headers = [(name.lower().encode("latin-1"), next(flat).encode("latin-1")) for name in flat]
    if authority is not None:
        # RFC 9112, 3.2.2: an absolute target's authority replaces the Host header.
        headers = [(b"host", authority), *(pair for pair in headers if pair[0] != b"host")]
    client, server = request["client"], request["server"]
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request["http_version"],
        "method": request["method"],
        "scheme": request["scheme"],
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": None if client is None else tuple(client),
        "server": None if server is None else tuple(server),
        "state": {},
    }
    if request["cdn"]:
        scope[CDN] = True
    if request["oversized"]:
        scope[OVERSIZED] = True
    return scope


def _split(target: str) -> tuple[bytes | None, bytes, bytes]:
    """Authority (of an absolute target only), path and query of a request target, all as sent."""
    rest, _, query = target.encode("latin-1").partition(b"?")
    if rest.startswith(b"/") or b"://" not in rest:
        return None, rest, query
    authority, slash, path = rest.partition(b"://")[2].partition(b"/")
    return authority.rpartition(b"@")[2], (slash + path) or b"/", query


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _log_exception() -> None:
    import traceback  # noqa: PLC0415 - a start without errors does not need it

    traceback.print_exc()
