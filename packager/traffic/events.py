"""What `preview` and `dev` tell while they run: events as values, each as a line for people or as JSON."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import click

from packager.diagnostics import Diagnostic
from packager.traffic.trace import Beginning


@dataclass(frozen=True, slots=True)
class RequestServed:
    """A request and its answer, without what belongs in no log: query, headers, bodies.

    `status` is None if there was none, `duration_ms` lasts until the last byte; the others as in `trace.Trace`.
    """

    method: str
    path: str
    status: int | None
    runtime: str | None
    function: str
    beginning: Beginning | None
    duration_ms: float
    spawn_ms: float | None = None
    init_ms: float | None = None
    handler_ms: float | None = None
    memory_mb: int | None = None
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """A line that a function, or what runs it, wrote."""

    function: str
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """A line of the tool itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found in the project as it is saved now."""

    diagnostic: Diagnostic


type Event = RequestServed | Logged | Note | Found
type Told = Callable[[Event], None]


def as_json(event: Event) -> str:
    """The event as one line of JSON."""
    match event:
        case RequestServed():
            return json.dumps(_request(event))
        case Found(diagnostic=diagnostic):
            return json.dumps({"event": "diagnostic", **asdict(diagnostic)})
        case Logged(function=function, text=text):
            return json.dumps({"event": "log", "function": function, "text": text})
        case Note(text=text):
            return json.dumps({"event": "log", "function": None, "text": text})


def request_line(event: RequestServed) -> str:
    """The request for people, in colour: whoever prints it takes the colours away where there is no terminal."""
    status = click.style(str(event.status or "no answer"), fg=_colour(event.status), bold=True)
    parts = [event.method, event.path, status, event.runtime or "", f"{event.duration_ms:.0f} ms"]
    if event.beginning:
        parts.append(click.style(event.beginning, fg="cyan"))
    if event.cache:
        parts.append(click.style(event.cache, dim=True))
    return " ".join(filter(None, parts))


def _request(event: RequestServed) -> dict[str, Any]:
    row = asdict(event)
    beginning = row.pop("beginning")
    rounded = {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}
    cold = {"cold": beginning is not None, "reloaded": beginning == "reloaded"}
    return {"event": "request", **rounded, **cold}


def _colour(status: int | None) -> str:
    if status is None or status >= 500:
        return "red"
    return "yellow" if status >= 400 else "green"
