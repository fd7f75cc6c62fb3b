"""`packager dev`: serves the sources and reloads what is saved."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from packager.cli import output

if TYPE_CHECKING:
    from packager.dev.lines import Event

_INSPECT_PORT = 5678
"""Where debuggers look for debugpy first."""


@click.command()
@click.argument("project", default=".", type=click.Path(path_type=Path))
@click.option(
    "--port", default=3000, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one."
)
@click.option(
    "--inspect",
    is_flag=False,
    flag_value=_INSPECT_PORT,
    default=0,
    metavar="[PORT]",
    type=click.IntRange(0, 65535),
    help=f"Let a debugger attach to nodejs routes (needs debugpy).  [default port: {_INSPECT_PORT}]",
)
@click.option("--json-log", is_flag=True, help="One JSON document a line instead of text.")
def dev(project: Path, port: int, inspect: int, json_log: bool) -> None:
    """Serve the sources of PROJECT and reload what is saved."""
    signal.signal(signal.SIGTERM, _end)
    from packager.dev.run import Options  # noqa: PLC0415 - slow to import
    from packager.dev.run import dev as run  # noqa: PLC0415

    ended = run(
        project.resolve(),
        Options(port, inspect),
        told=_tell_json if json_log else _tell,
        ready=lambda url: click.echo(f"ready {url}"),
    )
    if ended is signal.SIGINT:
        raise KeyboardInterrupt


def _tell(event: "Event") -> None:
    from packager.dev.lines import Found, Note, request_line  # noqa: PLC0415 - loaded by then

    match event:
        case Found(diagnostic=diagnostic):
            output.diagnostics([diagnostic])
        case Note(text=text):
            output.note(output.safe(text))
        case request:
            output.note(request_line(request))


def _tell_json(event: "Event") -> None:
    from packager.dev.lines import as_json  # noqa: PLC0415 - loaded by then

    click.echo(as_json(event), err=True)


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature of a signal handler
    """SIGTERM before requests are served: leave through every `finally`."""
    sys.exit(0)
