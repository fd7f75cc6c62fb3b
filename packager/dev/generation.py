"""The processes that serve a function from one save to the next."""

import asyncio
import contextlib
from collections.abc import Callable

from packager.preview.http import Arrival, Backend, Receive, Send, message_answer, send_answer
from packager.traffic.trace import Beginning, current

_FAREWELL = 5.0
"""Seconds that requests of a generation may go on after the next one has begun."""
_START_LIMIT = 15.0
"""Seconds on top of the function's own for a process that has just begun."""


class Generation:
    """Serves requests by `backend`. The first one met a process that had just begun, as `beginning` says."""

    def __init__(self, backend: Backend, beginning: Beginning, max_duration: int) -> None:
        self._backend = backend
        self._beginning: Beginning | None = beginning
        self._limit = _START_LIMIT + 2 * max_duration
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Answer one request: 504 if its process does not come to it, because an import does not end."""
        current().beginning, self._beginning = self._beginning, None
        self._active += 1
        self._idle.clear()
        try:
            async with asyncio.timeout(self._limit):
                await self._backend.serve(arrival, receive, send)
        except TimeoutError:
            await send_answer(send, message_answer(504, "Gateway Timeout"), arrival.method)
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    async def retire(self) -> None:
        """End the processes once the requests that they serve are answered."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), _FAREWELL)
        await self.close()

    async def close(self) -> None:
        """End the processes now."""
        await self._backend.close()


class Tasks:
    """Tasks that nobody waits for, until the end. `failed` is told what one raises."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._failed = failed

    def add(self, task: "asyncio.Task[None]") -> None:
        """Keep a task until it has ended."""
        self._running.add(task)
        task.add_done_callback(self._done)

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        running = set(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failed(error)
