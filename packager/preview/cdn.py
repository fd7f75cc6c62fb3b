"""The CDN before an edge function: requests and responses pass to and from its worker chunk by chunk.

One connection for each request, so that raw targets, header bytes and broken connections stay its own. h11
keeps them exactly as they are, which general HTTP clients do not.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import h11

from packager.preview.edge_process import Address, EdgeWorker, WorkerFailedError
from packager.preview.http import (
    HOP_BY_HOP,
    Answer,
    Arrival,
    Headers,
    Receive,
    Send,
    has_no_body,
    message_answer,
    response_headers,
    send_answer,
)
from packager.traffic.trace import current, span
from runtimes.table import METHODS

if TYPE_CHECKING:
    from packager.preview.child_process import ChildProcess

_FORBIDDEN = frozenset((b"expect", b"x-cache", b"x-forwarded-proto", b"x-real-ip"))
_FORBIDDEN_STARTS = (b"proxy-", b"x-accel-", b"x-amz-cf-", b"x-amzn-", b"x-edge-")
"""With `http.HOP_BY_HOP` what CloudFront lets no function set (developer guide, restrictions on edge functions)."""

_NOTICEABLE = 0.01
"""Seconds that a connection to a worker which is there never takes."""


def is_forbidden(name: bytes) -> bool:
    """Whether no function may set that header; the name in lower case."""
    return name in _FORBIDDEN or name in HOP_BY_HOP or name.startswith(_FORBIDDEN_STARTS)


class Cdn:
    """Serves one edge function (`http.Backend`).

    `lambda_at_edge` removes from answers the headers that CloudFront lets no function set. With `cold` each request has
    a worker of its own, which stays until the next one: what runs after an answer is not cut off.
    """

    def __init__(self, worker: EdgeWorker, lambda_at_edge: bool, *, cold: bool = False) -> None:
        self._worker = worker
        self._lambda_at_edge = lambda_at_edge
        self._turn = asyncio.Lock() if cold else None
        self._served_by: ChildProcess | None = None

    def start(self) -> None:
        """Start the worker, if the first request is not to do so."""
        if self._turn is None:
            self._worker.start()

    async def close(self) -> None:
        """End the worker."""
        await self._worker.close()

    async def serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Answer one request: 502 if the worker is not to be had.

        If it breaks off within a response, for a reason that it logs, so does the client's connection.
        """
        if arrival.method not in METHODS:
            # Node's parser ends such a connection; the app would answer the same.
            await send_answer(send, Answer(400, (), b""), arrival.method)
        elif self._turn is None:
            await self._serve(arrival, receive, send)
        else:
            async with self._turn:
                await self._worker.end()
                await self._serve(arrival, receive, send)

    async def _serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        exchange: _Exchange | None = None
        try:
            asked = time.perf_counter()
            address, reader, writer = await self._connect()
            if (ready := time.perf_counter()) - asked > _NOTICEABLE:
                current().add_span("cold start", asked, ready)
            if address.child is not self._served_by:
                self._served_by = address.child
                current().beginning = current().beginning or "cold"
            exchange = _Exchange(arrival, reader, writer, self._allowed)
            try:
                with span("handler"):
                    await exchange.run(receive, send)
            except (OSError, h11.ProtocolError):
                await self._worker.gone(address)
                raise
        except (OSError, WorkerFailedError, h11.ProtocolError):
            if exchange is None or not exchange.answered:
                await send_answer(send, message_answer(502, "Bad Gateway"), arrival.method)

    async def _connect(self) -> tuple[Address, asyncio.StreamReader, asyncio.StreamWriter]:
        address = await self._worker.address()
        try:
            return address, *await asyncio.open_connection(address.host, address.port)
        except OSError:
            # Nothing was sent yet, so a worker that has just ended is no reason to fail.
            await self._worker.gone(address)
            address = await self._worker.address()
            return address, *await asyncio.open_connection(address.host, address.port)

    def _allowed(self, headers: Headers) -> Headers:
        if not self._lambda_at_edge:
            return headers
        return tuple(pair for pair in headers if not is_forbidden(pair[0]))


class _Exchange:
    """One request on its own connection to the worker."""

    def __init__(
        self,
        arrival: Arrival,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        allowed: Callable[[Headers], Headers],
    ) -> None:
        self.answered = False
        self._arrival = arrival
        self._reader = reader
        self._writer = writer
        self._allowed = allowed
        self._connection = h11.Connection(h11.CLIENT)

    async def run(self, receive: Receive, send: Send) -> None:
        """Pass both ways at once; ends with the response, or as soon as the client has left."""
        download = asyncio.create_task(self._download(send))
        client = asyncio.create_task(self._upload(receive))
        try:
            await asyncio.wait({download, client}, return_when=asyncio.FIRST_COMPLETED)
            await (download if download.done() else client)
        finally:
            for task in (download, client):
                task.cancel()
            await asyncio.wait({download, client})
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    async def _upload(self, receive: Receive) -> None:
        """Send the request, then wait until the client has left."""
        await self._write(
            h11.Request(method=self._arrival.method, target=self._target(), headers=self._headers())
        )
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            if body := message.get("body"):
                await self._write(h11.Data(data=body))
            more = message.get("more_body", False)
        await self._write(h11.EndOfMessage())
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _write(self, event: h11.Event) -> None:
        # A worker may answer and close before it has read everything; its answer counts.
        if self._connection.our_state is h11.ERROR:
            return
        try:
            self._writer.write(self._connection.send(event) or b"")
            await self._writer.drain()
        except ConnectionError:
            self._connection.send_failed()

    async def _download(self, send: Send) -> None:
        head = await self._next_event()
        while isinstance(head, h11.InformationalResponse):
            head = await self._next_event()
        if not isinstance(head, h11.Response):
            raise h11.RemoteProtocolError("the connection was closed without an answer")
        self.answered = True
        headers = self._allowed(tuple((name.lower(), value) for name, value in head.headers))
        status = head.status_code
        await send(
            {"type": "http.response.start", "status": status, "headers": response_headers(headers, status)}
        )
        bodiless = has_no_body(self._arrival.method, status)
        while isinstance(part := await self._next_event(), h11.Data):
            if not bodiless:
                await send({"type": "http.response.body", "body": bytes(part.data), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _next_event(self) -> Any:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            self._connection.receive_data(await self._reader.read(65536))
        return event

    def _target(self) -> bytes:
        query = self._arrival.query
        return self._arrival.raw_path + b"?" + query if query else self._arrival.raw_path

    def _headers(self) -> list[tuple[bytes, bytes]]:
        arrival = self._arrival
        headers = [pair for pair in arrival.headers if pair[0] not in HOP_BY_HOP and pair[0] != b"expect"]
        if any(name == b"transfer-encoding" for name, _ in arrival.headers):
            headers.append((b"transfer-encoding", b"chunked"))
        if not any(name == b"host" for name, _ in headers):
            headers.append((b"host", b"localhost"))
        host, port = arrival.client
        if not any(name == b"cloudfront-viewer-address" for name, _ in headers):
            headers.append((b"cloudfront-viewer-address", f"{host}:{port}".encode()))
        return headers
