"""`packager preview`: serves the built artifacts as the cloud would."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click


@click.command()
@click.argument("project", default=".", type=click.Path(path_type=Path))
@click.option(
    "--port", default=3000, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The build output.  [default: PROJECT/.packager]"
)
def preview(project: Path, port: int, out: Path | None) -> None:
    """Serve the built artifacts as the cloud would."""
    signal.signal(signal.SIGTERM, _end)
    from packager.preview import run  # noqa: PLC0415 - slow to import

    ended = run.preview(
        project.resolve(),
        (out or project / ".packager").resolve(),
        port=port,
        log=lambda line: click.echo(line, err=True),
        ready=lambda url: click.echo(f"ready {url}"),
    )
    if ended is signal.SIGINT:
        raise KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature of a signal handler
    """SIGTERM before requests are served: leave through every `finally`."""
    sys.exit(0)
