"""Where processes wait until they may import the project."""

import asyncio
import contextlib


class Gate:
    """A port of this machine that gives a byte to everybody who connects, as soon as it is open."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._waiting: set[asyncio.Task[None]] = set()

    async def listen(self) -> int:
        """Begin to listen; the port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def open(self) -> None:
        """Let everybody through, from now on."""
        self._open.set()

    def close(self) -> None:
        """Stop listening; who still waits is sent home."""
        if self._server is not None:
            self._server.close()
        for task in self._waiting:
            task.cancel()

    def _connected(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._let_through(writer))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _let_through(self, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open.wait()
            writer.write(b"g")
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
