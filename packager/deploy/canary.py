"""A canary: some of the requests meet the new versions first, and none any more as soon as an alarm goes off.

CloudFormation moves an alias to a new version at once and wholly. So that this never happens, a canary deploys twice:

1. `pinned` is the assembly with the API stack alone, in whose templates each alias stays at the version that is live
   and gives the new version its share (`RoutingConfig`). CloudFormation publishes the new version and sets the share in
   one update of the alias: no request before it, and no more than the share after it, meets the new version.
2. `watch` follows the stage's alarms. If one goes off, if AWS stops answering or on Ctrl-C, the old versions get
   everything back.
3. The assembly itself is deployed. It differs in the aliases alone, which now move wholly, and the stack is what synth
   wrote: the next deploy finds no change. The edge and ops stacks follow.

All else that the API stack has, such as routes and roles, changes with the first step. Versions of Lambda@Edge cannot
have shares; they follow with the third. A process that is killed in between leaves the shares as they are, and the
next deploy ends them. Stages whose settings leave the shifting to CodeDeploy (`canary`) have it done by that alone.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra import names
from infra.stage import EDGE_REGION, Stage
from packager.deploy import live as lives
from packager.deploy.assembly import Assembly, Asset
from packager.deploy.aws import Aws, explained
from packager.deploy.live import ALIAS, UNPUBLISHED, Live, LiveFunction
from packager.deploy.progress import Progress
from packager.errors import ToolError, UsageError

_FORM = re.compile(r"(?P<percent>\d{1,2})%\s*,\s*(?P<count>\d{1,5})(?P<unit>[smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_POLL_SECONDS = 5.0
_TOLD_SECONDS = 60.0
_ALARMS_AT_ONCE = 100
"""Names in one call (CloudWatch, DescribeAlarms)."""


@dataclass(frozen=True, slots=True)
class Share:
    """What new versions get at first: `percent` of the requests, 1 to 99, for `seconds`."""

    percent: int
    seconds: float

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.seconds), 60)
        return f"{self.percent} % for {f'{minutes} min' if not seconds else f'{round(self.seconds)} s'}"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of the stage; `since` is when it went into the state that it is in."""

    name: str
    region: str
    ringing: bool
    since: datetime
    reason: str = ""


def parse(text: str) -> Share:
    """What `10%,5m` says; seconds (`s`) and hours (`h`) are possible too. Raises `UsageError`."""
    found = _FORM.fullmatch(text.strip())
    if found is None or not int(found["percent"]) or not int(found["count"]):
        raise UsageError(
            f"{text!r} is no canary",
            hint="Give the share of the requests, 1 to 99 %, and how long it is watched: --canary 10%,5m",
        )
    return Share(int(found["percent"]), float(int(found["count"]) * _SECONDS[found["unit"]]))


def check(aws: Aws, app: str, stage: Stage, live: Live) -> None:
    """Raise unless a canary can be done: `UsageError` for settings against it, `ToolError` for the stage's state.

    A stage that is not deployed yet has nothing to compare with, and passes.
    """
    if stage.canary is not None:
        raise UsageError(
            f"the requests of {stage.name} are shifted by CodeDeploy already, which the setting canary asks for",
            hint="Deploy without --canary; or remove `canary` from the stage and deploy once.",
        )
    if not live.functions:
        return
    unpublished = [row.name for row in live.functions if row.version == UNPUBLISHED]
    if unpublished:
        raise ToolError(
            f"{', '.join(unpublished)} was deployed with --fast: code that is no version gets no share of the requests",
            hint="Deploy once without --canary.",
        )
    found = alarms(aws, app, stage.name)
    if not found:
        raise ToolError(f"{stage.name} has no alarms to watch", hint="Deploy without --canary.")
    _check_quiet(found, "so that it could say nothing of the new versions")


def pinned(
    assembly: Assembly, app: str, stage: str, live: Live, share: Share, folder: Path
) -> Assembly | None:
    """The assembly for the first step; None if no function that is live gets a new version.

    Its changed templates are written into `folder`, which has to be there until it is deployed.
    """
    name = names.stack_name(app, stage, "api")
    stack = next((row for row in assembly.stacks if row.name == name), None)
    if stack is None:
        return None
    functions = {row.name: row for row in live.functions}
    written: dict[str, Asset] = {}
    for asset in (row for row in stack.assets if row.is_template and row != stack.template):
        text = _pinned_text(asset.path.read_text(encoding="utf-8"), functions, share)
        if text is not None:
            written[asset.key] = _template(asset, text, folder)
    text = stack.template.path.read_text(encoding="utf-8")
    changed = _pinned_text(text, functions, share)
    if changed is None and not written:
        return None
    root = changed or text
    for key, asset in written.items():
        root = root.replace(key, asset.key)
    template = _template(stack.template, root, folder)
    written[stack.template.key] = template
    assets = tuple(written.get(row.key, row) for row in stack.assets)
    return Assembly(assembly.folder, (replace(stack, template=template, assets=assets, depends_on=()),))


def alarms(aws: Aws, app: str, stage: str) -> tuple[Alarm, ...]:
    """The alarms that the stage's stacks have made, with their states. Raises `ToolError`."""
    found: list[Alarm] = []
    with explained("asking for the alarms"):
        for stack, region in (
            (names.stack_name(app, stage, "ops"), aws.region),
            (names.stack_name(app, stage, "edge"), EDGE_REGION),
        ):
            rows = lives.resources(aws, stack, region)
            alarm_names = [row.physical for row in rows if row.type == "AWS::CloudWatch::Alarm"]
            found += _states(aws, region, alarm_names)
    return tuple(found)


def watch(
    aws: Aws,
    before: Live,
    watched: Sequence[Alarm],
    share: Share,
    progress: Progress,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Return once the time is over without an alarm; otherwise give the old versions everything back and raise.

    `before` is what was live before the first step, `watched` the alarms; `check` raises if the new versions are not
    fit from the first. Raises `ToolError` with the alarm and since when, and what stopped it otherwise.
    """
    try:
        check()
        progress.step(f"watching {len(watched)} alarms, {share} of the requests to the new versions")
        begun = told = time.monotonic()
        while (left := share.seconds - (time.monotonic() - begun)) > 0:
            _check_quiet(_again(aws, watched), "so that the canary has ended")
            if time.monotonic() - told >= _TOLD_SECONDS:
                told = time.monotonic()
                progress.note(f"no alarm, {round(left)} s to go")
            time.sleep(min(_POLL_SECONDS, left))
        _check_quiet(_again(aws, watched), "so that the canary has ended")
    except BaseException as error:
        whole = replace(before, functions=tuple(replace(row, weights=()) for row in before.functions))
        stuck = lives.put_back(aws, whole, [row.name for row in before.functions])
        if stuck:
            raise _stuck(stuck, str(error)) from error
        progress.note("the old versions have all requests again")
        raise


def _check_quiet(found: Iterable[Alarm], so: str) -> None:
    for row in found:
        if row.ringing:
            raise ToolError(
                f"the alarm {row.name} is on since {row.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {so}"
                + (f" ({row.reason})" if row.reason else ""),
                hint="`packager logs` shows what the functions say. Mend it and deploy again.",
            )


def _states(aws: Aws, region: str, alarm_names: Sequence[str]) -> list[Alarm]:
    client = aws.client("cloudwatch", region)
    found = []
    for start in range(0, len(alarm_names), _ALARMS_AT_ONCE):
        some = list(alarm_names[start : start + _ALARMS_AT_ONCE])
        for page in client.get_paginator("describe_alarms").paginate(AlarmNames=some):
            found += [_alarm(row, region) for row in page["MetricAlarms"]]
    return found


def _alarm(row: dict[str, Any], region: str) -> Alarm:
    since = row.get("StateTransitionedTimestamp") or row["StateUpdatedTimestamp"]
    return Alarm(row["AlarmName"], region, row["StateValue"] == "ALARM", since, row.get("StateReason", ""))


def _again(aws: Aws, watched: Sequence[Alarm]) -> list[Alarm]:
    with explained("asking for the alarms"):
        return [
            alarm
            for region in sorted({row.region for row in watched})
            for alarm in _states(aws, region, [row.name for row in watched if row.region == region])
        ]


def _pinned_text(text: str, functions: dict[str, LiveFunction], share: Share) -> str | None:
    """The template with its aliases pinned; None if that changes nothing."""
    template = json.loads(text)
    resources = template.get("Resources", {})
    changed = False
    for row in resources.values():
        if row["Type"] != "AWS::Lambda::Alias" or row["Properties"].get("Name") != ALIAS:
            continue
        properties = row["Properties"]
        named = resources[properties["FunctionName"]["Ref"]]["Properties"]["FunctionName"]
        new = properties["FunctionVersion"]
        function = functions.get(named)
        if function is None or _stays(function, new["Fn::GetAtt"][0]):
            continue
        weight = {"FunctionVersion": new, "FunctionWeight": share.percent / 100}
        properties["FunctionVersion"] = function.version
        properties["RoutingConfig"] = {"AdditionalVersionWeights": [weight]}
        changed = True
    return json.dumps(template, indent=1) if changed else None


def _stays(function: LiveFunction, version_id: str) -> bool:
    return function.version_id == version_id and function.stacked == function.version


def _template(asset: Asset, text: str, folder: Path) -> Asset:
    """A template that takes the place of another one."""
    content = text.encode()
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{digest}.template.json"
    path.write_bytes(content)
    return replace(asset, path=path, hash=digest, key=f"{digest}.json", sha256=digest)


def _stuck(stuck: Sequence[str], why: str) -> ToolError:
    commands = "; ".join(
        f"aws lambda update-alias --function-name {name} --name {ALIAS} --routing-config AdditionalVersionWeights={{}}"
        for name in stuck
    )
    return ToolError(
        f"{', '.join(stuck)} still sends some requests to the new version, and could not be set back ({why})",
        hint=f"Run `packager rollback`, or: {commands}",
    )
