"""`packager dev`: serves the sources and reloads what is saved."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from packager.cli import events

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
@click.option(
    "--types",
    is_flag=False,
    flag_value="",
    metavar="[DIR]",
    help="Keep the files of `packager types` in DIR.  [default: `out` of [tool.packager.types]; if that is set they "
    "are kept without the option, too]",
)
@events.json_log
def dev(project: Path, port: int, inspect: int, types: str | None, json_log: bool) -> None:
    """Serve the sources of PROJECT and reload what is saved."""
    signal.signal(signal.SIGTERM, _end)
    from packager.dev.run import Options  # noqa: PLC0415 - slow to import
    from packager.dev.run import dev as run  # noqa: PLC0415

    tell = events.told(as_json=json_log)
    ended = run(
        project.resolve(),
        Options(port, inspect, types is not None, Path(types).resolve() if types else None),
        told=tell,
        ready=events.ready(tell),
    )
    if ended is signal.SIGINT:
        raise KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature of a signal handler
    """SIGTERM before requests are served: leave through every `finally`."""
    sys.exit(0)
