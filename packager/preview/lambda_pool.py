"""The execution environments of one nodejs function: as many as there are requests at once, kept for the next."""

import asyncio
from collections import deque

from packager.preview import child, lambda_outcome
from packager.preview.http import Log
from packager.preview.lambda_image import Image
from packager.preview.lambda_outcome import Fault, FaultKind, Outcome
from packager.preview.lambda_process import RuntimeProcess, State
from packager.traffic.trace import current

MAX_PROCESSES = 64
"""What this machine is asked for at most. Lambda has no such limit, so that requests wait for a process here."""
_MAX_STARTING = 2
"""Processes that start at the same time: more would only take the processor from each other."""
_SETTLING = 0.1
"""Seconds that a request waits at most for the process used last, if others are idle; a loaded machine needs
more than the usual millisecond."""

_NOTICE = child.NOT_PRIVATE.partition("{")[0]


class Pool:
    """Runs events in at most `most` processes, which are started from `image` when requests wait.

    `concurrency` is how many invocations the function may have at once: Lambda refuses more. With `cold` no process
    serves a second one.
    """

    def __init__(
        self,
        image: Image,
        log: Log,
        most: int = MAX_PROCESSES,
        *,
        concurrency: int | None = None,
        cold: bool = False,
    ) -> None:
        self._image = image
        self._most = most
        self._concurrency = concurrency
        self._cold = cold
        self._running = 0
        self._ending: set[asyncio.Task[None]] = set()
        self._log = _without_repeated_notice(log)
        self._processes: set[RuntimeProcess] = set()
        self._idle: list[RuntimeProcess] = []
        self._waiting: deque[asyncio.Future[RuntimeProcess | Fault]] = deque()
        self._closed = False

    def start(self) -> None:
        """Warm one process, if there is none and the first request is not to find it."""
        if not self._processes and not self._cold:
            self._start_one()

    async def invoke(self, event: bytes) -> Outcome:
        """Run `event` in an idle process, or wait for one. A process that cannot start is a `Fault`.

        So is one invocation more than the function may have at once, without waiting: Lambda answers 429.
        """
        if self._concurrency is not None and self._running >= self._concurrency:
            return self._refused(self._concurrency)
        self._running += 1
        try:
            while not isinstance(process := await self._acquire(), Fault):
                # It may have ended between its last sign of life and this turn of the loop.
                if process.state is State.IDLE:
                    return await self._served_by(process, event)
            return process
        finally:
            self._running -= 1

    async def _served_by(self, process: RuntimeProcess, event: bytes) -> Outcome:
        try:
            return await process.invoke(event)
        finally:
            if self._cold:
                ending = asyncio.create_task(process.shut_down())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)

    def _refused(self, concurrency: int) -> Fault:
        fault = lambda_outcome.throttled_fault(concurrency)
        self._log(f"ERROR {fault.message}")
        current().fault = fault.message
        return fault

    async def close(self) -> None:
        """End every process and wait until they are gone."""
        self._closed = True
        self._fail_waiting(Fault(FaultKind.EXIT, "the preview is ending"))
        await asyncio.gather(*self._ending, *(process.shut_down() for process in tuple(self._processes)))

    async def _acquire(self) -> RuntimeProcess | Fault:
        settling = not self._cold and any(process.state is State.ANSWERED for process in self._processes)
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
        free = len(self._idle) + (0 if self._cold else states.count(State.ANSWERED))
        waiting = sum(1 for place in self._waiting if not place.done()) - free
        while (
            starting < min(_MAX_STARTING, waiting) and len(self._processes) < self._most and not self._closed
        ):
            self._start_one()
            starting += 1

    def _start_one(self) -> None:
        self._processes.add(RuntimeProcess(self._image, self._log, self._changed))

    def _changed(self, process: RuntimeProcess) -> None:
        if process.state is not State.IDLE:
            self._forget(process)
        elif not (self._cold and process.has_served):
            self._give(process)
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


def _without_repeated_notice(log: Log) -> Log:
    """The log, in which what every process finds missing on this machine stands once."""
    seen: set[str] = set()

    def line(text: str) -> None:
        if text in seen:
            return
        if text.startswith(_NOTICE):
            seen.add(text)
        log(text)

    return line
