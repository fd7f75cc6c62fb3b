"""The log groups of a stage: those that its stacks have, and those that Lambda@Edge makes elsewhere.

A replica of a Lambda@Edge function logs in the region that it runs in, which is near to whoever asked (CloudFront
Developer Guide, "CloudWatch Logs and Lambda@Edge").
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from infra import names
from infra.stage import EDGE_REGION, Stage
from packager.deploy import live
from packager.deploy.aws import Aws, error_code, explained
from packager.errors import ToolError, UsageError

REPLICA_REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ap-northeast-1", "ap-northeast-2", "ap-south-1"),
    *("ap-southeast-1", "ap-southeast-2", "eu-central-1", "eu-west-1", "eu-west-2", "sa-east-1"),
)
"""Where CloudFront has its regional edge caches, which origin-request functions run beside."""

_REPLICA = f"{EDGE_REGION}."
_WEB = "web/"
_REFUSED = {"AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", "OptInRequired"}


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A log group, its region, and the name that the manifest has for the function that writes to it."""

    name: str
    region: str
    function: str


@dataclass(frozen=True, slots=True)
class Found:
    """The log groups of a stage, and the regions that the caller was not let into while looking for more."""

    groups: tuple[LogGroup, ...]
    refused: tuple[str, ...] = ()


def find(aws: Aws, app: str, stage: Stage, functions: Iterable[str] = ()) -> Found:
    """The log groups of the stage's functions, of all or of those named `functions`.

    Raises `ToolError` if the stage is not deployed, or AWS does not answer, `UsageError` for a function that the
    deployed stage does not have.
    """
    stacks = [(names.stack_name(app, stage.name, "api"), stage.region)]
    stacks += [(names.stack_name(app, stage.name, "edge"), EDGE_REGION)]
    with ThreadPoolExecutor(len(stacks)) as pool, explained(f"looking for the stacks of {stage.name}"):
        listed = list(pool.map(lambda row: live.resources(aws, *row), stacks))
    if not any(listed):
        raise ToolError(
            f"the stage {stage.name} of {app} is not deployed: {stage.region} has no stack {stacks[0][0]}",
            hint=f"Deploy it with `packager deploy --stage {stage.name}`, or check the account and the region.",
        )
    own = {
        _labelled(row.physical, region, app, stage)
        for (_, region), rows in zip(stacks, listed, strict=True)
        for row in rows
        # what API Gateway writes is a line for each request, in another format
        if row.type == "AWS::Logs::LogGroup" and row.physical.startswith(names.log_group(""))
    }
    wanted = _chosen(own, functions)
    replicas, refused = _replicas(aws, [row for row in wanted if _REPLICA in row.name])
    return Found(tuple(sorted({*wanted, *replicas}, key=lambda row: (row.function, row.region))), refused)


def _chosen(groups: set[LogGroup], functions: Iterable[str]) -> list[LogGroup]:
    known = {names.slug(row.function): row.function for row in groups}
    chosen = {names.slug(name) for name in functions}
    if unknown := sorted(chosen - known.keys()):
        raise UsageError(
            f"the deployed stage has no function {unknown[0]!r}",
            hint=f"It has {', '.join(sorted(known))}." if known else "It has none at all.",
        )
    return [row for row in groups if not chosen or names.slug(row.function) in chosen]


def _labelled(name: str, region: str, app: str, stage: Stage) -> LogGroup:
    deployed = name.removeprefix(names.log_group("")).removeprefix(_REPLICA).removeprefix(_WEB)
    return LogGroup(name, region, deployed.removeprefix(f"{names.prefix(app, stage.name)}-"))


def _replicas(aws: Aws, edge: list[LogGroup]) -> tuple[list[LogGroup], tuple[str, ...]]:
    """The log groups of the same functions in other regions; a region that the caller may not look into is passed."""
    places = sorted({*REPLICA_REGIONS, aws.region} - {row.region for row in edge}) if edge else []
    if not places:
        return [], ()
    with ThreadPoolExecutor(len(places)) as pool, explained("looking for the logs of Lambda@Edge"):
        answers = list(pool.map(lambda region: list(_in_region(aws, region, edge)), places))
    found = [row for answer in answers for row in answer if row is not None]
    return found, tuple(place for place, answer in zip(places, answers, strict=True) if None in answer)


def _in_region(aws: Aws, region: str, edge: list[LogGroup]) -> Iterator[LogGroup | None]:
    logs: Any = aws.client("logs", region)
    for group in edge:
        try:
            answer = logs.describe_log_groups(logGroupNamePrefix=group.name)
        except logs.exceptions.ClientError as error:
            if error_code(error) not in _REFUSED:
                raise
            yield None
            return
        if any(row["logGroupName"] == group.name for row in answer["logGroups"]):
            yield LogGroup(group.name, region, group.function)
