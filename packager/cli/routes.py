"""`packager routes`: the route table of a project."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from infra import manifest
from infra.manifest import Route
from packager.cli import output
from packager.staging import OUTPUT


@click.command()
@click.argument("project", type=click.Path(path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print the rows of the manifest as JSON.")
@click.pass_context
def routes(context: click.Context, project: Path, as_json: bool) -> None:
    """Show the route table of PROJECT (default: this folder).

    The functions are those of the build if it is current, else as planned: a build may split one that is too large.
    """
    from packager import build  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.examine import examine  # noqa: PLC0415
    from packager.grouping import rows  # noqa: PLC0415

    examination = examine(project)
    output.diagnostics(examination.diagnostics)
    if examination.failure:
        output.note(f"the runtime of auto routes is provisional: {examination.failure.message}")
    built = manifest.read(project / OUTPUT) if build.is_current(project) else None
    table = built.routes if built else rows(examination.app)
    if as_json:
        output.document({"routes": [asdict(row) for row in table]})
    elif table:
        _show(table)
    else:
        output.note(f"no routes in {examination.app.project.tree}/")
    if any(item.severity == "error" for item in examination.diagnostics):
        context.exit(1)


def _show(table: Sequence[Route]) -> None:
    lines = [("path", "methods", "runtime", "function", "file")]
    lines += [(row.path, " ".join(row.methods), row.runtime, row.function, row.file) for row in table]
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo(output.safe("  ".join(cells).rstrip()))
