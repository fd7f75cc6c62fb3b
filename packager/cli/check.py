"""`packager check`: every diagnostic of a project."""

from pathlib import Path

import click

from packager.cli import output
from packager.diagnostics import Diagnostic, in_order, to_json
from packager.errors import ProjectError


@click.command()
@click.argument("project", type=click.Path(path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print the diagnostics as JSON.")
@click.pass_context
def check(context: click.Context, project: Path, as_json: bool) -> None:
    """Report everything that is wrong with PROJECT (default: this folder)."""
    from packager.examine import examine  # noqa: PLC0415 - `packager --help` needs none of it

    examination = examine(project, output.note, resolving="edge")
    found = examination.diagnostics
    if isinstance(examination.failure, ProjectError):
        found = in_order([*found, _of_dependencies(examination.failure)])
    elif examination.failure:
        output.note(f"warning: the distributions were not checked: {examination.failure.message}")
    errors = sum(item.severity == "error" for item in found)
    if as_json:
        output.document(to_json(found))
    else:
        output.diagnostics(found)
        counts = f"{_count(errors, 'error')}, {_count(len(found) - errors, 'warning')}"
        click.echo(f"{counts} in {_count(len(examination.app.routes), 'route')}")
    if errors:
        context.exit(1)


def _of_dependencies(error: ProjectError) -> Diagnostic:
    """What is wrong with the dependencies themselves: they cannot be resolved, or nodejs lacks a wheel."""
    file, _, line = (error.place or "pyproject.toml").partition(":")
    return Diagnostic("unresolved-dependency", file, int(line or 1), 1, error.message, error.hint)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
