"""What `packager dev` tells while it runs: events as values, and each as a line for people or as JSON."""

import json
from dataclasses import asdict, dataclass

import click

from packager.dev.generation import Beginning
from packager.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class RequestServed:
    """A request and its answer; `status` is None if there was none, `duration_ms` lasts until the last byte."""

    method: str
    path: str
    status: int | None
    runtime: str | None
    function: str
    beginning: Beginning | None
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Note:
    """A line of a function, or of the tool itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found in the project as it is saved now."""

    diagnostic: Diagnostic


type Event = RequestServed | Note | Found


def as_json(event: Event) -> str:
    """The event as one line of JSON."""
    match event:
        case RequestServed():
            row = asdict(event)
            beginning = row.pop("beginning")
            row["duration_ms"] = round(event.duration_ms, 2)
            cold = {"cold": beginning is not None, "reloaded": beginning == "reloaded"}
            return json.dumps({"event": "request", **row, **cold})
        case Found(diagnostic=diagnostic):
            return json.dumps({"event": "diagnostic", **asdict(diagnostic)})
        case Note(text=text):
            return json.dumps({"event": "log", "text": text})


def request_line(event: RequestServed) -> str:
    """The request for people, in colour: whoever prints it takes the colours away where there is no terminal."""
    status = click.style(str(event.status or "no answer"), fg=_colour(event.status), bold=True)
    parts = [event.method, event.path, status, event.runtime or "", f"{event.duration_ms:.0f} ms"]
    if event.beginning:
        parts.append(click.style(event.beginning, fg="cyan"))
    return " ".join(filter(None, parts))


def _colour(status: int | None) -> str:
    if status is None or status >= 500:
        return "red"
    return "yellow" if status >= 400 else "green"
