"""`packager synth`: the stacks of a stage as a cloud assembly."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager.cli import output

if TYPE_CHECKING:
    from infra.assembly import Assembly


@click.command()
@click.argument("project", type=click.Path(path_type=Path), default=".")
@click.option(
    "--stage", metavar="NAME", help="The stage: one of the settings, or any other name.  [required]"
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where the assembly goes; default: .packager/cdk.STAGE in PROJECT.",
)
@click.option("--validate", is_flag=True, help="Let CDK check the templates too; takes some seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print the stacks and their resources as JSON.")
def synth(project: Path, stage: str | None, out: Path | None, validate: bool, as_json: bool) -> None:
    """Write the CDK cloud assembly of PROJECT (default: this folder) for a stage."""
    from packager.synth import synth as run  # noqa: PLC0415 - `packager --help` needs none of it

    assembly = run(project, stage, out, validate=validate, report=output.note)
    if as_json:
        output.document({"folder": str(assembly.folder), "stacks": [asdict(row) for row in assembly.stacks]})
        return
    for line in _table(assembly):
        click.echo(output.safe(line))
    click.echo(f"synthesized {output.path(assembly.folder)}")
    output.note(f"deploy it with: cdk deploy --all --app {output.path(assembly.folder)}")


def _table(assembly: "Assembly") -> Iterator[str]:
    """Each stack, and below it its resources: how many of which kind, and why."""
    rows = [row for stack in assembly.stacks for row in stack.resources]
    kind = max((len(row.type) for row in rows), default=0)
    count = max((len(str(row.count)) for row in rows), default=0)
    for stack in assembly.stacks:
        yield f"{stack.name} ({stack.region})"
        for row in stack.resources:
            yield f"  {row.count:>{count}}  {row.type:<{kind}}  {row.why}".rstrip()
