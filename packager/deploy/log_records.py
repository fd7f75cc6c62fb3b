"""The lines of one log stream as what people read: messages, whole tracebacks, and one record for each request.

A stream is the log of one process, which works on one request at a time; so what lies between its start and Lambda's
report belongs to the request, whichever ids the lines carry. Processes of web functions work on several, and report
nothing: there the request's own line is the record.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packager.deploy.log_lines import Level, Logged, Outcome, Reported, Started, Text, line


@dataclass(frozen=True, slots=True)
class Event:
    """A line as CloudWatch keeps it: `time` in milliseconds since 1970, the function's name, region, stream."""

    time: int
    function: str
    region: str
    stream: str
    message: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a function said. `request_id` is Lambda's, None outside of requests. `time` in milliseconds since 1970."""

    time: int
    function: str
    region: str
    level: Level
    text: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request that has ended. Times in milliseconds, sizes in MB.

    `method`, `path`, `route` and `status` are known of apps with `request_log`. `start_ms` is what a cold start took.
    """

    time: int
    function: str
    region: str
    request_id: str | None
    duration_ms: float
    outcome: Outcome = "success"
    error: str | None = None
    start_ms: float | None = None
    memory_mb: int | None = None
    used_mb: int | None = None
    method: str | None = None
    path: str | None = None
    route: str | None = None
    status: int | None = None

    @property
    def level(self) -> Level:
        """An error where the function or its answer is one."""
        return "error" if self.outcome != "success" or (self.status or 0) >= 500 else "info"


type Record = Message | Request

_BEGINS = ("Traceback (most recent call last):", "  + Exception Group Traceback")
_BETWEEN = (
    "",
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)


@dataclass(slots=True)
class _Stream:
    """Where a stream stands: the request at work, its own line, and the traceback whose lines are coming in."""

    request_id: str | None = None
    row: Logged | None = None
    first: Event | None = None
    trace: list[str] = field(default_factory=list)
    ended: bool = False


class Reader:
    """Makes records of events, which come in order of time, a few at a time."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str, str], _Stream] = {}

    def read(self, events: Iterable[Event]) -> Iterator[Record]:
        """The records that the events complete, in their order."""
        for event in events:
            stream = self._streams.setdefault((event.region, event.function, event.stream), _Stream())
            yield from _read(stream, event)

    def rest(self) -> Iterator[Record]:
        """What waits for lines that did not come: tracebacks."""
        for stream in self._streams.values():
            yield from _flushed(stream)


def _read(stream: _Stream, event: Event) -> Iterator[Record]:
    found = line(event.message)
    if isinstance(found, Text) and not found.whole and _belongs_to_trace(stream, found.text):
        last = found.text.rpartition("\n")[2]
        stream.first = stream.first or event
        stream.ended = not (last.startswith((" ", *_BEGINS)) or last in _BETWEEN)
        stream.trace.append(found.text)
        return
    yield from _flushed(stream)
    match found:
        case Started(request_id):
            stream.request_id, stream.row = request_id, None
        case Reported():
            yield _request(event, found, stream.row)
            stream.request_id = stream.row = None
        case Logged() if stream.request_id is None:
            yield _request(event, None, found)
        case Logged():
            stream.row = found
        case Text(text="", level="info"):
            pass
        case Text():
            yield Message(
                event.time,
                event.function,
                event.region,
                found.level,
                found.text,
                stream.request_id or found.request_id,
            )


def _belongs_to_trace(stream: _Stream, text: str) -> bool:
    """Whether a printed line begins a traceback or goes on with one.

    The first line that is not indented is the exception, after which only another traceback may follow.
    """
    if text.startswith(_BEGINS) or stream.first is None:
        return text.startswith(_BEGINS)
    return not stream.ended or text in _BETWEEN


def _flushed(stream: _Stream) -> Iterator[Message]:
    if stream.first is not None:
        event, text = stream.first, "\n".join(stream.trace).rstrip("\n")
        yield Message(event.time, event.function, event.region, "error", text, stream.request_id)
    stream.first, stream.ended = None, False
    stream.trace.clear()


def _request(event: Event, report: Reported | None, row: Logged | None) -> Request:
    place = (event.time, event.function, event.region)
    known = (row.method, row.path, row.route, row.status) if row else (None, None, None, None)
    if report is None:
        return Request(*place, None, row.duration_ms if row else 0, "success", None, None, None, None, *known)
    return Request(
        *place,
        report.request_id,
        report.duration_ms,
        report.outcome,
        report.error,
        report.start_ms,
        report.memory_mb,
        report.used_mb,
        *known,
    )
