"""What answers at this moment, as AWS tells it, and how to have something else answer.

Functions behind the HTTP API answer with the version that their alias `live` points to, edge functions of the target
`lambda-edge` with the version that the distribution names. What a stack's own resources say is read too: after a
rollback the two differ, and CloudFormation does not mend it, since it compares templates and not what is there.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from infra import names
from infra.stage import EDGE_REGION
from packager.deploy.aws import Aws, explained
from packager.deploy.deployed import is_absent
from packager.errors import ToolError

ALIAS = "live"
UNPUBLISHED = "$LATEST"
"""The version that is no version: code that was updated and not published."""

_PARALLEL = 8


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack, or of a stack nested in it, which `nested` tells."""

    id: str
    type: str
    physical: str
    status: str
    nested: bool = False


@dataclass(frozen=True, slots=True)
class LiveFunction:
    """A function behind the HTTP API, under its deployed name.

    `version` is the alias's; `weights` are shares (0 to 1) of the requests that go to other versions, `revision` is
    the alias's own mark. `stacked` is the version that the stack published last, `version_id` its logical id.
    """

    name: str
    version: str
    revision: str
    weights: tuple[tuple[str, float], ...] = ()
    stacked: str | None = None
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class EdgeFunction:
    """A Lambda@Edge function: its ARN without version, the version of the distribution and that of the stack."""

    name: str
    arn: str
    version: str
    stacked: str


@dataclass(frozen=True, slots=True)
class Live:
    """What answers for a stage; `region` is the stage's, `distribution` and `api` are ids. Sorted by name.

    `web` are functions of the target `web-function`: the stack alone moves these to other revisions.
    """

    region: str
    functions: tuple[LiveFunction, ...] = ()
    edge: tuple[EdgeFunction, ...] = ()
    distribution: str | None = None
    api: str | None = None
    web: tuple[str, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        return {row.name: row.version for row in self.functions}

    @property
    def edge_versions(self) -> dict[str, str]:
        return {row.name: row.version for row in self.edge}

    @property
    def is_split(self) -> bool:
        """Whether some requests go to one version and some to another."""
        return any(row.weights for row in self.functions)


@dataclass(frozen=True, slots=True)
class Move:
    """A function that is to answer with another version, or with that one alone; `edge`: through the distribution."""

    function: str
    before: str
    after: str
    edge: bool = False


def read(aws: Aws, app: str, stage: str) -> Live:
    """What answers for the stage of the app. Empty if nothing is deployed. Raises `ToolError`."""
    with explained("reading what is live"):
        found = resources(aws, names.stack_name(app, stage, "api"), aws.region)
        published = {
            _function(row.physical): (row.physical.rpartition(":")[2], row.id)
            for row in found
            if row.type == "AWS::Lambda::Version"
        }
        called = [_function(row.physical) for row in found if row.type == "AWS::Lambda::Alias"]
        functions = each(lambda name: _live(aws, name, *published.get(name, (None, None))), sorted(called))
        beyond = resources(aws, names.stack_name(app, stage, "edge"), EDGE_REGION)
        distribution, edge = _edge(aws, beyond)
    api = next((row.physical for row in found if row.type == "AWS::ApiGatewayV2::Api"), None)
    web = sorted(row.physical for row in beyond if row.type == "AWS::Lambda::WebFunction")
    return Live(aws.region, tuple(row for row in functions if row), edge, distribution, api, tuple(web))


def resources(aws: Aws, stack: str, region: str) -> tuple[Resource, ...]:
    """The resources of a stack and of those nested in it; none if there is no such stack."""
    return tuple(_resources(aws.client("cloudformation", region), stack, nested=False))


def versions(aws: Aws, live: Live) -> dict[str, dict[str, str]]:
    """The versions that exist of every function: number to hash of the code, `CodeSha256` as Lambda spells it."""
    rows = [(row.name, live.region) for row in live.functions] + [
        (row.name, EDGE_REGION) for row in live.edge
    ]
    with explained("reading the versions of the functions"):
        found = each(lambda row: _versions(aws, *row), rows)
    return {name: known for (name, _), known in zip(rows, found, strict=True)}


def shift(aws: Aws, live: Live, moves: Sequence[Move]) -> None:
    """Have functions answer with other versions: all of them or, if one cannot, none.

    The aliases move within seconds; what CloudFront runs follows within minutes. Raises `ToolError`; what has moved
    by then, and on Ctrl-C too, is put back first.
    """
    by_name = {row.name: row for row in live.functions}
    aliases = [(by_name[move.function], move.after) for move in moves if not move.edge]
    moved: list[LiveFunction] = []
    try:
        with explained("moving the aliases"):
            _move(aws, aliases, moved)
        _associate(aws, live, [move for move in moves if move.edge])
    except BaseException as error:
        stuck = put_back(aws, live, [row.name for row in moved])
        if isinstance(error, ToolError):
            raise _unmoved(error, stuck) from error
        raise


def put_back(aws: Aws, live: Live, moved: Iterable[str]) -> list[str]:
    """Have the functions `moved` answer as they did in `live`; gives the names of those where that failed.

    One that does not exist any more is passed over.
    """
    before = {row.name: row for row in live.functions}
    gone = aws.client("lambda").exceptions.ResourceNotFoundException
    stuck = []
    for name in moved:
        try:
            with explained(f"putting {name} back"), suppress(gone):
                set_alias(aws, replace(before[name], revision=""), before[name].version, before[name].weights)
        except ToolError:
            stuck.append(name)
    return stuck


def set_alias(
    aws: Aws, function: LiveFunction, version: str, weights: Iterable[tuple[str, float]] = ()
) -> None:
    """Point the alias to a version, unless it was changed since it was read; without `revision`, in any case."""
    client = aws.client("lambda")
    wanted = dict(weights)
    try:
        client.update_alias(
            FunctionName=function.name,
            Name=ALIAS,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": wanted},
            **({"RevisionId": function.revision} if function.revision else {}),
        )
    except client.exceptions.PreconditionFailedException:
        # An answer that was lost: the call was made again, and the first one had done it.
        found = client.get_alias(FunctionName=function.name, Name=ALIAS)
        if (found["FunctionVersion"], _weights(found)) != (version, tuple(wanted.items())):
            raise


def each[T, R](work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """The results of calls that wait for AWS, several at a time, in order."""
    if not items:
        return []
    with ThreadPoolExecutor(min(_PARALLEL, len(items)), thread_name_prefix="lambda") as pool:
        return list(pool.map(work, items))


def _resources(client: Any, stack: str, *, nested: bool) -> Iterator[Resource]:
    try:
        for page in client.get_paginator("list_stack_resources").paginate(StackName=stack):
            for row in page["StackResourceSummaries"]:
                found = Resource(
                    row["LogicalResourceId"],
                    row["ResourceType"],
                    row.get("PhysicalResourceId", ""),
                    row["ResourceStatus"],
                    nested,
                )
                yield found
                if found.type == "AWS::CloudFormation::Stack" and found.physical:
                    yield from _resources(client, found.physical, nested=True)
    except client.exceptions.ClientError as error:
        if not is_absent(error):
            raise


def _live(aws: Aws, name: str, stacked: str | None, version_id: str | None) -> LiveFunction | None:
    client = aws.client("lambda")
    with suppress(client.exceptions.ResourceNotFoundException):
        found = client.get_alias(FunctionName=name, Name=ALIAS)
        return LiveFunction(
            name,
            found["FunctionVersion"],
            found.get("RevisionId", ""),
            _weights(found),
            stacked,
            version_id,
        )
    return None


def _weights(alias: dict[str, Any]) -> tuple[tuple[str, float], ...]:
    return tuple((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {}).items())


def _edge(aws: Aws, found: Sequence[Resource]) -> tuple[str | None, tuple[EdgeFunction, ...]]:
    distribution = next((row.physical for row in found if row.type == "AWS::CloudFront::Distribution"), None)
    published = {_function(row.physical): row.physical for row in found if row.type == "AWS::Lambda::Version"}
    if not distribution or not published:
        return distribution, ()
    answer = aws.client("cloudfront", EDGE_REGION).get_distribution_config(Id=distribution)
    used = {
        _function(row["LambdaFunctionARN"]): row["LambdaFunctionARN"]
        for row in _associations(answer["DistributionConfig"])
    }
    rows = []
    for name, arn in sorted(published.items()):
        plain, _, stacked = arn.rpartition(":")
        rows.append(EdgeFunction(name, plain, used.get(name, arn).rpartition(":")[2], stacked))
    return distribution, tuple(rows)


def _associations(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    behaviours = [config["DefaultCacheBehavior"], *(config.get("CacheBehaviors") or {}).get("Items", [])]
    for behaviour in behaviours:
        yield from (behaviour.get("LambdaFunctionAssociations") or {}).get("Items", [])


def _function(arn: str) -> str:
    """The name in an ARN of a version or an alias, `arn:aws:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER`."""
    return arn.split(":")[6]


def _versions(aws: Aws, name: str, region: str) -> dict[str, str]:
    pages = (
        aws.client("lambda", region).get_paginator("list_versions_by_function").paginate(FunctionName=name)
    )
    return {row["Version"]: row["CodeSha256"] for page in pages for row in page["Versions"]}


def _move(aws: Aws, aliases: Sequence[tuple[LiveFunction, str]], moved: list[LiveFunction]) -> None:
    """Move aliases several at a time; `moved` gets those that did move, or may have. Raises the first failure."""
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="lambda") as pool:
        futures: list[tuple[LiveFunction, Future[None]]] = []
        try:
            for function, version in aliases:
                futures.append((function, pool.submit(set_alias, aws, function, version)))
            wait([future for _, future in futures])
        finally:
            pool.shutdown(cancel_futures=True)
            moved += [row for row, future in futures if not future.cancelled() and not future.exception()]
        for _, future in futures:
            future.result()


def _associate(aws: Aws, live: Live, moves: Sequence[Move]) -> None:
    """Have the distribution name other versions, wherever it names one of the functions."""
    if not moves:
        return
    wanted = {row.arn: move.after for row in live.edge for move in moves if move.function == row.name}
    with explained("changing the distribution"):
        client = aws.client("cloudfront", EDGE_REGION)
        answer = client.get_distribution_config(Id=live.distribution)
        config = answer["DistributionConfig"]
        for row in _associations(config):
            plain = row["LambdaFunctionARN"].rpartition(":")[0]
            if plain in wanted:
                row["LambdaFunctionARN"] = f"{plain}:{wanted[plain]}"
        client.update_distribution(Id=live.distribution, IfMatch=answer["ETag"], DistributionConfig=config)


def _unmoved(error: ToolError, stuck: Sequence[str]) -> ToolError:
    if not stuck:
        return ToolError(f"{error.message}; what had moved was put back", hint=error.hint)
    return ToolError(
        f"{error.message}; {', '.join(stuck)} had moved and could not be put back",
        hint=f"{error.hint} `packager releases` shows what is live; `packager rollback --to N` puts it right.",
    )
