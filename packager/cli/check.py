"""`packager check`: every diagnostic of a project."""

from pathlib import Path

import click

from packager.cli import output
from packager.diagnostics import to_json


@click.command()
@click.argument("project", type=click.Path(path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print the diagnostics as JSON.")
@click.pass_context
def check(context: click.Context, project: Path, as_json: bool) -> None:
    """Report everything that is wrong with PROJECT (default: this folder)."""
    from packager.examine import examine  # noqa: PLC0415 - `packager --help` needs none of it

    examination = examine(project)
    found = examination.diagnostics
    errors = sum(item.severity == "error" for item in found)
    if as_json:
        output.document(to_json(found))
    else:
        output.diagnostics(found)
        counts = f"{_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}"
        click.echo(f"{counts} in {_count(len(examination.app.routes), 'route')}")
    if errors:
        context.exit(1)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
