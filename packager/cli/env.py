"""`packager env`: the secrets of a stage, between AWS and this machine."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packager.cli import options, output

if TYPE_CHECKING:
    from infra.environment import Reference
    from infra.stage import Stage
    from packager.deploy.env import Move

_SAID = {
    "new": "+ {name}  {where}",
    "changed": "~ {name}  {where}",
    "same": "  {name}  unchanged",
    "absent": "  {name}  not in {source}",
    "elsewhere": "  {name}  {reference}: is changed there, not from here",
}
_STYLES = {"new": "green", "changed": "yellow"}


@click.group()
def env() -> None:
    """Bring the secrets of a stage to this machine, or from it to AWS.

    They are in .env.STAGE.local, which is never built. Plain variables, of .env and .env.STAGE, go with the deployment.
    """


@env.command(short_help="From AWS into .env.STAGE.local.")
@options.project
@click.option("--stage", metavar="NAME", help="The stage whose secrets are fetched.  [required]")
@click.option("--file", "name", metavar="FILE", help="Another file in PROJECT than .env.STAGE.local.")
@options.profile
@click.option("--yes", is_flag=True, help="Write over values that differ without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON, without values.")
def pull(
    project: Path, stage: str | None, name: str | None, profile: str | None, yes: bool, as_json: bool
) -> None:
    """Write the secrets of PROJECT (default: this folder) into .env.STAGE.local."""
    from packager import env_file  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.cli.confirm import confirm  # noqa: PLC0415
    from packager.deploy import env as secrets  # noqa: PLC0415
    from packager.deploy.aws import connect  # noqa: PLC0415

    chosen, path, wanted = _opened(project, stage, name)
    moves = (
        secrets.pulling(
            connect(chosen.region, profile=profile, account=chosen.account), wanted, env_file.read(path)
        )
        if wanted
        else ()
    )
    _show(moves, source="AWS", target=path.name)
    differing = [row.name for row in moves if row.state == "changed"]
    if differing and not confirm(f"Write over {', '.join(differing)} in {path.name}?", yes=yes):
        raise click.Abort
    secrets.pull(moves, path)
    if any(row.state in _STYLES for row in moves):
        output.note(f"written: {output.path(path)}")
    if path.exists() and not secrets.is_ignored(path):
        output.note(f"warning: git does not ignore {path.name}; add it to .gitignore: .env*.local")
    if as_json:
        _document(chosen.name, path, moves)


@env.command(short_help="From .env.STAGE.local into SSM parameters.")
@options.project
@click.option("--stage", metavar="NAME", help="The stage whose secrets are set.  [required]")
@click.option("--file", "name", metavar="FILE", help="Another file in PROJECT than .env.STAGE.local.")
@options.profile
@click.option("--yes", is_flag=True, help="Change them without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON, without values.")
def push(
    project: Path, stage: str | None, name: str | None, profile: str | None, yes: bool, as_json: bool
) -> None:
    """Put the secrets in .env.STAGE.local into the parameters that PROJECT (default: this folder) names."""
    from packager import env_file  # noqa: PLC0415 - `packager --help` needs none of it
    from packager.cli.confirm import confirm  # noqa: PLC0415
    from packager.deploy import env as secrets  # noqa: PLC0415
    from packager.deploy.aws import connect  # noqa: PLC0415

    chosen, path, wanted = _opened(project, stage, name)
    text = env_file.read(path)
    plain = sorted(env_file.values(text).keys() - {row.name for row in wanted})
    if plain:
        output.note(f"not pushed, since no secrets of the project: {', '.join(plain)}")
    aws = connect(chosen.region, profile=profile, account=chosen.account)
    moves = secrets.pushing(aws, wanted, text) if wanted else ()
    _show(moves, source=path.name, target="")
    count = sum(row.state in _STYLES for row in moves)
    if count:
        if not confirm(f"Set {count} secret{'s' if count > 1 else ''} of {chosen.name}?", yes=yes):
            raise click.Abort
        secrets.push(aws, moves, lambda row: output.note(f"set {row.name}"))
        output.note("functions read them when they start; those that run keep what they have")
    if as_json:
        _document(chosen.name, path, moves)


def _opened(project: Path, name: str | None, file: str | None) -> "tuple[Stage, Path, tuple[Reference, ...]]":
    """The stage, the file of its secrets on this machine, and where they are kept."""
    from packager import stages  # noqa: PLC0415
    from packager.deploy import env as secrets  # noqa: PLC0415
    from packager.project import load  # noqa: PLC0415

    found = load(project)
    stage = stages.named(found, name)
    return stage, secrets.file_of(found, stage, file), secrets.references(found, stage)


def _show(moves: Iterable["Move"], *, source: str, target: str) -> None:
    moves = tuple(moves)
    if not moves:
        output.note("the project names no secrets: [tool.packager.environment] secrets is empty")
    for line in _lines(moves, source, target):
        output.note(line)


def _lines(moves: Iterable["Move"], source: str, target: str) -> Iterator[str]:
    for row in moves:
        where = f"from {row.reference}" if target else f"to {row.reference}"
        text = _SAID[row.state].format(name=row.name, where=where, source=source, reference=row.reference)
        yield click.style(output.safe(text), fg=_STYLES.get(row.state))


def _document(stage: str, path: Path, moves: Iterable["Move"]) -> None:
    rows = [{"name": row.name, "reference": str(row.reference), "state": row.state} for row in moves]
    output.document({"stage": stage, "file": str(path), "secrets": rows})
