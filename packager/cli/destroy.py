"""`packager destroy`: a stage is taken away."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager.cli import options, output

if TYPE_CHECKING:
    from packager.deploy.destroy import Kept, Standing


@click.command()
@options.project
@click.option("--stage", metavar="NAME", help="The stage that is taken away.  [required]")
@click.option("--yes", is_flag=True, help="Do not ask for the name of the stage.")
@options.wait
@options.profile
@click.option("--json", "as_json", is_flag=True, help="Print what was deleted and what stays as JSON.")
def destroy(
    project: Path, stage: str | None, yes: bool, wait: float, profile: str | None, as_json: bool
) -> None:
    """Take a stage of PROJECT (default: this folder) away from AWS."""
    from packager import stages  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.cli.confirm import confirm  # noqa: PLC0415
    from packager.cli.progress import progress  # noqa: PLC0415
    from packager.deploy import destroy as destruction  # noqa: PLC0415
    from packager.deploy import env, staging  # noqa: PLC0415
    from packager.deploy.aws import connect  # noqa: PLC0415
    from packager.deploy.hold import caller, hold  # noqa: PLC0415
    from packager.deploy.releases import Ledger  # noqa: PLC0415
    from packager.project import load  # noqa: PLC0415

    app = load(project)
    chosen = stages.named(app, stage)
    with closing(connect(chosen.region, profile=profile, account=chosen.account)) as aws:
        bucket = staging.find(aws, chosen.region)
        with ExitStack() as held:
            if bucket:
                who = (app.name, chosen.name, caller())
                held.enter_context(hold(aws, bucket, *who, wait=wait, report=output.note))
            standing = destruction.find(aws, app.name, chosen.name)
            destruction.check(standing, chosen.name)
            for line in _shown(standing):
                output.note(output.safe(line))
            question = f"All of {app.name} {chosen.name} in the account {aws.account} is deleted."
            if not standing.is_empty and not confirm(question, yes=yes, expected=chosen.name):
                raise click.Abort
            with progress() as shown:
                kept = destruction.destroy(aws, standing, shown)
        if not standing.is_empty:
            kept = (*kept, *destruction.parameters(aws, env.references(app, chosen)))
        left = destruction.forget(aws, Ledger(bucket, app.name, chosen.name)) if bucket else None
    if left and not standing.is_empty:
        kept = (*kept, left)
    deleted = [row.name for row in standing.stacks]
    if as_json:
        output.document({"deleted": deleted, "kept": [asdict(row) for row in kept]})
        return
    for line in _said(kept):
        output.note(output.safe(line))
    empty = f"nothing of {app.name} {chosen.name} is deployed in {chosen.region}"
    click.echo(empty if standing.is_empty else f"destroyed {app.name} {chosen.name}")


def _shown(standing: "Standing") -> Iterator[str]:
    yield from (f"{row.name} ({row.region})" for row in standing.stacks)
    yield from (f"{name}, a function of Lambda@Edge that was left" for name in standing.functions)


def _said(kept: Sequence["Kept"]) -> Iterator[str]:
    if kept:
        yield "what stays:"
    for row in kept:
        yield f"  {row.name} ({row.type.removeprefix('AWS::')}, {row.region}) {row.why}"
        if row.command:
            yield f"    delete it with: {row.command}"
