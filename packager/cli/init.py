"""`packager init`: a new project, of a template or of an app of another framework."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager.cli import output
from packager.scaffold.templates import NAMES

if TYPE_CHECKING:
    from packager.scaffold.conversion import Conversion

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=".")
@click.option("--template", type=click.Choice(NAMES), help="What to start from.  [default: minimal]")
@click.option("--from-fastapi", metavar="FILE", type=_FILE, help="Make the routes of a FastAPI app.")
@click.option("--from-chalice", metavar="FILE", type=_FILE, help="Make the routes of a Chalice app.")
@click.option("--name", help="The name of the project; default: that of DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def init(
    folder: Path,
    template: str | None,
    from_fastapi: Path | None,
    from_chalice: Path | None,
    name: str | None,
    as_json: bool,
) -> None:
    """Make a new project in DIR (default: this folder), which must be new or empty."""
    from packager.scaffold import placing  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.scaffold.naming import project_name  # noqa: PLC0415
    from packager.scaffold.templates import template as of_template  # noqa: PLC0415

    if sum(item is not None for item in (template, from_fastapi, from_chalice)) > 1:
        raise click.UsageError("--template, --from-fastapi and --from-chalice exclude each other")
    target = folder.resolve()
    placing.vacant(target)
    title = project_name(name, target.name)
    conversion = _converted(from_fastapi, from_chalice, title)
    files = of_template(template or "minimal", title) if conversion is None else conversion.files
    placing.place(files, target)
    if as_json:
        left = [] if conversion is None else [row.as_json() for row in conversion.left]
        output.document({"folder": str(target), "name": title, "files": sorted(files), "not_moved": left})
        return
    click.echo(f"made {title} in {output.safe(output.path(target))}: {len(files)} files")
    if conversion is not None:
        _tell(conversion)
    _next_steps(target)


def _converted(fastapi: Path | None, chalice: Path | None, name: str) -> "Conversion | None":
    if fastapi is not None:
        from packager.scaffold.from_fastapi import from_fastapi  # noqa: PLC0415

        return from_fastapi(fastapi, name)
    if chalice is not None:
        from packager.scaffold.from_chalice import from_chalice  # noqa: PLC0415

        return from_chalice(chalice, name)
    return None


def _tell(conversion: "Conversion") -> None:
    click.echo(f"{conversion.moved} of {conversion.found} handlers moved")
    for row in conversion.left:
        click.echo(output.safe(f"  not moved: {row.place}: {row.what}: {row.reason}"))
    if conversion.left:
        click.echo("  the list is in MIGRATION.md too")


def _next_steps(target: Path) -> None:
    here = Path.cwd() == target
    shown = output.path(target)
    steps = [] if here else [f"cd {shlex.quote(f'./{shown}' if shown.startswith('-') else shown)}"]
    click.echo("next:")
    for step in (*steps, "packager dev"):
        click.echo(f"  {step}")
