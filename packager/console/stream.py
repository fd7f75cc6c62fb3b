"""Server-sent events: what happens, told to every open page, many at a time and none so fast that a page falls behind.

Source: the HTML standard, "Server-sent events".
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

_STEP = 0.05
"""Seconds between two writes: what happens meanwhile goes together."""
_MOST = 500
"""Events that wait for a page; if there are more it is told to read everything anew."""
_SILENCE = 15.0
"""Seconds after which a silent stream is given a sign of life, so that a page that has gone is noticed."""


class Stream:
    """One page's events."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._too_many = False
        self._closed = False
        self._news = asyncio.Event()

    def put(self, kind: str, document: Any) -> None:
        """Tell the page an event."""
        if len(self._waiting) < _MOST:
            self._waiting.append(f"event: {kind}\ndata: {json.dumps(document)}\n\n".encode())
        else:
            self._too_many = True
        self._news.set()

    def close(self) -> None:
        """End the stream; the page comes back by itself if it can."""
        self._closed = True
        self._news.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body of the response."""
        yield b"retry: 1000\n\n"
        while not self._closed:
            try:
                await asyncio.wait_for(self._news.wait(), _SILENCE)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            self._news.clear()
            chunk = b"".join(self._waiting)
            if self._too_many:
                chunk += b"event: lost\ndata: null\n\n"
            self._waiting.clear()
            self._too_many = False
            if chunk:
                yield chunk
                await asyncio.sleep(_STEP)
