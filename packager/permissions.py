"""What the functions of an app have to be allowed at AWS, as a suggestion: read from the boto3 calls in their modules.

Actions have the names of the operations; where IAM calls them otherwise, this module says so (AWS, "Service
Authorization Reference"). What a call works on is known if its name is a literal, a constant or a variable of `.env`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra import manifest
from infra.manifest import Runtime
from packager import aws_calls, aws_models, grouping
from packager.aws_calls import Call
from packager.errors import UsageError
from packager.examine import Examination
from packager.functions import Function, alone, functions
from packager.why import route_named


@dataclass(frozen=True, slots=True)
class Site:
    """A call in the project."""

    file: str
    line: int
    call: str


@dataclass(frozen=True, slots=True)
class Statement:
    """Actions on the same resources, and the calls that need them; `narrow`: what they work on is not known."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    narrow: bool
    calls: tuple[Site, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What one function needs; `unknown` are clients of services that the source does not say literally."""

    function: str
    runtime: Runtime
    statements: tuple[Statement, ...]
    unknown: tuple[Site, ...]


_ACTIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("dynamodb", "ExecuteStatement"): ("PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"),
    ("dynamodb", "TransactGetItems"): ("GetItem",),
    ("dynamodb", "TransactWriteItems"): ("ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem"),
    ("bedrock-runtime", "Converse"): ("InvokeModel",),
    ("bedrock-runtime", "ConverseStream"): ("InvokeModelWithResponseStream",),
    ("kms", "ReEncrypt"): ("ReEncryptFrom", "ReEncryptTo"),
    ("lambda", "Invoke"): ("InvokeFunction",),
    ("lambda", "InvokeAsync"): ("InvokeFunction",),
    ("lambda", "InvokeWithResponseStream"): ("InvokeFunction",),
    ("s3", "CompleteMultipartUpload"): ("PutObject",),
    ("s3", "CopyObject"): ("GetObject", "PutObject"),
    ("s3", "CreateMultipartUpload"): ("PutObject",),
    ("s3", "DeleteObjects"): ("DeleteObject",),
    ("s3", "HeadBucket"): ("ListBucket",),
    ("s3", "HeadObject"): ("GetObject",),
    ("s3", "ListBuckets"): ("ListAllMyBuckets",),
    ("s3", "ListMultipartUploads"): ("ListBucketMultipartUploads",),
    ("s3", "ListObjectVersions"): ("ListBucketVersions",),
    ("s3", "ListObjects"): ("ListBucket",),
    ("s3", "ListObjectsV2"): ("ListBucket",),
    ("s3", "ListParts"): ("ListMultipartUploadParts",),
    ("s3", "UploadPart"): ("PutObject",),
    ("s3", "UploadPartCopy"): ("GetObject", "PutObject"),
    ("sns", "PublishBatch"): ("Publish",),
    ("sqs", "ChangeMessageVisibilityBatch"): ("ChangeMessageVisibility",),
    ("sqs", "DeleteMessageBatch"): ("DeleteMessage",),
    ("sqs", "SendMessageBatch"): ("SendMessage",),
}
"""The operations whose actions have other names."""

_ARNS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "dynamodb": (
        ("TableName", "arn:aws:dynamodb:*:*:table/{}"),
        ("RequestItems", "arn:aws:dynamodb:*:*:table/{}"),
    ),
    "events": (("EventBusName", "arn:aws:events:*:*:event-bus/{}"),),
    "firehose": (("DeliveryStreamName", "arn:aws:firehose:*:*:deliverystream/{}"),),
    "kinesis": (("StreamName", "arn:aws:kinesis:*:*:stream/{}"),),
    "kms": (("KeyId", "arn:aws:kms:*:*:key/{}"),),
    "lambda": (("FunctionName", "arn:aws:lambda:*:*:function:{}"),),
    "secretsmanager": (("SecretId", "arn:aws:secretsmanager:*:*:secret:{}-??????"),),
    "sqs": (("QueueName", "arn:aws:sqs:*:*:{}"),),
    "bedrock-runtime": (("modelId", "arn:aws:bedrock:*::foundation-model/{}"),),
    "cognito-idp": (("UserPoolId", "arn:aws:cognito-idp:*:*:userpool/{}"),),
}
"""The parameter that names what an operation works on, and the ARN of it."""

_QUEUE = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com/(\d{12})/([\w.-]+)")
_OF_BUCKET = re.compile(r"s3:(ListBucket.*|(Get|Put|Delete)Bucket.*|CreateBucket)")


def suggest(examined: Examination, name: str | None, out: Path | None = None) -> tuple[Suggestion, ...]:
    """What each function needs: all of them, or the one called `name`, or the one of a route.

    For a route (its path, file or a URL) only what the route itself reaches counts. `out` is the build output of the
    app's present state, if there is one. Raises `UsageError` if the app has neither route nor function `name`.
    """
    app = examined.app
    rows = manifest.read(out).routes if out else grouping.rows(app)
    names = {row.path: row.function for row in rows}
    planned = functions(app, names)
    if name is None:
        return tuple(_of_function(examined, item, item.name) for item in planned)
    chosen = next((item for item in planned if item.name == name), None)
    if chosen:
        return (_of_function(examined, chosen, name),)
    route = route_named(app, name)
    if route is None:
        known = ", ".join(item.name for item in planned)
        raise UsageError(
            f"the app has no route and no function {name!r}",
            hint=f"The functions are {known or 'none'}; `packager routes` lists the routes.",
        )
    return (_of_function(examined, alone(app, route), names[route.path]),)


def _of_function(examined: Examination, function: Function, name: str) -> Suggestion:
    found = aws_calls.calls(examined.app.project, function.reach.files, examined.environment.values)
    sites: dict[tuple[str, tuple[str, ...]], set[Site]] = defaultdict(set)
    for call in found:
        for action, resources in needs(call):
            sites[action, resources].add(Site(call.file, call.line, call.shown))
    merged: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for action, resources in sorted(sites):
        merged[action.partition(":")[0], resources].append(action)
    return Suggestion(
        name,
        function.runtime,
        tuple(_statement(actions, resources, sites) for (_, resources), actions in merged.items()),
        tuple(Site(call.file, call.line, call.shown) for call in found if call.operation is None),
    )


def _statement(
    actions: Iterable[str],
    resources: tuple[str, ...],
    sites: Mapping[tuple[str, tuple[str, ...]], set[Site]],
) -> Statement:
    calls = {site for action in actions for site in sites[action, resources]}
    ordered = sorted(calls, key=lambda site: (site.file, site.line, site.call))
    return Statement(tuple(actions), resources or ("*",), not resources, tuple(ordered))


def needs(call: Call) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The actions of a call, each with the ARNs that it works on; none if they are not known."""
    if call.operation is None:
        return ()
    service, operation = call.operation.service, call.operation.name
    given = dict(call.parameters)
    prefix = aws_models.iam_prefix(service)
    found = []
    for name in _ACTIONS.get((service, operation), (operation,)):
        action = f"{prefix}:{name}"
        source = operation in ("CopyObject", "UploadPartCopy") and name == "GetObject"
        if service == "s3":
            found.append((action, _of_s3(action, _copied(given) if source else given)))
        else:
            found.append((action, _resources(service, given)))
    return tuple(found)


def _resources(service: str, given: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    own = _OWN.get(service)
    if own and (found := own(given)):
        return found
    arns = [text for values in given.values() for text in values if text.startswith(f"arn:aws:{service}:")]
    for parameter, template in _ARNS.get(service, ()):
        values = (text for text in given.get(parameter, ()) if not text.startswith(("arn:", "alias/")))
        arns += [template.format(text) for text in values]
    if service == "dynamodb" and "IndexName" in given:
        arns += [f"{arn}/index/{index}" for arn in arns for index in given["IndexName"]]
    return tuple(sorted(set(arns)))


def _of_topic(given: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(text for key in ("TopicArn", "TargetArn") for text in given.get(key, ()))


def _of_queue(given: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    found = (_QUEUE.fullmatch(text) for text in given.get("QueueUrl", ()))
    return tuple(f"arn:aws:sqs:{match[1]}:{match[2]}:{match[3]}" for match in found if match)


def _of_parameter(given: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    names = [text.removeprefix("/") for text in given.get("Name", ())]
    names += [f"{text.strip('/')}/*" for text in given.get("Path", ())]
    return tuple(f"arn:aws:ssm:*:*:parameter/{name}" for name in names)


def _of_machine(given: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(given.get("stateMachineArn", ()))


_OWN: Mapping[str, Callable[[Mapping[str, tuple[str, ...]]], tuple[str, ...]]] = {
    "sns": _of_topic,
    "sqs": _of_queue,
    "ssm": _of_parameter,
    "stepfunctions": _of_machine,
}


def _of_s3(action: str, given: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    buckets = given.get("Bucket", ())
    if action == "s3:ListAllMyBuckets" or not buckets:
        return ()
    if _OF_BUCKET.fullmatch(action):
        return tuple(f"arn:aws:s3:::{bucket}" for bucket in buckets)
    keys = given.get("Key", ("*",))
    return tuple(f"arn:aws:s3:::{bucket}/{key}" for bucket in buckets for key in keys)


def _copied(given: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """What a copy reads, if its source is written as `bucket/key`."""
    source = next(iter(given.get("CopySource", ())), "")
    bucket, slash, key = source.partition("/")
    return {"Bucket": (bucket,), "Key": (key,)} if slash else {}
