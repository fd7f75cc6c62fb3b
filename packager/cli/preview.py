"""`packager preview`: serves the built artifacts as the cloud would."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from packager.cli import events
from packager.errors import UsageError


@click.command()
@click.argument("project", default=".", type=click.Path(path_type=Path))
@click.option(
    "--port", default=3000, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The build output.  [default: PROJECT/.packager]"
)
@click.option(
    "--from",
    "origin",
    type=click.Choice(["assembly", "manifest"]),
    help="Serve by the way of the stacks' templates, or by the build's own routes without CloudFront and HTTP API.  "
    "[default: assembly; manifest with --out]",
)
@click.option("--stage", help="The stage whose stacks are served.  [default: one of this machine]")
@click.option(
    "--assembly",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A cloud assembly that is served as it is.",
)
@click.option(
    "--viewer",
    multiple=True,
    metavar="NAME=VALUE",
    help="What CloudFront knows of viewers, such as country=DE; a request says it for itself by "
    "x-preview-viewer-country. May be given again.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1),
    help="Requests that a function serves at once.  [default: as configured]",
)
@click.option("--cold", is_flag=True, help="Make every request a cold start.")
@events.json_log
def preview(  # noqa: PLR0913, PLR0917 - one argument for each option
    project: Path,
    port: int,
    out: Path | None,
    origin: str | None,
    stage: str | None,
    assembly: Path | None,
    viewer: tuple[str, ...],
    concurrency: int | None,
    cold: bool,
    json_log: bool,
) -> None:
    """Serve what was built as the cloud would: by the stacks' templates, within Lambda's limits."""
    signal.signal(signal.SIGTERM, _end)
    from packager.preview import run, viewer_headers  # noqa: PLC0415 - slow to import

    if origin == "manifest" and (stage or assembly):
        raise UsageError(
            "--from manifest serves no stacks, and so neither --stage nor --assembly",
            hint="Leave one of the two out.",
        )
    stacks = origin != "manifest" and (origin is not None or out is None or assembly is not None)
    tell = events.told(as_json=json_log)
    ended = run.preview(
        project.resolve(),
        (out or project / ".packager").resolve(),
        run.Options(
            port=port,
            stacks=stacks,
            stage=stage,
            assembly=assembly.resolve() if assembly else None,
            viewer=viewer_headers.read(viewer),
            concurrency=concurrency,
            cold=cold,
        ),
        told=tell,
        ready=events.ready(tell),
    )
    if ended is signal.SIGINT:
        raise KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature of a signal handler
    """SIGTERM before requests are served: leave through every `finally`."""
    sys.exit(0)
