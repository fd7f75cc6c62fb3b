"""`packager logs`: what the functions of a stage say, as one stream."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packager.cli import options, output

if TYPE_CHECKING:
    from packager.deploy.log_records import Message, Record, Request

_COLOURS = ("cyan", "magenta", "blue", "green", "bright_cyan", "bright_magenta", "bright_blue")
_LEVELS = {"error": "red", "warning": "yellow", "debug": "bright_black"}


@click.command()
@options.project
@click.option("--stage", metavar="NAME", help="The stage whose logs are shown.  [required]")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "--since", default="10m", metavar="WHEN", help="10m, 2h or 1d ago, 14:30, or a date; default: 10m."
)
@click.option("--until", metavar="WHEN", help="The end, written as --since; default: now.")
@click.option("--route", metavar="ROUTE", help="Of one route alone: /api/users/[id], or /api/users/7.")
@click.option(
    "--function", "functions", multiple=True, metavar="NAME", help="Of one function alone; repeatable."
)
@click.option(
    "--level",
    type=click.Choice(("debug", "info", "warning", "error")),
    default="debug",
    help="At least this.",
)
@options.profile
@click.option("--json", "as_json", is_flag=True, help="One JSON document on each line.")
def logs(
    project: Path,
    stage: str | None,
    since: str,
    until: str | None,
    profile: str | None,
    follow: bool,
    as_json: bool,
    **selection: Any,
) -> None:
    """Show what the functions of PROJECT (default: this folder) logged on AWS, in order of time."""
    from packager.deploy.log_query import query, records  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.errors import UsageError  # noqa: PLC0415

    if follow and until:
        raise UsageError("--follow has no end, and --until gives one", hint="Give one of them.")
    now = datetime.now(UTC).astimezone()
    asked = query(project, stage, profile=profile, since=since, until=until, now=now, **selection)
    if not asked.found.groups:
        output.note(f"{asked.stage.name} has no logs yet")
    if asked.found.refused:
        output.note(f"AWS refused to show logs of Lambda@Edge in {', '.join(asked.found.refused)}")
    _print(records(asked, follow=follow), asked.stage.region, as_json=as_json)


def _print(records: Iterable["Record"], home: str, *, as_json: bool) -> None:
    colours: dict[str, str] = {}
    width = 0
    for record in records:
        if as_json:
            click.echo(json.dumps({"time": _utc(record.time), **_kind(record)}))
        else:
            source = record.function if record.region == home else f"{record.function}@{record.region}"
            width = max(width, len(source))
            own = colours.setdefault(record.function, _COLOURS[len(colours) % len(_COLOURS)])
            head = f"{click.style(_local(record.time), dim=True)} {click.style(source.ljust(width), fg=own)} "
            for number, text in enumerate(_lines(record)):
                click.echo(f"{' ' * (width + 14) if number else head}{text}")
        sys.stdout.flush()


def _kind(record: "Record") -> dict[str, Any]:
    row = asdict(record)
    del row["time"]
    return {"kind": "message" if "text" in row else "request", "level": record.level, **row}


def _lines(record: "Record") -> Iterator[str]:
    from packager.deploy.log_records import Message  # noqa: PLC0415

    if isinstance(record, Message):
        yield from _message(record)
    else:
        yield _request(record)


def _message(message: "Message") -> Iterator[str]:
    for line in output.safe(message.text.expandtabs()).split("\n"):
        yield click.style(
            line, fg=_LEVELS.get(message.level), dim=False if message.level == "error" else None
        )


def _request(request: "Request") -> str:
    """Method, path and status where they are known; how long it took; what was unusual; the memory."""
    bad = request.level == "error"
    parts = [f"{request.method} {request.path}" if request.method else "request"]
    if request.status is not None:
        parts.append(str(request.status))
    parts.append(f"{_duration(request.duration_ms)}")
    if request.start_ms is not None:
        parts.append(f"cold start {_duration(request.start_ms)}")
    if request.outcome != "success":
        parts.append(f"{request.outcome}{f' ({request.error})' if request.error else ''}")
    if request.memory_mb:
        parts.append(f"{request.used_mb}/{request.memory_mb} MB")
    return click.style(output.safe("  ".join(parts)), fg="red" if bad else None, bold=True)


def _duration(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.3g} ms"


def _local(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    return f"{moment:%H:%M:%S}.{milliseconds % 1000:03}"


def _utc(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
