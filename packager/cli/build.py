"""`packager build`: check the project, then artifacts and manifest."""

import sys
from pathlib import Path

import click

from infra import manifest
from packager.cli import output

_HEAD = ("function", "runtime", "routes", "zip", "unpacked")


@click.command()
@click.argument("project", type=click.Path(path_type=Path), default=".")
@click.option("--out", type=click.Path(path_type=Path), help="Where to build; default: .packager in PROJECT.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
@click.option("--no-check", is_flag=True, help="Build in spite of errors in user code.")
def build(project: Path, out: Path | None, as_json: bool, no_check: bool) -> None:
    """Check PROJECT and build its artifacts."""
    from packager.build import build as run  # noqa: PLC0415 - `packager --help` needs none of it

    result = run(project, out, check=not no_check, report=output.note)
    output.diagnostics(result.diagnostics)
    if as_json:
        click.echo(manifest.to_json(result.manifest), nl=False)
        return
    if sys.stdout.isatty():
        _show(result.manifest)
    else:
        rows = [_HEAD, *_rows(result.manifest)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo(f"{'built' if result.changed else 'unchanged:'} {_shown(result.out)}")


def _rows(built: manifest.Manifest) -> list[tuple[str, str, str, str, str]]:
    return [
        (
            row.name,
            row.runtime,
            str(sum(1 for route in built.routes if route.function == row.name)),
            _size(row.zip_bytes),
            _size(row.unpacked_bytes),
        )
        for row in built.functions
    ]


def _show(built: manifest.Manifest) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - 60 ms that only a terminal needs
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD)
    for name in _HEAD[:2]:
        table.add_column(name)
    for name in _HEAD[2:]:
        table.add_column(name, justify="right")
    for row in _rows(built):
        table.add_row(*row)
    Console().print(table)


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 10_000 else f"{count:,} B"


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
