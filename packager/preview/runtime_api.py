"""The Lambda Runtime API, version 2018-06-01, for one runtime process on a loopback port of its own.

A port per process tells who is calling, so that one process cannot take or answer another's invocation.
An extension can register with the process's own server too, as far as one goes that runs inside the process and wants
no events: that is enough to be told of the end (`RuntimeCalls.extended`).
Sources: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, runtimes-extensions-api.html
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import h11

MAX_PAYLOAD = 6 * 1024 * 1024 + 100
"""Bytes that Lambda takes in or hands back for one synchronous invocation."""

_PREFIX = b"/2018-06-01/runtime"
_EXTENSION = b"/2020-01-01/extension"
_STATUS_OK = b'{"status":"OK"}'


class RuntimeEndedError(Exception):
    """The process has ended; nothing more is handed to it."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event for a process. `deadline` in milliseconds since 1970, `trace_id` as in `_X_AMZN_TRACE_ID`."""

    request_id: str
    event: bytes
    deadline: int
    arn: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class ReportedError:
    """What a process reports as an error: of its handler or of its start. `trace` are printed frames."""

    kind: str
    message: str
    trace: tuple[str, ...] = ()


class RuntimeCalls(Protocol):
    """Who listens to a process."""

    async def next(self) -> Invocation:
        """The next invocation, as soon as there is one. Raises `RuntimeEndedError`."""

    def responded(self, request_id: str, payload: bytes | None) -> bool:
        """The handler's result, None if it is larger than `MAX_PAYLOAD`; False if nobody waits for it."""

    def failed(self, request_id: str, error: ReportedError) -> bool:
        """The handler raised; False if nobody waits for it."""

    def init_failed(self, error: ReportedError) -> None:
        """The handler could not be imported, or a function that runs around SnapStart's snapshot failed."""

    def extended(self) -> None:
        """The process registered an extension."""


@dataclass(slots=True)
class RuntimeApi:
    """A listening server; `address` is what `AWS_LAMBDA_RUNTIME_API` holds."""

    address: str
    _server: asyncio.Server
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    def close(self) -> None:
        """Stop listening and drop what is connected."""
        self._server.close()
        for task in self._connections:
            task.cancel()


async def serve(calls: RuntimeCalls) -> RuntimeApi:
    """Listen on a free port of 127.0.0.1 for one process."""
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_converse(calls, reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    return RuntimeApi(f"{host}:{port}", server, connections)


async def _converse(calls: RuntimeCalls, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection = h11.Connection(h11.SERVER)
    try:
        while await _exchange(calls, connection, reader, writer):
            connection.start_next_cycle()
    except (h11.RemoteProtocolError, RuntimeEndedError, ConnectionError):
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _exchange(
    calls: RuntimeCalls,
    connection: h11.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> bool:
    """One request and its response; False if the connection is at its end."""
    request = await _next_event(connection, reader)
    if not isinstance(request, h11.Request):
        return False
    body, size = bytearray(), 0
    while isinstance(part := await _next_event(connection, reader), h11.Data):
        size += len(part.data)
        if size <= MAX_PAYLOAD:
            body += part.data
    status, headers, payload = await _answer(calls, request, bytes(body) if size <= MAX_PAYLOAD else None)
    head = h11.Response(
        status_code=status,
        headers=[*headers, (b"content-type", b"application/json"), (b"content-length", b"%d" % len(payload))],
    )
    # In one piece, since every write wakes the process.
    writer.write(
        b"".join(connection.send(item) or b"" for item in (head, h11.Data(data=payload), h11.EndOfMessage()))
    )
    await writer.drain()
    return connection.our_state is h11.DONE and connection.their_state is h11.DONE


async def _next_event(connection: h11.Connection, reader: asyncio.StreamReader) -> Any:
    while (event := connection.next_event()) is h11.NEED_DATA:
        connection.receive_data(await reader.read(65536))
    return event


type _Reply = tuple[int, list[tuple[bytes, bytes]], bytes]

_NOT_FOUND: _Reply = 404, [], b'{"errorMessage":"Not Found","errorType":"InvalidRequest"}'

_TOO_LARGE: _Reply = (
    413,
    [],
    b'{"errorMessage":"Exceeded maximum allowed payload size (%d bytes).","errorType":"RequestEntityTooLarge"}'
    % MAX_PAYLOAD,
)


async def _answer(calls: RuntimeCalls, request: h11.Request, body: bytes | None) -> _Reply:
    match request.method, request.target.removeprefix(_PREFIX).split(b"/")[1:]:
        case _ if request.target.startswith(_EXTENSION):
            return await _answer_extension(calls, request)
        case b"GET", [b"invocation", b"next"]:
            invocation = await calls.next()
            return 200, _next_headers(invocation), invocation.event
        case b"POST", [b"invocation", request_id, b"response"]:
            known = calls.responded(request_id.decode("ascii"), body)
            if known and body is None:
                return _TOO_LARGE
        case b"POST", [b"invocation", request_id, b"error"]:
            known = calls.failed(request_id.decode("ascii"), _error(body))
        case b"GET", [b"restore", b"next"]:
            # No memory is frozen here: every process is the one that the snapshot would be taken of.
            return 200, [], b""
        case b"POST", [b"init" | b"restore", b"error"]:
            calls.init_failed(_error(body))
            known = True
        case _:
            return _NOT_FOUND
    if known:
        return 202, [], _STATUS_OK
    return 400, [], b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}'


async def _answer_extension(calls: RuntimeCalls, request: h11.Request) -> _Reply:
    match request.method, request.target.removeprefix(_EXTENSION):
        case b"POST", b"/register":
            calls.extended()
            return 200, [(b"lambda-extension-identifier", uuid.uuid4().hex.encode())], b"{}"
        case b"GET", b"/event/next":
            # The one that wants no events waits until the server closes.
            await asyncio.Event().wait()
    return _NOT_FOUND


def _next_headers(invocation: Invocation) -> list[tuple[bytes, bytes]]:
    return [
        (b"lambda-runtime-aws-request-id", invocation.request_id.encode()),
        (b"lambda-runtime-deadline-ms", str(invocation.deadline).encode()),
        (b"lambda-runtime-invoked-function-arn", invocation.arn.encode()),
        (b"lambda-runtime-trace-id", invocation.trace_id.encode()),
    ]


def _error(body: bytes | None) -> ReportedError:
    try:
        document = json.loads(body or b"")
    except ValueError:
        document = None
    if not isinstance(document, Mapping):
        return ReportedError("Runtime.Unknown", "the runtime reported an error without a description")
    trace = document.get("stackTrace") or ()
    return ReportedError(
        str(document.get("errorType") or "Runtime.Unknown"),
        str(document.get("errorMessage") or ""),
        tuple(str(frame) for frame in trace),
    )
