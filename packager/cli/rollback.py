"""`packager rollback`: back to an earlier release, within seconds."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager.cli import options, output

if TYPE_CHECKING:
    from packager.deploy.rollback import RollbackPlan


@click.command()
@options.project
@click.option("--stage", metavar="NAME", help="The stage that goes back.  [required]")
@click.option("--to", type=int, metavar="N", help="The release; default: the one before what is live.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.wait
@options.profile
@click.option("--json", "as_json", is_flag=True, help="Print what moved as JSON.")
def rollback(
    project: Path,
    stage: str | None,
    to: int | None,
    yes: bool,
    wait: float,
    profile: str | None,
    as_json: bool,
) -> None:
    """Have an earlier release of PROJECT (default: this folder) answer again."""
    from packager import stages  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.cli.confirm import confirm  # noqa: PLC0415
    from packager.deploy import live as lives  # noqa: PLC0415
    from packager.deploy import releases, staging  # noqa: PLC0415
    from packager.deploy import rollback as back  # noqa: PLC0415
    from packager.deploy.aws import connect  # noqa: PLC0415
    from packager.deploy.hold import caller, hold  # noqa: PLC0415
    from packager.project import load  # noqa: PLC0415

    app = load(project)
    chosen = stages.named(app, stage)
    with ExitStack() as held:
        aws = connect(chosen.region, profile=profile, account=chosen.account)
        held.callback(aws.close)
        bucket = staging.find(aws, chosen.region)
        if bucket is None:
            raise back.never_deployed()
        ledger = releases.Ledger(bucket, app.name, chosen.name)
        who = (app.name, chosen.name, caller())
        mine = held.enter_context(hold(aws, bucket, *who, wait=wait, report=output.note))
        found = releases.read(aws, ledger)
        live = lives.read(aws, app.name, chosen.name)
        planned = back.plan(found, live, lives.versions(aws, live), to)
        for line in _shown(planned):
            output.note(output.safe(line))
        if planned.moves:
            if not confirm(f"Go back to release {planned.release.number}?", yes=yes):
                raise click.Abort
            mine.check()
            back.carry_out(aws, ledger, live, planned, found)
    if as_json:
        output.document(asdict(planned))
    else:
        click.echo(f"release {planned.release.number} is live")


def _shown(planned: "RollbackPlan") -> Iterator[str]:
    release = planned.release
    commit = f", commit {release.commit[:10]}" if release.commit else ""
    yield f"release {release.number} of {release.time[:16].replace('T', ' ')} UTC by {release.who}{commit}"
    for move in planned.moves:
        edge = "  (CloudFront takes some minutes to follow everywhere)" if move.edge else ""
        yield f"  {move.function}: version {move.before} -> {move.after}{edge}"
    if not planned.moves:
        yield "  it is live already"
    yield from (f"  {name}: did not exist then, stays as it is" for name in planned.newer)
    yield from (f"  {name}: existed then and does not any more" for name in planned.gone)
    yield from (f"  {name}: a web function, stays as it is" for name in planned.web)
    if planned.routes:
        yield "routes are not rolled back; these differ:"
        yield from (f"  {line}" for line in planned.routes)
    if release.commit and (planned.routes or planned.gone or planned.web):
        yield f"to have everything back, deploy the commit {release.commit[:10]}"
