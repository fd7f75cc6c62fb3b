"""What a person asks of the logs, made precise: the stage's log groups, a time, a route that the build knows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from infra import manifest
from infra.manifest import Route
from infra.stage import Stage
from packager import stages
from packager.deploy import log_groups, logs
from packager.deploy.aws import Aws, connect
from packager.deploy.log_groups import Found
from packager.deploy.log_lines import Level
from packager.deploy.log_records import Record
from packager.deploy.logs import Wanted
from packager.deploy.moments import moment
from packager.deploy.requested import matching
from packager.errors import UsageError
from packager.project import load
from packager.staging import OUTPUT


@dataclass(frozen=True, slots=True)
class Query:
    """A question to the logs of a stage; `functions` are those that it is about, none for all."""

    aws: Aws
    app: str
    stage: Stage
    found: Found
    since: datetime
    until: datetime
    wanted: Wanted
    functions: tuple[str, ...] = ()


def query(  # noqa: PLR0913 - one for each option of the command
    folder: Path,
    stage: str | None,
    *,
    since: str,
    now: datetime,
    until: str | None = None,
    route: str | None = None,
    functions: Iterable[str] = (),
    level: Level = "debug",
    profile: str | None = None,
) -> Query:
    """The question that the options of `packager logs` ask. AWS is asked which log groups there are.

    Raises `UsageError` for times, routes and functions that there are not, `ToolError` if the stage is not deployed,
    and what `project.load`, `stages.read` and `connect` raise.
    """
    project = load(folder)
    chosen = stages.named(project, stage)
    start, end = moment(since, now, "--since"), moment(until, now, "--until") if until else now
    if end < start:
        raise UsageError(f"--until {until} lies before --since {since}", hint="Give an earlier --since.")
    asked = route_named(project.root / OUTPUT, route) if route else None
    names = tuple(functions) or ((asked.function,) if asked else ())
    aws = connect(chosen.region, profile=profile, account=chosen.account)
    found = log_groups.find(aws, project.name, chosen, names)
    return Query(
        aws, project.name, chosen, found, start, end, Wanted(level, asked.path if asked else None), names
    )


def records(asked: Query, *, follow: bool) -> Iterator[Record]:
    """What the logs say to it; with `follow` it goes on without end. Raises `ToolError`."""
    if follow:
        found = logs.follow(
            asked.aws,
            lambda: log_groups.find(asked.aws, asked.app, asked.stage, asked.functions),
            asked.since,
        )
    else:
        found = logs.read(asked.aws, asked.found.groups, asked.since, asked.until)
    return logs.chosen(found, asked.wanted)


def route_named(build: Path, name: str) -> Route:
    """The route of the output `build` that a path (`/api/users/[id]`) or a URL's path (`/api/users/7`) means.

    Raises `UsageError` if there is none, or no build.
    """
    try:
        built = manifest.read(build)
    except (FileNotFoundError, manifest.ManifestError) as error:
        raise UsageError(
            "which function a route is in is not known, since nothing is built here",
            hint="Run `packager build`, or choose with --function.",
        ) from error
    for row in built.routes:
        if row.path == name:
            return row
    found = matching(built, name)
    if found is None:
        raise UsageError(f"no route answers {name}", hint="`packager routes` lists all of them.")
    return found.value
