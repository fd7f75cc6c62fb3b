"""How answers leave the server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from packager.preview.http import Message, Receive, Send
from packager.preview.server import Server, listen

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def served(
    app: Callable[[Message, Receive, Send], Awaitable[None]], use: Callable[[Any], Awaitable[None]]
) -> None:
    async def exercise() -> None:
        listening = asyncio.Event()
        server = Server(app, listening.set)
        with listen(0) as listener:
            serving = asyncio.create_task(server.serve([listener]))
            await listening.wait()
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(REQUEST)
            try:
                async with asyncio.timeout(10):
                    await use(reader)
            finally:
                writer.close()
                server.should_exit = True
                await serving

    asyncio.run(exercise())


def test_head_and_body_come_in_one_piece() -> None:
    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"body"})

    async def use(reader: Any) -> None:
        assert await reader.read(4096) == b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"

    served(app, use)


def test_head_does_not_wait_for_a_body_that_comes_later() -> None:
    seen = asyncio.Event()

    async def app(_scope: Message, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await seen.wait()
        await send({"type": "http.response.body", "body": b"body"})

    async def use(reader: Any) -> None:
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"
        seen.set()
        assert await reader.readexactly(4) == b"body"

    served(app, use)
