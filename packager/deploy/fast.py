"""`deploy --fast`: the code of functions alone, without CloudFormation, for stages that one develops on.

A function whose zip is not the deployed one gets the new code, and its alias is pointed to `$LATEST`, the code that is
no version. No version is published on purpose: Lambda refuses to publish the same code and configuration twice, and
CloudFormation, which publishes with the next deploy, would fail on a version that it did not make ("A version for this
Lambda function exists"). For the same reason a fast deploy cannot be gone back to; the releases before it can.

What differs besides code (variables, memory, routes, new functions, anything on Lambda@Edge) is not deployed but told.
The drift this leaves is ended by the next deploy: `settle` puts back code that CloudFormation would take for unchanged,
and `releases.reconcile` points the aliases to what the stacks published.
"""

import base64
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import environment, names
from infra.manifest import Function, Manifest
from infra.routes import api_routes, on_api
from infra.stage import Stage
from packager.deploy import live as lives
from packager.deploy import uploads
from packager.deploy.assembly import Assembly, Asset
from packager.deploy.aws import Aws, explained
from packager.deploy.live import UNPUBLISHED, Live, LiveFunction, Move, each
from packager.deploy.progress import Progress
from packager.deploy.staging import Bucket
from packager.errors import ToolError, UsageError

PROTECTED = frozenset({"prod", "production"})
"""Names of stages that are never deployed to in this way."""

_ORIGIN_KEY = "PACKAGER_ORIGIN_KEY"
_BUCKET = "cdk-hnb659fds-assets-${AWS::AccountId}-"
_UPDATE_SECONDS = 120.0
_POLL_SECONDS = 0.1
_LONGEST_POLL_SECONDS = 1.0
_GROWTH = 1.2


@dataclass(frozen=True, slots=True)
class Update:
    """A function that gets new code: its name in the manifest and at Lambda, and the zip."""

    function: str
    deployed: str
    sha256: str
    artifact: Path
    uploads: bool


@dataclass(frozen=True, slots=True)
class FastPlan:
    """What a fast deploy would do, and what it leaves to the next whole one, a line for people each."""

    updates: tuple[Update, ...]
    skipped: tuple[str, ...]


def check(stage: Stage) -> None:
    """Raise `UsageError` for a stage that people rely on. `--yes` does not help: pipelines always give it."""
    if stage.termination_protection:
        why = "has termination_protection"
    elif stage.canary is not None:
        why = "shifts its requests by CodeDeploy (canary)"
    elif stage.name.lower() in PROTECTED:
        why = "is called so"
    else:
        return
    raise UsageError(
        f"{stage.name} is not deployed to with --fast, since it {why}",
        hint="Deploy without --fast; it is for stages that one develops on.",
    )


def plan(aws: Aws, built: Manifest, stage: Stage, build: Path, live: Live) -> FastPlan:
    """Compare the build in the folder `build` with what is deployed. Raises `ToolError` if nothing is."""
    if not live.functions and not live.edge:
        raise ToolError(
            f"{stage.name} is not deployed, so that there is no code to replace",
            hint="Deploy without --fast first.",
        )
    there = {row.name: row for row in live.functions}
    behind = on_api(built)
    pairs = [
        (row, there[deployed])
        for row in built.functions
        if row.name in behind and (deployed := _deployed(built, stage, row)) in there
    ]
    with explained("comparing the code"):
        found = each(lambda pair: _configurations(aws, pair[1]), pairs)
        api = _api(aws, live.api)
    updates, skipped = [], list(_absent(built, stage, live))
    for (row, function), (latest, answering) in zip(pairs, found, strict=True):
        wanted = _spelled(row.sha256)
        if answering["CodeSha256"] != wanted:
            update = latest["CodeSha256"] != wanted
            updates.append(Update(row.name, function.name, row.sha256, build / row.artifact, update))
        skipped += _differences(row, built, stage, answering)
    skipped += _route_differences(built, stage, api)
    return FastPlan(tuple(updates), tuple(skipped))


def carry_out(
    aws: Aws, bucket: Bucket, live: Live, planned: FastPlan, progress: Progress
) -> tuple[Move, ...]:
    """Upload and replace the code, then point the aliases to it: all or none of them. Gives what moved.

    Raises `ToolError`; code may then be replaced that no request meets.
    """
    changed = [row for row in planned.updates if row.uploads]
    if changed:
        progress.step(f"uploading the code of {_counted(len(changed))}")
        assets = [_asset(row, bucket.region) for row in changed]
        uploads.upload(aws, assets, {bucket.region: bucket}, progress.sent)
        progress.step(f"replacing the code of {_counted(len(changed))}")
        each(lambda row: _replace(aws, row.deployed, bucket, row.sha256), changed)
    before = live.versions
    moves = tuple(
        Move(row.deployed, before[row.deployed], UNPUBLISHED)
        for row in planned.updates
        if before[row.deployed] != UNPUBLISHED
    )
    lives.shift(aws, live, moves)
    return moves


def settle(aws: Aws, assembly: Assembly, staged: Mapping[str, Bucket], live: Live) -> tuple[str, ...]:
    """End drift of code before `assembly`, which is uploaded, is deployed; gives the functions that got code.

    CloudFormation leaves code alone that the new template names as the old one did, and would publish whatever is
    there. So where Lambda has other code than the stack published last, and the new template names just that, it is put
    back. Nothing else can differ from what CloudFormation believes. Raises `ToolError`.
    """
    wanted = dict(_codes(assembly))
    rows = [row for row in live.functions if row.name in wanted and row.stacked]
    with explained("comparing the code"):
        published = lives.versions(aws, Live(live.region, tuple(rows)))
    adrift = [
        row.name
        for row in rows
        if (known := published[row.name])[UNPUBLISHED]
        != known.get(row.stacked or "")
        == _spelled(wanted[row.name])
    ]
    each(lambda name: _replace(aws, name, staged[live.region], wanted[name]), adrift)
    return tuple(adrift)


def _deployed(built: Manifest, stage: Stage, function: Function) -> str:
    return names.function_name(built.app.name, stage.name, function.name)


def _configurations(aws: Aws, function: LiveFunction) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the code that was updated last, and of what answers."""
    client = aws.client("lambda")
    latest = client.get_function_configuration(FunctionName=function.name)
    if function.version == UNPUBLISHED:
        return latest, latest
    return latest, client.get_function_configuration(FunctionName=function.name, Qualifier=function.version)


def _api(aws: Aws, api: str | None) -> dict[str, str]:
    """The route keys of the deployed API, and the function that each leads to."""
    if api is None:
        return {}
    client = aws.client("apigatewayv2")
    routes = _items(client, "get_routes", api)
    targets = {
        f"integrations/{row['IntegrationId']}": row.get("IntegrationUri", "")
        for row in _items(client, "get_integrations", api)
    }
    return {row["RouteKey"]: _named(targets.get(row.get("Target", ""), "")) for row in routes}


def _items(client: Any, call: str, api: str) -> list[dict[str, Any]]:
    return [row for page in client.get_paginator(call).paginate(ApiId=api) for row in page["Items"]]


def _named(uri: str) -> str:
    """The function in the ARN of an alias, or in the URI that API Gateway makes of it."""
    _, _, rest = uri.partition(":function:")
    return rest.partition(":")[0].partition("/")[0]


def _absent(built: Manifest, stage: Stage, live: Live) -> Iterator[str]:
    behind = on_api(built)
    known = {row.name for row in live.functions}
    for row in built.functions:
        name = _deployed(built, stage, row)
        if row.name in behind and name not in known:
            yield f"the function {row.name} is new"
        elif row.name not in behind:
            yield f"the function {row.name} runs on {row.target}, which takes a whole deploy"
    wanted = {_deployed(built, stage, row) for row in built.functions}
    yield from (f"the function {name} is no more in the build" for name in sorted(known - wanted))


def _differences(
    function: Function, built: Manifest, stage: Stage, deployed: Mapping[str, Any]
) -> Iterator[str]:
    """What of a function's configuration is not as the build has it. Values of variables are not told."""
    for key, what, wanted in (
        ("MemorySize", "memory", function.memory),
        ("Timeout", "max_duration", function.max_duration),
        ("Handler", "handler", function.handler),
    ):
        if deployed.get(key) != wanted:
            yield f"{what} of {function.name} is {deployed.get(key)} and would be {wanted}"
    there = {
        name: value
        for name, value in deployed.get("Environment", {}).get("Variables", {}).items()
        if name != _ORIGIN_KEY
    }
    wanted_variables = environment.variables(function, built, stage)
    differing = sorted(
        name for name in {*there, *wanted_variables} if there.get(name) != wanted_variables.get(name)
    )
    if differing:
        yield f"variables of {function.name} differ: {', '.join(differing)}"


def _route_differences(built: Manifest, stage: Stage, api: Mapping[str, str]) -> Iterator[str]:
    deployed = {row.name: _deployed(built, stage, row) for row in built.functions}
    wanted = {row.key: deployed[row.function] for row in api_routes(built)}
    for key in sorted({*api, *wanted}):
        if key not in api:
            yield f"the route {key} is new"
        elif key not in wanted:
            yield f"the route {key} is no more in the build"
        elif api[key] != wanted[key]:
            yield f"the route {key} goes to {api[key]} and would go to {wanted[key]}"


def _asset(update: Update, region: str) -> Asset:
    return Asset(
        path=update.artifact,
        hash=update.sha256,
        bucket_template=f"{_BUCKET}{region}",
        key=f"{update.sha256}.zip",
        region=region,
        sha256=update.sha256,
    )


def _replace(aws: Aws, name: str, bucket: Bucket, sha256: str) -> None:
    """Give a function the code of that hash from the staging bucket, and wait until it answers with it."""
    client = aws.client("lambda")
    with explained(f"replacing the code of {name}"):
        client.update_function_code(FunctionName=name, S3Bucket=bucket.name, S3Key=f"{sha256}.zip")
        deadline, pause = time.monotonic() + _UPDATE_SECONDS, _POLL_SECONDS
        while True:
            found = client.get_function_configuration(FunctionName=name)
            if found.get("LastUpdateStatus") != "InProgress":
                break
            if time.monotonic() > deadline:
                raise ToolError(
                    f"Lambda did not finish replacing the code of {name} in {round(_UPDATE_SECONDS)} s",
                    hint="Run the command again.",
                )
            time.sleep(pause)
            pause = min(pause * _GROWTH, _LONGEST_POLL_SECONDS)
    if found.get("LastUpdateStatus") == "Failed":
        reason = found.get("LastUpdateStatusReason") or "it does not say why"
        raise ToolError(
            f"Lambda could not replace the code of {name}: {reason}",
            hint="Mend that and run the command again.",
        )


def _codes(assembly: Assembly) -> Iterator[tuple[str, str]]:
    """The functions of all templates and the hashes of their zips, which their keys are made of."""
    for asset in _templates(assembly):
        resources = json.loads(asset.path.read_text(encoding="utf-8")).get("Resources", {})
        for row in resources.values():
            if row["Type"] == "AWS::Lambda::Function":
                key = row["Properties"]["Code"].get("S3Key")
                if isinstance(key, str):
                    yield row["Properties"]["FunctionName"], key.partition(".")[0]


def _templates(assembly: Assembly) -> Iterable[Asset]:
    return (asset for stack in assembly.stacks for asset in stack.assets if asset.is_template)


def _spelled(sha256: str) -> str:
    """A hash as Lambda spells it (`CodeSha256`)."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def _counted(functions: int) -> str:
    return f"{functions} function{'' if functions == 1 else 's'}"
