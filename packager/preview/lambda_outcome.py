"""What becomes of an invocation, and how Lambda tells it in the function's log.

The lines are those of the text format, their fields parted by tabs: START, END and REPORT for every invocation,
INIT_REPORT for a start that failed. A start is part of what is billed since August 2025.
Sources: docs.aws.amazon.com/lambda/latest/dg/python-logging.html, lambda-runtime-environment.html and
troubleshooting-invocation.html; aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase.
"""

import enum
import math
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

type Phase = Literal["init", "invoke"]

_MB = 2**20


class FaultKind(enum.Enum):
    """Why there is no result."""

    INIT = "init"
    HANDLER = "handler"
    EXIT = "exit"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    SIZE = "size"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Result:
    """What the handler returned, as JSON."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The invocation failed; `message` is for the log, never for the client.

    `error_type` is the word that REPORT has for it; empty if Lambda reports such an invocation as any other.
    """

    kind: FaultKind
    message: str
    error_type: str = ""


type Outcome = Result | Fault


@dataclass(frozen=True, slots=True)
class Report:
    """The measures of an invocation: milliseconds, and bytes of memory.

    `init_ms` is None if the process had served before; `peak` is None where the system does not tell.
    """

    request_id: str
    duration_ms: float
    memory: int
    peak: int | None
    init_ms: float | None
    fault: Fault | None

    @property
    def memory_mb(self) -> int | None:
        """Max Memory Used: never more than the function has, since it was ended there."""
        return None if self.peak is None else min(self.peak // _MB, self.memory // _MB)


def exit_fault(status: int) -> Fault:
    """The fault of a process that ended by itself; `status` is negative for a signal."""
    return Fault(
        FaultKind.EXIT, f"Runtime exited with error: {exit_text(status)}", error_type="Runtime.ExitError"
    )


def memory_fault(peak: int, memory: int) -> Fault:
    """The fault of a process that was ended because it used more memory (bytes) than it has."""
    message = f"{max(peak, memory) // _MB} MB used of {memory // _MB} MB: raise `memory` in the route"
    return Fault(FaultKind.MEMORY, message, error_type="Runtime.OutOfMemory")


def size_fault(limit: int) -> Fault:
    """The fault of an invocation whose result has more than `limit` bytes."""
    message = f"Response payload size exceeded maximum allowed payload size ({limit} bytes)."
    return Fault(FaultKind.SIZE, message, error_type="Function.ResponseSizeTooLarge")


def timeout_fault(seconds: float) -> Fault:
    """The fault of an invocation that was not over in its time."""
    return Fault(FaultKind.TIMEOUT, f"Task timed out after {seconds:.2f} seconds")


def throttled_fault(concurrency: int) -> Fault:
    """The fault of an invocation that is one more than the `concurrency` a function may have."""
    message = (
        f"TooManyRequestsException: Rate Exceeded. The function may run {concurrency} at once; "
        "Reason: ReservedFunctionConcurrentInvocationLimitExceeded"
    )
    return Fault(FaultKind.THROTTLED, message)


def exit_text(status: int) -> str:
    """How a process ended, as Lambda says it: `exit status 3`, `signal: killed`."""
    if status >= 0:
        return f"exit status {status}"
    name = signal.strsignal(-status)
    return f"signal: {name.lower() if name else -status}"


def start_line(request_id: str, version: str) -> str:
    """START, which comes before all that the handler writes."""
    return f"START RequestId: {request_id} Version: {version}"


def init_report_line(milliseconds: float, phase: Phase, fault: Fault) -> str:
    """INIT_REPORT, for a start that did not succeed."""
    return "\t".join(
        (f"INIT_REPORT Init Duration: {milliseconds:.2f} ms", f"Phase: {phase}", *_status(fault))
    )


def ending_lines(report: Report) -> Iterator[str]:
    """All that Lambda writes once the invocation is over: why it failed, END and REPORT."""
    if report.fault is not None:
        yield from fault_lines(report.fault, report.request_id)
    yield f"END RequestId: {report.request_id}"
    yield _report_line(report)


def fault_lines(fault: Fault, request_id: str) -> Iterator[str]:
    """Why an invocation failed; what the handler raised was printed by the runtime itself."""
    match fault.kind:
        case FaultKind.TIMEOUT:
            yield f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + f"Z {request_id} {fault.message}"
        case FaultKind.MEMORY:
            yield f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
            yield "Runtime.ExitError"
            yield f"ERROR {fault.error_type}: {fault.message}"
        case FaultKind.EXIT:
            yield f"RequestId: {request_id} Error: {fault.message}"
            yield fault.error_type
        case FaultKind.SIZE | FaultKind.THROTTLED:
            yield f"ERROR {fault.message}"


def _report_line(report: Report) -> str:
    billed = math.ceil(report.duration_ms + (report.init_ms or 0.0))
    parts = [
        f"REPORT RequestId: {report.request_id}",
        f"Duration: {report.duration_ms:.2f} ms",
        f"Billed Duration: {billed} ms",
        f"Memory Size: {report.memory // _MB} MB",
    ]
    if report.memory_mb is not None:
        parts.append(f"Max Memory Used: {report.memory_mb} MB")
    if report.init_ms is not None:
        parts.append(f"Init Duration: {report.init_ms:.2f} ms")
    if report.fault is not None:
        parts += _status(report.fault)
    return "\t".join(parts)


def _status(fault: Fault) -> tuple[str, ...]:
    if fault.kind is FaultKind.TIMEOUT:
        return ("Status: timeout",)
    return ("Status: error", f"Error Type: {fault.error_type}") if fault.error_type else ()
