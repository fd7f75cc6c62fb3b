"""The execution environments of one nodejs function: as many as there are requests at once, kept for the next."""

import asyncio
from collections import deque

from packager.preview.http import Log
from packager.preview.lambda_image import Image
from packager.preview.lambda_process import Fault, FaultKind, Outcome, RuntimeProcess, State

MAX_PROCESSES = 64
_MAX_STARTING = 2
"""Processes that start at the same time: more would only take the processor from each other."""
_SETTLING = 0.1
"""Seconds that a request waits at most for the process used last, if others are idle; a loaded machine needs
more than the usual millisecond."""


class Pool:
    """Runs events in at most `most` processes, which are started from `image` when requests wait."""

    def __init__(self, image: Image, log: Log, most: int = MAX_PROCESSES) -> None:
        self._image = image
        self._most = most
        self._log = log
        self._processes: set[RuntimeProcess] = set()
        self._idle: list[RuntimeProcess] = []
        self._waiting: deque[asyncio.Future[RuntimeProcess | Fault]] = deque()
        self._closed = False

    def start(self) -> None:
        """Warm one process, if there is none."""
        if not self._processes:
            self._start_one()

    async def invoke(self, event: bytes) -> Outcome:
        """Run `event` in an idle process, or wait for one. A process that cannot start is a `Fault`."""
        while not isinstance(process := await self._acquire(), Fault):
            # It may have ended between its last sign of life and this turn of the loop.
            if process.state is State.IDLE:
                return await process.invoke(event)
        return process

    async def close(self) -> None:
        """End every process and wait until they are gone."""
        self._closed = True
        self._fail_waiting(Fault(FaultKind.EXIT, "the preview is ending"))
        await asyncio.gather(*(process.shut_down() for process in tuple(self._processes)))

    async def _acquire(self) -> RuntimeProcess | Fault:
        settling = any(process.state is State.ANSWERED for process in self._processes)
        if self._idle and not settling:
            # The one used last: the others may rest, as on Lambda.
            return self._idle.pop()
        loop = asyncio.get_running_loop()
        place: asyncio.Future[RuntimeProcess | Fault] = loop.create_future()
        self._waiting.append(place)
        # The one used last is about to ask for work: requests in a row shall meet the same process.
        patience = loop.call_later(_SETTLING, self._hand_out_idle)
        self._grow()
        try:
            return await place
        except asyncio.CancelledError:
            if (
                place.done()
                and not place.cancelled()
                and isinstance(process := place.result(), RuntimeProcess)
            ):
                self._give(process)
            raise
        finally:
            patience.cancel()

    def _grow(self) -> None:
        states = [process.state for process in self._processes]
        starting = states.count(State.STARTING)
        # One that has answered asks for work within the millisecond, long before a new one could.
        free = len(self._idle) + states.count(State.ANSWERED)
        waiting = sum(1 for place in self._waiting if not place.done()) - free
        while (
            starting < min(_MAX_STARTING, waiting) and len(self._processes) < self._most and not self._closed
        ):
            self._start_one()
            starting += 1

    def _start_one(self) -> None:
        self._processes.add(RuntimeProcess(self._image, self._log, self._changed))

    def _changed(self, process: RuntimeProcess) -> None:
        if process.state is State.IDLE:
            self._give(process)
        else:
            self._forget(process)
        self._grow()

    def _hand_out_idle(self) -> None:
        while self._idle and self._waiting:
            self._give(self._idle.pop())

    def _give(self, process: RuntimeProcess) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(process)
                return
        # A new one that came too late does not step before the one used last.
        self._idle.insert(len(self._idle) if process.has_served else 0, process)

    def _forget(self, process: RuntimeProcess) -> None:
        self._processes.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        if process.never_ready and process.fault is not None:
            # What fails at its start would fail for every request that waits for a start.
            self._fail_waiting(process.fault)

    def _fail_waiting(self, fault: Fault) -> None:
        for place in self._waiting:
            if not place.done():
                place.set_result(fault)
        self._waiting.clear()
