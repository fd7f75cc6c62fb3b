"""Back to an earlier release within seconds: aliases and edge versions move, nothing is built or uploaded.

A version of a function is its code with its configuration and variables, so these go back together. Routes of the API,
roles and everything else that only the stacks have stay as they are; where that matters, the plan says so. Requests
meet the old release once all has moved. The next deploy puts the newest versions forward again
(`releases.reconcile`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packager.deploy import live as lives
from packager.deploy import releases
from packager.deploy.aws import Aws
from packager.deploy.live import Live, Move
from packager.deploy.releases import Build, Ledger, Release
from packager.errors import ToolError, UsageError


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """What going back to `release` would do: `moves`, none if it is live already, and what stays behind.

    `newer` are functions that did not exist then and stay as they are; `gone` existed and do no longer. `web` are web
    functions, which only a deploy changes. `routes` has a line for each route of the API that differs from the
    release's.
    """

    release: Release
    moves: tuple[Move, ...]
    newer: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    web: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()


def plan(
    found: Sequence[Release], live: Live, known: Mapping[str, Mapping[str, str]], to: int | None = None
) -> RollbackPlan:
    """Plan to go back to release `to`, or to the build before the one that is live.

    `found` are the releases, oldest first, `known` the versions that exist (`live.versions`). Raises `UsageError` if
    there is no release `to`, `ToolError` if none is before, or one cannot be gone back to.
    """
    release = _chosen(found, to) if to is not None else _before(found, live)
    _check(release, known)
    aliases = [
        Move(row.name, row.version, release.functions[row.name])
        for row in live.functions
        if row.name in release.functions and (row.version != release.functions[row.name] or row.weights)
    ]
    edge = [
        Move(row.name, row.version, release.edge[row.name], edge=True)
        for row in live.edge
        if row.name in release.edge and row.version != release.edge[row.name]
    ]
    then, now = {**release.functions, **release.edge}, {**live.versions, **live.edge_versions}
    return RollbackPlan(
        release,
        (*aliases, *edge),
        newer=tuple(sorted(now.keys() - then.keys())),
        gone=tuple(sorted(then.keys() - now.keys())),
        web=live.web,
        routes=_routes(release.routes, _last_whole(found).routes),
    )


def carry_out(
    aws: Aws, ledger: Ledger, live: Live, planned: RollbackPlan, found: Sequence[Release]
) -> Release:
    """Move everything, all or nothing, and record it; `found` and `live` as for `plan`. Raises `ToolError`."""
    lives.shift(aws, live, planned.moves)
    release = planned.release
    return releases.record(
        aws,
        ledger,
        kind="rollback",
        build=Build(release.build, _last_whole(found).routes, release.commit, release.dirty),
        live=lives.read(aws, ledger.app, ledger.stage),
        of=release.number,
    )


def never_deployed() -> ToolError:
    """The error of a stage that has no releases."""
    return ToolError("there is no release to go back to", hint="Deploy the stage with `packager deploy`.")


def _chosen(found: Sequence[Release], number: int) -> Release:
    for row in found:
        if row.number == number:
            return row
    known = ", ".join(str(row.number) for row in found)
    raise UsageError(
        f"there is no release {number}",
        hint=f"Releases that are kept: {known}; `packager releases` shows them."
        if known
        else "Nothing was deployed with `packager deploy` yet.",
    )


def _before(found: Sequence[Release], live: Live) -> Release:
    """The newest release that was deployed before what is live, and is another one."""
    if not found:
        raise never_deployed()
    now = releases.current(found, live) or found[-1]
    origin = now.of or now.number
    for row in reversed(found):
        earlier = row.number < origin and row.kind == "deploy"
        if earlier and (row.functions, row.edge) != (now.functions, now.edge):
            return row
    raise ToolError(
        f"there is no release before {origin}, which is live",
        hint="Deploy the commit that you want back; `packager releases` shows what there is.",
    )


def _last_whole(found: Sequence[Release]) -> Release:
    """The newest release that has the routes of the API: a fast deploy changes none."""
    return next((row for row in reversed(found) if row.kind != "fast"), found[-1])


def _check(release: Release, known: Mapping[str, Mapping[str, str]]) -> None:
    if not release.is_published:
        raise ToolError(
            f"release {release.number} was a fast deploy, whose code was not kept",
            hint="Choose another one with --to, or deploy its commit.",
        )
    lost = [
        f"{name} {version}"
        for name, version in {**release.functions, **release.edge}.items()
        if name in known and version not in known[name]
    ]
    if lost:
        raise ToolError(
            f"versions of release {release.number} do not exist any more: {', '.join(lost)}",
            hint=f"Deploy {f'the commit {release.commit}' if release.commit else 'its source'} instead.",
        )


def _routes(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    rows = []
    for path in sorted({*then, *now}):
        if path not in now:
            rows.append(f"{path} had a route then and has none now")
        elif path not in then:
            rows.append(f"{path} had no route then and goes to {now[path]}")
        elif then[path] != now[path]:
            rows.append(f"{path} went to {then[path]} then and goes to {now[path]}")
    return tuple(rows)
