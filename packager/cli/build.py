"""`packager build`: check the project, then artifacts and manifest."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra import manifest
from packager import sizes
from packager.cli import output

if TYPE_CHECKING:
    from packager.build import BuildResult
    from packager.changes import Change

_HEAD = ("function", "runtime", "routes", "zip", "unpacked", "since last")
_NUMBERS = ("routes", "zip", "unpacked")
_USUAL = ("api", "edge")
_NAMED = 5


@click.command()
@click.argument("project", type=click.Path(path_type=Path), default=".")
@click.option("--out", type=click.Path(path_type=Path), help="Where to build; default: .packager in PROJECT.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
@click.option("--no-cache", is_flag=True, help="Make everything anew but the lock and the downloads.")
@click.option("--no-check", is_flag=True, help="Build in spite of errors in user code.")
def build(project: Path, out: Path | None, as_json: bool, no_cache: bool, no_check: bool) -> None:
    """Check PROJECT and build its artifacts."""
    from packager.build import build as run  # noqa: PLC0415 - `packager --help` needs none of it

    result = run(project, out, check=not no_check, cached=not no_cache, report=output.note)
    output.diagnostics(result.diagnostics)
    if as_json:
        click.echo(manifest.to_json(result.manifest), nl=False)
        return
    rows = list(_rows(result))
    if sys.stdout.isatty():
        _show(rows)
    else:
        table = [_HEAD, *rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for line in _remarks(result.manifest):
        click.echo(output.safe(line))
    click.echo(f"{'built' if result.changed else 'unchanged:'} {output.path(result.out)}")


def _rows(result: "BuildResult") -> Iterator[tuple[str, ...]]:
    from packager.changes import changes  # noqa: PLC0415

    built = {row.name: row for row in result.manifest.functions}
    routes = Counter(route.function for route in result.manifest.routes)
    for change in changes(result.previous, result.manifest):
        now = built.get(change.function)
        weights = (sizes.shown(now.zip_bytes), sizes.shown(now.unpacked_bytes)) if now else ("", "")
        count = str(routes[change.function]) if now else ""
        yield change.function, change.runtime, count, *weights, _change(change)


def _change(change: "Change") -> str:
    if change.state != "changed":
        return change.state
    sign = "-" if change.zip_bytes < 0 else "+"
    return f"changed, {sign}{sizes.shown(abs(change.zip_bytes))}"


def _remarks(built: manifest.Manifest) -> Iterator[str]:
    """Why there are other functions than the usual ones, and what the workers import late."""
    split: dict[str, dict[str, None]] = {}
    for route in built.routes:
        if route.function not in _USUAL:
            split.setdefault(route.reason, {})[route.function] = None
    for reason, names in split.items():
        shown = [*names][:_NAMED]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield f"{', '.join(shown)}{more}: {reason}"
    for row in built.functions:
        for file, reason in sorted(row.snapshot.late.items() if row.snapshot else ()):
            yield f"{file} is imported when the worker of {row.name} starts, not in advance: {reason}"


def _show(rows: Iterable[tuple[str, ...]]) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - 60 ms that only a terminal needs
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD)
    for name in _HEAD:
        table.add_column(name, justify="right" if name in _NUMBERS else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
