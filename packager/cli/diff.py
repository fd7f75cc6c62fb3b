"""`packager diff`: what a deploy would change."""

from pathlib import Path

import click

from packager.cli import options, output


@click.command()
@options.project
@click.option("--stage", metavar="NAME", help="The stage to compare with.  [required]")
@click.option("--exit-code", is_flag=True, help="Leave with 1 if something would change.")
@options.profile
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def diff(project: Path, stage: str | None, exit_code: bool, profile: str | None, as_json: bool) -> None:
    """Show what deploying PROJECT (default: this folder) would change on AWS, and change nothing."""
    from packager.cli import plan_view  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.cli.progress import progress  # noqa: PLC0415
    from packager.deploy import deployment, synthesis  # noqa: PLC0415

    with progress() as shown:
        aws, made = synthesis.begin(project, stage, profile, shown.step, synthesis.synthesize)
        pending = deployment.diff(aws, made, shown)
        aws.close()
    if as_json:
        output.document({"stage": made.stage.name, **plan_view.document(pending.stacks, pending.moves)})
    else:
        for line in plan_view.lines(pending.stacks, pending.moves):
            click.echo(line, color=False if output.is_plain() else None)
    if exit_code and not pending.is_empty:
        raise click.exceptions.Exit(1)
