"""`packager deploy`: a stage of a project onto AWS."""

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packager.cli import options, output

if TYPE_CHECKING:
    from packager.deploy.aws import Aws
    from packager.deploy.canary import Share
    from packager.deploy.deployment import Deployment
    from packager.deploy.hold import Hold
    from packager.deploy.live_check import Checked
    from packager.deploy.staging import Bucket
    from packager.deploy.synthesis import Built, Synthesis


@click.command()
@options.project
@click.option("--stage", metavar="NAME", help="The stage to deploy.  [required]")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--canary", metavar="10%,5m", help="Give new code that share at first, and watch the alarms.")
@click.option(
    "--fast", "is_fast", is_flag=True, help="Replace code alone, without the stacks; for development."
)
@options.wait
@options.profile
@click.option("--json", "as_json", is_flag=True, help="Print what was deployed as JSON.")
def deploy(  # noqa: PLR0913, PLR0917 - one for each option
    project: Path,
    stage: str | None,
    yes: bool,
    canary: str | None,
    is_fast: bool,
    wait: float,
    profile: str | None,
    as_json: bool,
) -> None:
    """Deploy PROJECT (default: this folder): build, synthesize, show what changes, ask, do it."""
    from packager.cli.progress import progress  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.deploy import canary as canaries  # noqa: PLC0415
    from packager.deploy import live_check, staging, synthesis  # noqa: PLC0415
    from packager.deploy.hold import caller, hold  # noqa: PLC0415
    from packager.errors import UsageError  # noqa: PLC0415

    if canary and is_fast:
        raise UsageError("--canary and --fast exclude each other", hint="Give one of them.")
    share = canaries.parse(canary) if canary else None
    make = synthesis.build if is_fast else synthesis.synthesize
    with ExitStack() as held:
        with progress() as shown:
            aws, made = synthesis.begin(project, stage, profile, shown.step, make)
            held.callback(aws.close)
            bucket = staging.bucket(aws, made.stage.region)
            who = (made.app, made.stage.name, caller())
            mine = held.enter_context(hold(aws, bucket, *who, wait=wait, report=shown.note))
        if isinstance(made, synthesis.Synthesis):
            done, document = _whole(aws, made, mine, share, yes=yes)
        else:
            done, document = _fast(aws, made, mine, bucket, yes=yes)
        checked = _checked(made, done)
    if as_json:
        end = {
            "stage": made.stage.name,
            "release": asdict(done.release),
            "outputs": done.outputs,
            "checked": [asdict(row) for row in checked],
            "url": done.url,
        }
        output.document({**document, **end})
    else:
        for name, value in sorted(done.outputs.items()):
            click.echo(output.safe(f"{name} {value}"))
        click.echo(f"release {done.release.number}")
    live_check.require(checked, f"packager rollback --stage {made.stage.name}")
    if not as_json:
        click.echo(f"live {done.url}")


def _whole(
    aws: "Aws", made: "Synthesis", held: "Hold", share: "Share | None", *, yes: bool
) -> tuple["Deployment", dict[str, Any]]:
    """Deploy by the stacks; with it the plan for JSON."""
    from packager.cli import plan_view  # noqa: PLC0415
    from packager.cli.confirm import confirm  # noqa: PLC0415
    from packager.cli.progress import progress  # noqa: PLC0415
    from packager.deploy import deployment, recover  # noqa: PLC0415

    with progress():
        found = deployment.survey(aws, made)
    agreed = all(confirm(question, yes=yes) for question in recover.questions(found))
    with progress() as shown:
        found = recover.settle(aws, found, made.stage.name, shown, agreed=agreed)
        pending = deployment.prepare(aws, made, found, share, shown)
    try:
        if pending.is_empty:
            output.note("nothing changes: this build is deployed already")
        else:
            for line in plan_view.lines(pending.stacks, pending.moves):
                output.note(line)
        place = f"{made.stage.name} ({aws.account}, {made.stage.region})"
        if not pending.is_empty and not confirm(f"Deploy this to {place}?", yes=yes):
            raise click.Abort
        with progress() as shown:
            done = deployment.carry_out(aws, made, pending, held, share, shown)
    except BaseException:
        deployment.discard(aws, pending)
        raise
    return done, plan_view.document(pending.stacks, pending.moves)


def _fast(
    aws: "Aws", made: "Built", held: "Hold", bucket: "Bucket", *, yes: bool
) -> tuple["Deployment", dict[str, Any]]:
    """Replace code alone; with it what was done, for JSON."""
    from packager.cli.confirm import confirm  # noqa: PLC0415
    from packager.cli.progress import progress  # noqa: PLC0415
    from packager.deploy import deployment, fast  # noqa: PLC0415
    from packager.deploy import live as lives  # noqa: PLC0415
    from packager.deploy.releases import Ledger  # noqa: PLC0415
    from packager.staging import OUTPUT  # noqa: PLC0415

    fast.check(made.stage)
    live = lives.read(aws, made.app, made.stage.name)
    planned = fast.plan(aws, made.built, made.stage, made.project.root / OUTPUT, live)
    changed = [row.function for row in planned.updates]
    output.note(f"new code: {', '.join(changed)}" if changed else "no function has new code")
    for line in planned.skipped:
        output.note(output.safe(f"not deployed by --fast: {line}"))
    if changed and not confirm(f"Replace this code of {made.stage.name}?", yes=yes):
        raise click.Abort
    held.check()
    with progress() as shown:
        ledger = Ledger(bucket, made.app, made.stage.name)
        done = deployment.carry_out_fast(aws, made, ledger, live, planned, shown)
    return done, {"updated": changed, "skipped": list(planned.skipped)}


def _checked(made: "Built", done: "Deployment") -> "tuple[Checked, ...]":
    """How the routes answer that the project names, each told when it is known."""
    from packager.cli.progress import progress  # noqa: PLC0415
    from packager.deploy import live_check  # noqa: PLC0415

    paths = made.project.settings.smoke
    if not paths:
        return ()
    with progress() as shown:
        shown.step(f"requesting {', '.join(paths)}")

        def tell(row: "Checked") -> None:
            status = row.status if row.status is not None else "no answer"
            shown.note(f"{row.path}: {status} in {row.milliseconds:.0f} ms")

        return live_check.check(done.url, paths, tell, base_path=made.built.site.base_path)
