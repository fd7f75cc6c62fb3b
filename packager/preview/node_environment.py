"""What Lambda does around the invocations of a function in Node: it counts, measures, reports and freezes them.

Lambda has an environment for each event at a time. Here one process takes them all, since each is an interpreter of its
own and weighs 150 MB; so it is frozen when the last event is over, and what it writes belongs to no event.
"""

import asyncio
import json
import time
import uuid

from packager.preview import lambda_memory, lambda_outcome
from packager.preview.http import Log
from packager.preview.lambda_image import VERSION
from packager.preview.lambda_outcome import Fault, FaultKind, Outcome, Report, Result
from packager.preview.lambda_process import INIT_LIMIT
from packager.preview.node_program import NodeFailedError, NodeProgram
from packager.traffic.trace import Trace, current, span


class NodeEnvironment:
    """Runs events in `program`: for `timeout` seconds at most, `concurrency` at once; `memory` (MB) is reported."""

    def __init__(
        self, program: NodeProgram, *, timeout: int, memory: int, concurrency: int | None, log: Log
    ) -> None:
        self._program = program
        self._timeout = timeout
        self._memory = memory * 2**20
        self._concurrency = concurrency
        self._log = log
        self._running = 0
        self._served = 0

    async def run(self, event: bytes) -> Outcome:
        """Run one event; past its time the process is ended. One more than may run at once is refused."""
        trace = current()
        if self._concurrency is not None and self._running >= self._concurrency:
            fault = lambda_outcome.throttled_fault(self._concurrency)
            self._log(f"ERROR {fault.message}")
            trace.fault = fault.message
            return fault
        self._running += 1
        if self._program.child is not None:
            self._program.child.thaw()
        try:
            return await self._begun(event, trace)
        finally:
            self._running -= 1
            if not self._running and self._program.child is not None:
                self._program.child.freeze(alike=True)

    async def _begun(self, event: bytes, trace: Trace) -> Outcome:
        """Run the event once the process is there."""
        began = time.perf_counter()
        starts = self._program.start()
        try:
            await asyncio.wait_for(self._program.ready(), INIT_LIMIT + self._timeout)
        except (TimeoutError, NodeFailedError) as error:
            late = isinstance(error, TimeoutError)
            fault = Fault(FaultKind.TIMEOUT if late else FaultKind.INIT, str(error), "Runtime.ExitError")
            if starts:
                milliseconds = (time.perf_counter() - began) * 1000
                self._log(lambda_outcome.init_report_line(milliseconds, "init", fault))
            await self._program.end()
            trace.fault = fault.message
            return fault
        pid = self._program.child.pid if self._program.child else 0
        if pid == self._served:
            return await self._invoked(event, None, trace)
        self._served = pid
        trace.beginning = "cold"
        trace.spawn_ms, trace.init_ms = self._program.spawn_ms, self._program.init_ms
        return await self._invoked(event, self._program.init_ms, trace)

    async def _invoked(self, event: bytes, init_ms: float | None, trace: Trace) -> Outcome:
        request_id = str(uuid.uuid4())
        self._log(lambda_outcome.start_line(request_id, VERSION))
        started = time.perf_counter()
        outcome: Outcome
        try:
            with span("handler"):
                found = await asyncio.wait_for(self._program.ask(event), self._timeout)
            outcome = Result(json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        except TimeoutError:
            outcome = lambda_outcome.timeout_fault(self._timeout)
        except NodeFailedError as error:
            outcome = Fault(FaultKind.HANDLER, str(error))
        milliseconds = (time.perf_counter() - started) * 1000
        child = self._program.child
        peak = lambda_memory.peak_memory(child.pid) if child is not None else None
        fault = outcome if isinstance(outcome, Fault) else None
        report = Report(request_id, milliseconds, self._memory, peak, init_ms, fault)
        for line in lambda_outcome.ending_lines(report):
            self._log(line)
        trace.handler_ms, trace.memory_mb = milliseconds, report.memory_mb
        if fault is not None:
            trace.fault = fault.message
            if fault.kind is FaultKind.TIMEOUT:
                await self._program.end()
        return outcome
