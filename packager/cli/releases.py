"""`packager releases`: what was live when, and what is live now."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager.cli import options, output

if TYPE_CHECKING:
    from packager.deploy.live import Live
    from packager.deploy.releases import Release


@click.command()
@options.project
@click.option("--stage", metavar="NAME", help="The stage whose releases are listed.  [required]")
@options.profile
@click.option("--json", "as_json", is_flag=True, help="Print the releases as JSON.")
def releases(project: Path, stage: str | None, profile: str | None, as_json: bool) -> None:
    """List the releases of PROJECT (default: this folder), newest first, and mark the one that is live."""
    from packager import stages  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.deploy import live as lives  # noqa: PLC0415
    from packager.deploy import releases as made  # noqa: PLC0415
    from packager.deploy import staging  # noqa: PLC0415
    from packager.deploy.aws import connect  # noqa: PLC0415
    from packager.project import load  # noqa: PLC0415

    app = load(project)
    chosen = stages.named(app, stage)
    with closing(connect(chosen.region, profile=profile, account=chosen.account)) as aws:
        bucket = staging.find(aws, chosen.region)
        found = made.read(aws, made.Ledger(bucket, app.name, chosen.name)) if bucket else ()
        live = lives.read(aws, app.name, chosen.name)
    current = made.current(found, live)
    if as_json:
        output.document(
            {
                "releases": [asdict(row) for row in found],
                "live": current.number if current else None,
                "functions": live.versions,
                "edge": live.edge_versions,
            }
        )
        return
    for line in _table(found, current):
        click.echo(output.safe(line))
    for line in _remarks(found, current, live):
        output.note(output.safe(line))


def _table(found: Sequence["Release"], current: "Release | None") -> Iterator[str]:
    width = max((len(row.who) for row in found), default=0)
    for row in reversed(found):
        mark = "*" if row == current else " "
        commit = f"{row.commit[:10]}{'+' if row.dirty else ''}" if row.commit else "-"
        kind = f"rollback to {row.of}" if row.of else row.kind
        yield (
            f"{mark} {row.number:>4}  {row.time[:19].replace('T', ' ')} UTC  {kind:<15}  {commit:<11}  "
            f"{row.who:<{width}}".rstrip()
        )


def _remarks(found: Sequence["Release"], current: "Release | None", live: "Live") -> Iterator[str]:
    if not live.functions and not live.edge:
        yield "nothing is deployed"
    elif not found:
        yield "nothing was recorded: the stage was not deployed with `packager deploy`"
    elif live.is_split:
        yield f"some requests go to other versions: {_shares(live)}; the next deploy or rollback ends that"
    elif current is None:
        versions = {**live.versions, **live.edge_versions}
        shown = ", ".join(f"{name} {version}" for name, version in versions.items())
        yield f"no release is live, somebody changed it by other means: {shown}"
    elif current != found[-1]:
        yield f"release {current.number} is live, although {found[-1].number} was recorded last"


def _shares(live: "Live") -> str:
    return ", ".join(
        f"{row.name} {row.version} and {version} ({weight:.0%})"
        for row in live.functions
        for version, weight in row.weights
    )
