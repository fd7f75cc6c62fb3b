"""The note-book of one request: whoever serves it writes down what it met, in the trace of the present context.

    trace = current()
    trace.function, trace.runtime = "api", "nodejs"
    with span("handler"):
        …

What outlives a request (a process, its output) runs in another context: it keeps the trace that it was handed.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Literal

from infra.manifest import Runtime

type Beginning = Literal["cold", "reloaded"]
"""A request met a process that had just begun: the first one, or the one after a save."""

MAX_LINES = 1000
"""Lines of log that a trace keeps; more are counted alone."""
MAX_LINE = 8192
"""Characters of one line that are kept."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the way; `start` and `end` in milliseconds since the request began."""

    name: str
    start: float
    end: float


@dataclass(slots=True, eq=False)
class Trace:
    """What a request met. `began` is a moment of `time.perf_counter`; durations in milliseconds, None if unknown.

    `matched` is whether it is for a route. `spawn_ms` is how long the process took to be there and `init_ms` how long
    it then took to import the function; both only for a request that met a cold start. `handler_ms` and `memory_mb`
    are what Lambda's REPORT says. `cache` is the word of `x-cache`. `fault` is why there is no answer of the
    function's own, for the log. `lines` are the function's output while it served this request.
    """

    function: str = ""
    runtime: Runtime | None = None
    matched: bool = True
    beginning: Beginning | None = None
    spawn_ms: float | None = None
    init_ms: float | None = None
    handler_ms: float | None = None
    memory_mb: int | None = None
    cache: str | None = None
    fault: str | None = None
    lines: list[str] = field(default_factory=list)
    lines_left_out: int = 0
    spans: list[Span] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    def add_line(self, text: str) -> None:
        """Note a line that the function wrote while it served this request."""
        if len(self.lines) < MAX_LINES:
            self.lines.append(text[:MAX_LINE])
        else:
            self.lines_left_out += 1

    def add_span(self, name: str, start: float, end: float) -> None:
        """Note a stretch between two moments of `time.perf_counter`."""
        self.spans.append(Span(name, (start - self.began) * 1000, (end - self.began) * 1000))


_current: ContextVar[Trace] = ContextVar("trace")


def current() -> Trace:
    """The trace of the request being served; outside of one, a trace that nobody reads."""
    return _current.get(None) or Trace()


def begin(trace: Trace) -> Token[Trace]:
    """Make `trace` that of the present context, until `end`."""
    return _current.set(trace)


def end(token: Token[Trace]) -> None:
    """Leave the context that `begin` began."""
    _current.reset(token)


@contextmanager
def span(name: str) -> Iterator[None]:
    """Note how long the block takes in the current trace, even if it raises."""
    trace, start = current(), time.perf_counter()
    try:
        yield
    finally:
        trace.add_span(name, start, time.perf_counter())
