"""One execution environment of a nodejs function: it serves one invocation at a time and is frozen in between.

STARTING ──next──▶ IDLE ──invoke──▶ BUSY ──response, error──▶ ANSWERED ──next──▶ IDLE
   │                ▲ └──────────────┴─────────exit, kill──────┴───────▶ ENDED
   └──init failed───┘

A start that fails or takes too long is tried once more, in a new process, within the first invocation and its time.
"""

import asyncio
import enum
import secrets
import time
import uuid
from collections import deque
from collections.abc import Callable

from packager.preview import lambda_memory, lambda_outcome, runtime_api
from packager.preview.http import Log
from packager.preview.lambda_image import VERSION, Image
from packager.preview.lambda_outcome import Fault, FaultKind, Outcome, Phase, Report, Result
from packager.preview.lambda_sandbox import Sandbox
from packager.preview.runtime_api import Invocation, ReportedError, RuntimeApi, RuntimeEndedError
from packager.traffic.trace import MAX_LINES, Trace, current

INIT_LIMIT = 10.0
"""Seconds for the start of a function; when they are over Lambda starts again within the invocation's own."""
_SNAP_START_LIMIT = 130.0
"""Seconds for a start that is made once for a version, unless the function has more for an invocation."""
_SHUTDOWN_LIMIT = 0.5
"""Seconds between SIGTERM and the end; Lambda gives them to an environment with an extension of its own."""
_TURNS = 3


class State(enum.Enum):
    """Where an environment is in its life."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    ANSWERED = "answered"
    ENDED = "ended"


class RuntimeProcess:
    """An environment and its Runtime API. `changed` is called whenever it becomes IDLE or ENDED.

    `fault` says why its last process ended without being asked to. `init_limit` in seconds; None: Lambda's.
    """

    def __init__(
        self,
        image: Image,
        log: Log,
        changed: Callable[["RuntimeProcess"], None],
        init_limit: float | None = None,
    ) -> None:
        self.state = State.STARTING
        self.fault: Fault | None = None
        self.has_served = False
        self._image = image
        self._log = log
        self._changed = changed
        self._init_limit = _init_limit(image) if init_limit is None else init_limit
        self._sandbox = Sandbox(image, self._tell)
        self._ready = asyncio.Event()
        self._next: asyncio.Future[Invocation] | None = None
        self._again: asyncio.Future[None] | None = None
        self._current: Invocation | None = None
        self._outcome: asyncio.Future[Outcome] | None = None
        self._trace: Trace | None = None
        self._early: deque[str] = deque(maxlen=MAX_LINES)
        self._init_ms: float | None = None
        self._look: asyncio.TimerHandle | None = None
        self._killed = False
        self._extended = False
        self._unreported: Report | None = None
        self._life = asyncio.create_task(self._live())

    async def invoke(self, event: bytes) -> Outcome:
        """Run one event through the handler; the environment must be IDLE.

        A process past its time or memory is killed. The log gets START, END and REPORT, as on Lambda, and the trace
        of the request what it met.
        """
        if self.state is not State.IDLE:
            raise AssertionError(f"an invocation for an environment that is {self.state.value}")
        limit = self._image.max_duration
        invocation = _invocation(self._image, event)
        self._current = invocation
        self._outcome = asyncio.get_running_loop().create_future()
        self._trace = current()
        self._write_early(self._trace)
        self.state = State.BUSY
        started = time.perf_counter()
        self._hand_over(invocation)
        self._look_at_memory_later(self._sandbox.most)
        try:
            outcome = await asyncio.wait_for(self._outcome, limit)
        except TimeoutError:
            outcome = self.fault = lambda_outcome.timeout_fault(limit)
            self.kill()
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            if self._look is not None:
                self._look.cancel()
        ended = time.perf_counter()
        current().add_span("handler", started, ended)
        return self._measured(invocation, outcome, (ended - started) * 1000)

    async def shut_down(self) -> None:
        """End it as Lambda does: a process with an extension gets a signal and a moment first."""
        if self._extended and self._sandbox.is_running:
            self._killed = True
            await self._sandbox.terminate()
            await asyncio.wait({self._life}, timeout=_SHUTDOWN_LIMIT)
        self.kill()
        await asyncio.wait({self._life})

    def kill(self) -> None:
        """End it now; `changed` follows when it is gone."""
        self._killed = True
        if self._sandbox.is_running:
            self._sandbox.kill()
        else:
            self._life.cancel()

    @property
    def never_ready(self) -> bool:
        """Whether no start of it has succeeded."""
        return not self._ready.is_set()

    async def next(self) -> Invocation:
        """The process asks for work (`runtime_api.RuntimeCalls`)."""
        if self.state is State.ENDED:
            raise RuntimeEndedError
        if self.never_ready:
            self._init_ms = (time.perf_counter() - self._sandbox.began) * 1000
            self._ready.set()
        # What it wrote before it asked is in the pipe, and is read within the next turns of the loop.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        if self.state is State.BUSY and self._current is not None:
            # Its start was tried again for the invocation that waits.
            self._log_start(self._current)
            return self._current
        self._close_log()
        self._next = asyncio.get_running_loop().create_future()
        self.state = State.IDLE
        if not self._killed:
            self._sandbox.freeze()
        self._changed(self)
        return await self._next

    def responded(self, request_id: str, payload: bytes | None) -> bool:
        """The handler returned."""
        if payload is None:
            return self._settle(request_id, lambda_outcome.size_fault(runtime_api.MAX_PAYLOAD))
        return self._settle(request_id, Result(payload))

    def failed(self, request_id: str, error: ReportedError) -> bool:
        """The handler raised; awslambdaric has printed the traceback."""
        return self._settle(request_id, Fault(FaultKind.HANDLER, f"{error.kind}: {error.message}"))

    def init_failed(self, error: ReportedError) -> None:
        """The handler's module could not be imported; awslambdaric has printed the traceback and exits."""
        self.fault = Fault(FaultKind.INIT, f"{error.kind}: {error.message}", error.kind)

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
            await self._run(api.address, self._init_limit)
            if self.never_ready and not self._killed and not self._image.script:
                await self._wait_to_start_again()
                await self._run(api.address, None)
        except OSError as error:
            self.fault = Fault(FaultKind.EXIT, f"it could not be started: {error}", "Runtime.ExitError")
            self._log(f"ERROR {self.fault.message}")
        finally:
            self._end()
            if api is not None:
                api.close()
            self._changed(self)

    async def _run(self, address: str, limit: float | None) -> None:
        """One process from its start to its end; it is killed if it does not ask for work within `limit` seconds."""
        await self._sandbox.start(address)
        ended = await self._sandbox.run(self._ready.wait(), limit)
        self.fault = self.fault or ended
        if self._killed and self._current is None:
            return
        if self._image.script or not self.never_ready:
            if self.state not in (State.BUSY, State.ANSWERED) and not self._killed:
                self._log(f"ERROR {self.fault.message}")
            return
        phase: Phase = "init" if self._current is None else "invoke"
        milliseconds = (time.perf_counter() - self._sandbox.began) * 1000
        self._tell(lambda_outcome.init_report_line(milliseconds, phase, self.fault))
        if self._current is not None:
            self._log_start(self._current)

    async def _wait_to_start_again(self) -> None:
        """Be there for the first invocation, within which the start is tried again."""
        self._again = asyncio.get_running_loop().create_future()
        self.state = State.IDLE
        self._changed(self)
        await self._again
        self.fault = None

    def _end(self) -> None:
        self.state = State.ENDED
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(self.fault or lambda_outcome.exit_fault(0))
        self._close_log()
        self._sandbox.close()

    def _hand_over(self, invocation: Invocation) -> None:
        if self._next is not None:
            self._log_start(invocation)
            self._sandbox.thaw()
            self._next.set_result(invocation)
        elif self._again is not None:
            self._again.set_result(None)

    def _look_at_memory(self) -> None:
        """Kill the process if it uses more than it has; look again as soon as it could."""
        peak = self._sandbox.peak()
        if (fault := self._over(peak)) is None:
            self._look_at_memory_later(peak)
        elif self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(fault)

    def _look_at_memory_later(self, peak: int | None) -> None:
        later = lambda_memory.next_look(peak, self._sandbox.memory)
        self._look = asyncio.get_running_loop().call_later(later, self._look_at_memory)

    def _over(self, peak: int | None) -> Fault | None:
        if peak is None or peak <= self._sandbox.memory:
            return None
        fault = self.fault = lambda_outcome.memory_fault(peak, self._sandbox.memory)
        self.kill()
        return fault

    def _measured(self, invocation: Invocation, outcome: Outcome, milliseconds: float) -> Outcome:
        """Note what it took, and end the process if it took too much memory."""
        peak = self._sandbox.peak()
        outcome = self._over(peak) or outcome
        fault = outcome if isinstance(outcome, Fault) else None
        if fault is not None and fault.kind is FaultKind.MEMORY:
            peak = self._sandbox.memory
        # A start that was tried again is part of the invocation's own duration.
        init_ms = self._init_ms if self._again is None and not self.has_served else None
        memory = self._sandbox.memory
        report = Report(invocation.request_id, milliseconds, memory, peak, init_ms, fault)
        self._note(self._trace, report)
        self.has_served = True
        self._unreported = report
        if self.state is State.ENDED:
            self._close_log()
        return outcome

    def _note(self, trace: Trace | None, report: Report) -> None:
        if trace is None:
            return
        if not self.has_served:
            trace.beginning = trace.beginning or "cold"
            trace.spawn_ms, trace.init_ms = self._sandbox.spawn_ms, self._init_ms
        trace.handler_ms, trace.memory_mb = report.duration_ms, report.memory_mb
        if report.fault is not None:
            trace.fault = report.fault.message

    def _log_start(self, invocation: Invocation) -> None:
        self._log(lambda_outcome.start_line(invocation.request_id, VERSION))

    def _tell(self, line: str) -> None:
        """Log a line; the request's trace has it too, and that of the first request what came before it."""
        self._log(line)
        if self._trace is None:
            self._early.append(line)
        else:
            self._trace.add_line(line)

    def _write_early(self, trace: Trace) -> None:
        for line in self._early:
            trace.add_line(line)
        self._early.clear()

    def _close_log(self) -> None:
        """Report the last invocation, once all that it wrote has been read: when it asks for work or has ended."""
        self._sandbox.flush()
        report, self._unreported = self._unreported, None
        if report is not None:
            for line in lambda_outcome.ending_lines(report):
                self._log(line)
            self._trace = None


def _init_limit(image: Image) -> float | None:
    if image.script:
        # It may begin long after it was started, and is tried again by the next save.
        return None
    if image.environment["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start":
        return max(_SNAP_START_LIMIT, image.max_duration)
    return INIT_LIMIT


def _invocation(image: Image, event: bytes) -> Invocation:
    now = time.time()
    root = f"1-{int(now):08x}-{secrets.token_hex(12)}"
    return Invocation(
        request_id=str(uuid.uuid4()),
        event=event,
        deadline=int((now + image.max_duration) * 1000),
        arn=image.arn,
        trace_id=f"Root={root};Parent={secrets.token_hex(8)};Sampled=0",
    )
