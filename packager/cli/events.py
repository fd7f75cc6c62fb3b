"""How `preview` and `dev` print what they tell: lines for people on stderr, or JSON with `--json-log`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from packager.cli import output

if TYPE_CHECKING:
    from packager.traffic.events import Event, Told

json_log = click.option("--json-log", is_flag=True, help="One JSON document a line instead of text.")


def told(*, as_json: bool) -> "Told":
    """What prints each event."""
    return _tell_json if as_json else _tell


def ready(tell: "Told") -> Callable[[str], None]:
    """What prints that requests are taken, and where the console is."""

    def say(url: str) -> None:
        from packager.traffic.events import Note  # noqa: PLC0415 - loaded by then

        tell(Note(f"what passes is shown at {url}/_packager"))
        click.echo(f"ready {url}")

    return say


def _tell(event: "Event") -> None:
    from packager.traffic.events import Found, Logged, Note, request_line  # noqa: PLC0415 - loaded by then

    match event:
        case Found(diagnostic=diagnostic):
            output.diagnostics([diagnostic])
        case Logged(function=function, text=text):
            output.note(f"{click.style(f'[{function}]', dim=True)} {output.safe(text.expandtabs(2))}")
        case Note(text=text):
            output.note(output.safe(text))
        case request:
            output.note(request_line(request))


def _tell_json(event: "Event") -> None:
    from packager.traffic.events import as_json  # noqa: PLC0415 - loaded by then

    click.echo(as_json(event), err=True)
