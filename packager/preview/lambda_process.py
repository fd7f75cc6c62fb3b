"""One execution environment: a process of a nodejs function, which serves one invocation at a time.

STARTING ──next──▶ IDLE ──invoke──▶ BUSY ──response, error──▶ ANSWERED ──next──▶ IDLE
   └────────────────┴─────────────────┴─────────exit, kill──────┴──────────────▶ ENDED
"""

import asyncio
import enum
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from packager.preview import runtime_api
from packager.preview.child_process import ChildProcess, exit_reason, peak_memory, program, spawn
from packager.preview.http import Log
from packager.preview.lambda_image import Image, command_of
from packager.preview.runtime_api import Invocation, ReportedError, RuntimeApi, RuntimeEndedError

_INIT_LIMIT = 10.0
"""Seconds for the start of a function; when they are over Lambda starts again within the invocation's own."""
_SHUTDOWN_LIMIT = 0.5
"""Seconds between SIGTERM and the end; Lambda gives them to an environment with an extension of its own."""
_MEMORY_INTERVAL = 0.05
_TURNS = 3


class State(enum.Enum):
    """Where a process is in its life."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    ANSWERED = "answered"
    ENDED = "ended"


class FaultKind(enum.Enum):
    """Why there is no result."""

    INIT = "init"
    HANDLER = "handler"
    EXIT = "exit"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Result:
    """What the handler returned, as JSON."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The invocation failed; `message` is for the log, never for the client."""

    kind: FaultKind
    message: str


type Outcome = Result | Fault


class RuntimeProcess:
    """A process and its Runtime API. `changed` is called whenever it becomes IDLE or ENDED.

    `fault` is set once it has ended without being asked to.
    """

    def __init__(self, image: Image, log: Log, changed: Callable[["RuntimeProcess"], None]) -> None:
        self.state = State.STARTING
        self.fault: Fault | None = None
        self._image = image
        self._log = log
        self._changed = changed
        self._next: asyncio.Future[Invocation] | None = None
        self._current: Invocation | None = None
        self._outcome: asyncio.Future[Outcome] | None = None
        self._child: ChildProcess | None = None
        self._started = time.perf_counter()
        self._init_seconds: float | None = None
        self._killed = False
        self._extended = False
        self._unreported: Callable[[], None] | None = None
        self._life = asyncio.create_task(self._live())

    async def invoke(self, event: bytes) -> Outcome:
        """Run one event through the handler; the process must be IDLE.

        A process past its time or memory is killed. The log gets START, END and REPORT, as on Lambda.
        """
        if self.state is not State.IDLE or self._next is None:
            raise AssertionError(f"an invocation for a process that is {self.state.value}")
        limit = self._image.max_duration
        request_id = str(uuid.uuid4())
        deadline = int((time.time() + limit) * 1000)
        self._current = Invocation(request_id, event, deadline, self._image.arn)
        self._outcome = asyncio.get_running_loop().create_future()
        self.state = State.BUSY
        self._log(f"START RequestId: {request_id}")
        started = time.perf_counter()
        self._next.set_result(self._current)
        watch = asyncio.create_task(self._watch_memory())
        try:
            outcome = await asyncio.wait_for(self._outcome, limit)
        except TimeoutError:
            outcome = Fault(FaultKind.TIMEOUT, f"Task timed out after {limit:.2f} seconds")
            self.kill()
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            watch.cancel()
        outcome = self._within_memory() or outcome
        seconds = time.perf_counter() - started
        self._unreported = lambda: self._report(request_id, seconds, outcome)
        if self.state is State.ENDED:
            self._close_log()
        return outcome

    async def shut_down(self) -> None:
        """End it as Lambda does: a process with an extension gets a signal and a moment first."""
        if self._extended and self._child is not None and self.state is not State.ENDED:
            self._killed = True
            self._child.terminate()
            await asyncio.wait({self._life}, timeout=_SHUTDOWN_LIMIT)
        self.kill()
        await asyncio.wait({self._life})

    def kill(self) -> None:
        """End it now; `changed` follows when it is gone."""
        self._killed = True
        if self._child is not None:
            self._child.kill()
        else:
            self._life.cancel()

    @property
    def never_ready(self) -> bool:
        """Whether its start has not succeeded."""
        return self._init_seconds is None

    @property
    def has_served(self) -> bool:
        """Whether it got an invocation yet."""
        return self._current is not None

    async def next(self) -> Invocation:
        """The process asks for work (`runtime_api.RuntimeCalls`)."""
        if self.state is State.ENDED:
            raise RuntimeEndedError
        if self._init_seconds is None:
            self._init_seconds = time.perf_counter() - self._started
        # What it wrote before it asked is in the pipe, and is read within the next turns of the loop.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self._close_log()
        self._next = asyncio.get_running_loop().create_future()
        self.state = State.IDLE
        self._changed(self)
        return await self._next

    def responded(self, request_id: str, payload: bytes | None) -> bool:
        """The handler returned."""
        if payload is None:
            limit = runtime_api.MAX_PAYLOAD
            fault = Fault(FaultKind.SIZE, f"Function.ResponseSizeTooLarge: the result is above {limit} bytes")
            return self._settle(request_id, fault)
        return self._settle(request_id, Result(payload))

    def failed(self, request_id: str, error: ReportedError) -> bool:
        """The handler raised; awslambdaric has printed the traceback."""
        return self._settle(request_id, Fault(FaultKind.HANDLER, f"{error.kind}: {error.message}"))

    def init_failed(self, error: ReportedError) -> None:
        """The handler's module could not be imported; awslambdaric has printed the traceback and exits."""
        self.fault = Fault(FaultKind.INIT, f"{error.kind}: {error.message}")

    def extended(self) -> None:
        """The process registered an extension: it wants to be told of its end."""
        self._extended = True

    def _settle(self, request_id: str, outcome: Outcome) -> bool:
        current = self._current
        if (
            current is None
            or current.request_id != request_id
            or self._outcome is None
            or self._outcome.done()
        ):
            return False
        self.state = State.ANSWERED
        self._outcome.set_result(outcome)
        return True

    async def _live(self) -> None:
        api: RuntimeApi | None = None
        try:
            api = await runtime_api.serve(self)
            image = self._image
            command = program(*command_of(image), interpreter=image.interpreter)
            environment = {**image.environment, "AWS_LAMBDA_RUNTIME_API": api.address}
            self._child = await spawn(command, cwd=image.root, environment=environment, line=self._output)
            status = await self._wait_for_end(self._child)
            self._end(exit_reason(status))
        except OSError as error:
            self._end(f"it could not be started: {error}")
        finally:
            self.state = State.ENDED
            if api is not None:
                api.close()
            self._close_log()
            self._changed(self)

    async def _wait_for_end(self, child: ChildProcess) -> int:
        # A script starts the client when it is told to, which may be much later.
        limit = None if self._image.script else _INIT_LIMIT + self._image.max_duration
        waiting = asyncio.create_task(child.wait())
        try:
            await asyncio.wait({waiting}, timeout=limit)
            if limit is not None and self.state is State.STARTING and not waiting.done():
                self.fault = Fault(FaultKind.INIT, f"its start took more than {limit:.0f} seconds")
                child.kill()
            return await waiting
        finally:
            if not waiting.done():
                child.kill()

    def _end(self, reason: str) -> None:
        before, self.state = self.state, State.ENDED
        if self.fault is None:
            kind = FaultKind.INIT if before is State.STARTING else FaultKind.EXIT
            self.fault = Fault(kind, f"Runtime.ExitError: the {before.value} process ended with {reason}")
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(self.fault)
        if before is not State.BUSY and not self._killed:
            self._log(f"ERROR {self.fault.message}")

    def _output(self, line: str) -> None:
        # awslambdaric writes a traceback as one line, its parts parted by carriage returns and indented
        # with no-break spaces.
        for part in line.split("\r"):
            self._log(part.replace("\u00a0", " "))

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(_MEMORY_INTERVAL)
            if (fault := self._within_memory()) is not None:
                if self._outcome is not None and not self._outcome.done():
                    self._outcome.set_result(fault)
                return

    def _within_memory(self) -> Fault | None:
        """Kill the process and say so, if it used more than it has."""
        peak = self._peak()
        if peak is None or peak <= self._image.memory * 2**20:
            return None
        self.fault = Fault(
            FaultKind.MEMORY,
            f"Runtime.OutOfMemory: {peak >> 20} MB used of {self._image.memory} MB; raise `memory` in the route",
        )
        self.kill()
        return self.fault

    def _peak(self) -> int | None:
        return None if self._child is None else peak_memory(self._child.pid)

    def _close_log(self) -> None:
        """Report the last invocation, once all that it wrote has been read: when it asks for work or has ended."""
        if self._child is not None:
            self._child.flush()
        report, self._unreported = self._unreported, None
        if report is not None:
            report()

    def _report(self, request_id: str, seconds: float, outcome: Outcome) -> None:
        if isinstance(outcome, Fault):
            self._log(f"ERROR RequestId: {request_id} {outcome.message}")
        milliseconds = seconds * 1000
        parts = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {milliseconds:.2f} ms",
            f"Billed Duration: {math.ceil(milliseconds)} ms",
            f"Memory Size: {self._image.memory} MB",
        ]
        if peak := self._peak():
            parts.append(f"Max Memory Used: {peak >> 20} MB")
        if self._init_seconds:
            parts.append(f"Init Duration: {self._init_seconds * 1000:.2f} ms")
            self._init_seconds = 0.0
        self._log(f"END RequestId: {request_id}")
        self._log(" ".join(parts))
