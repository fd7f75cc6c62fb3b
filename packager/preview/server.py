"""What listens: uvicorn on an address of this machine, and requests as they come in."""

import asyncio
import contextlib
import errno
import re
import socket
from collections.abc import Callable, Generator
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from packager.errors import ToolError
from packager.preview.http import Arrival, Message

HOST = "127.0.0.1"

_ABSOLUTE_FORM = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_HEAD = b"HTTP/1.1 "
_SHUTDOWN_LIMIT = 1
"""Seconds that open requests get at the end; their functions are ended before."""


def listen(port: int) -> socket.socket:
    """A socket bound to `port` of this machine alone. Raises `ToolError` if that cannot be had."""
    # With its protocol named, or asyncio would not set TCP_NODELAY and each answer took 40 ms longer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        raise ToolError(
            f"port {port} is in use by another program" if taken else f"port {port}: {error.strerror}",
            hint="Give another one with --port N (--port 0 picks a free one), or end the other program.",
        ) from error
    return listener


def arrival_of(scope: Message) -> Arrival:
    """The request of an ASGI scope, with all that the client sent."""
    return Arrival(
        method=scope["method"],
        raw_path=_ABSOLUTE_FORM.sub(b"", scope["raw_path"], count=1) or b"/",
        query=scope["query_string"],
        headers=tuple((bytes(name), bytes(value)) for name, value in scope["headers"]),
        client=tuple(scope["client"] or ("127.0.0.1", 0)),
        http_version=scope["http_version"],
    )


class _WholeAnswers:
    """A transport that sends the head of an answer together with what follows it at once: each write wakes the client.

    A head that nothing follows in the same turn of the loop goes out alone.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it, or keep the head of an answer for a moment."""
        if data.startswith(_HEAD) and not self._head:
            self._head = data
            asyncio.get_running_loop().call_soon(self._flush)
        elif whole := self._head + data:
            self._head = b""
            self._transport.write(whole)

    def close(self) -> None:
        """Close it, once everything is sent."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)


class _Protocol(H11Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", _WholeAnswers(transport)))


class Server(uvicorn.Server):
    """uvicorn, which leaves signals to the program and says when it listens."""

    def __init__(self, app: Any, listening: Callable[[], None]) -> None:
        # On h11 and not on a faster parser: any method token and any header must reach the functions.
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_LIMIT,
            )
        )
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the handlers of the program in place."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and then call back."""
        await super().startup(sockets)
        self._listening()
