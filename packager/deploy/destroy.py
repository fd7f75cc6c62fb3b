"""A stage is taken away: ops, then edge, then API stack, then its releases, and what stays is told.

Some things stay on purpose: log groups where the settings retain them, and the bucket with CloudFront's access logs,
which empties itself. Functions of Lambda@Edge stay for a while, since CloudFront deletes its replicas hours after the
distribution is gone and Lambda refuses to delete the function before ("Delete Lambda@Edge functions and replicas").
They are let go of, so that the stack goes, and found again by their tags when the command is run again.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import batched
from typing import Any

from infra import names
from infra.environment import Reference
from infra.stage import EDGE_REGION
from packager.deploy import deployed, events, releases
from packager.deploy import live as lives
from packager.deploy.aws import Aws, error_code, explained
from packager.deploy.deployed import Deployed
from packager.deploy.failure import told
from packager.deploy.live import Resource
from packager.deploy.progress import Progress
from packager.deploy.releases import Ledger
from packager.deploy.staging import HOLDS
from packager.deploy.states import is_moving
from packager.errors import ToolError, UsageError

_FUNCTION = "AWS::Lambda::Function"
_GOES_ALONG = {"AWS::Lambda::Version", "AWS::S3::BucketPolicy"}
"""What is retained in templates and is nothing by itself: it goes with the function, or stays with the bucket."""

_REPLICATED = "InvalidParameterValueException"
_SURE_PREFIX = 40
"""Characters of a function's name that are the stage's, even if the name had to be cut."""

_PARAMETERS = 10
"""Names in one call (SSM API Reference, GetParameters)."""

_OBJECTS = 1000
"""Objects in one call (S3 API Reference, DeleteObjects)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that stays, and why. `name` is its physical id; `command` deletes it, None: there is nothing to do."""

    type: str
    name: str
    region: str
    why: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is of a stage: stacks in the order in which they go, edge functions that an earlier run left."""

    stacks: tuple[Deployed, ...]
    functions: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.stacks and not self.functions


def find(aws: Aws, app: str, stage: str) -> Standing:
    """What there is of a stage. Raises `ToolError`."""
    places = (
        (names.stack_name(app, stage, "ops"), aws.region),
        (names.stack_name(app, stage, "edge"), EDGE_REGION),
        (names.stack_name(app, stage, "api"), aws.region),
    )
    found = tuple(row for row in (deployed.look(aws, *place) for place in places) if row)
    with explained("looking for edge functions that were left"):
        known = {
            row.physical
            for stack in found
            for row in lives.resources(aws, stack.id, stack.region)
            if row.type == _FUNCTION
        }
        left = [name for name in _functions(aws, app, stage) if name not in known]
    return Standing(found, tuple(left))


def check(standing: Standing, stage: str) -> None:
    """Raise `UsageError` if a stack is protected."""
    protected = [row.name for row in standing.stacks if row.is_protected]
    if protected:
        raise UsageError(
            f"{', '.join(protected)} cannot be deleted: the stage has termination_protection",
            hint=f"Set termination_protection = false in [tool.packager.stages.{stage}] and deploy, then destroy.",
        )


def destroy(aws: Aws, standing: Standing, progress: Progress) -> tuple[Kept, ...]:
    """Delete the stacks and left functions; gives what stays.

    Whatever interrupts it, the next run goes on. Raises `ToolError` if a stack does not go even without what cannot be
    deleted.
    """
    kept: list[Kept] = []
    for stack in standing.stacks:
        kept += _delete(aws, stack, progress)
    if standing.functions:
        progress.step(f"deleting {', '.join(standing.functions)}")
        for name in standing.functions:
            kept += _delete_function(aws, name)
    return tuple(dict.fromkeys(kept))


def forget(aws: Aws, ledger: Ledger) -> Kept | None:
    """Delete the releases of a stage, and the staging bucket if it is the tool's own and nobody else needs it.

    Called when the hold on the stage has ended. Gives the bucket if it stays. Raises `ToolError`.
    """
    bucket = ledger.bucket
    releases.forget(aws, ledger)
    arguments = ("AWS::S3::Bucket", bucket.name, bucket.region)
    if bucket.kind == "bootstrap":
        return Kept(*arguments, "is the CDK's, and keeps the files that were uploaded")
    with explained(f"emptying the staging bucket {bucket.name}"):
        if _is_shared(aws, ledger):
            return Kept(*arguments, "is used by other stages, and keeps the files that were uploaded")
        s3 = aws.client("s3", bucket.region)
        _empty(s3, bucket.name)
        s3.delete_bucket(Bucket=bucket.name)
    return None


def parameters(aws: Aws, references: Iterable[Reference]) -> tuple[Kept, ...]:
    """The SSM parameters with secrets of the stage, which are nobody's resource and stay; those that may be read."""
    names = [row.id for row in references if row.store == "ssm"]
    found: list[str] = []
    with suppress(ToolError), explained("looking for the stage's parameters"):
        for batch in batched(names, _PARAMETERS):
            answer = aws.client("ssm").get_parameters(Names=list(batch))
            found += [row["Name"] for row in answer["Parameters"]]
    why = "holds a secret of the stage, which `packager env push` or somebody put there"
    return tuple(
        Kept("AWS::SSM::Parameter", name, aws.region, why, f"aws ssm delete-parameter --name {name}")
        for name in found
    )


def _delete(aws: Aws, stack: Deployed, progress: Progress) -> list[Kept]:
    """Delete one stack; gives what it retains and what it had to let go of."""
    now: Deployed | None = stack
    if is_moving(stack.status):
        progress.step(f"{stack.name} is being changed ({stack.status}): waiting for the end of it")
        now = events.follow(aws, stack, None, progress).stack
    if now is None or now.status == "DELETE_COMPLETE":
        return []
    with explained(f"reading the resources of {stack.name}"):
        rows = lives.resources(aws, stack.id, stack.region)
        kept = list(_retained(aws, stack, rows))
    progress.step(f"deleting {stack.name}")
    progress.stack(stack.name, len(rows))
    failed = _deleted(aws, now, {}, progress)
    if failed:
        names_ = ", ".join(row.id for row in failed)
        progress.step(f"deleting {stack.name} without {names_}, which cannot be deleted now")
        again = _deleted(aws, now, _without(failed), progress)
        if again:
            raise ToolError(
                f"{stack.name} could not be deleted, even without {names_}",
                hint=f"See the stack in the console of CloudFormation, region {stack.region}, and run again.",
            )
    return kept + [_let_go(row, stack.region) for row in failed if row.type != "AWS::CloudFormation::Stack"]


def _deleted(aws: Aws, stack: Deployed, options: dict[str, Any], progress: Progress) -> list[Resource]:
    """Delete a stack and wait; gives what failed, and tells why. None of it: the stack is gone."""
    token = uuid.uuid4().hex
    with explained(f"deleting {stack.name}"):
        aws.client("cloudformation", stack.region).delete_stack(
            StackName=stack.id, ClientRequestToken=token, **options
        )
    outcome = events.follow(aws, stack, token, progress)
    if outcome.stack is None or outcome.stack.status == "DELETE_COMPLETE":
        return []
    with explained(f"reading the resources of {stack.name}"):
        rows = lives.resources(aws, stack.id, stack.region)
    failed = [row for row in rows if row.status == "DELETE_FAILED"]
    cause = events.first_cause(outcome.events)
    why = told(cause, None) if cause else outcome.stack.reason
    if not failed:
        raise ToolError(
            f"{stack.name} could not be deleted: {why}", hint="Mend that and run the command again."
        )
    progress.note(f"{stack.name}: {why}")
    return failed


def _without(failed: Sequence[Resource]) -> dict[str, Any]:
    """How a stack is deleted without resources; of nested stacks they cannot be named (DeleteStack, `DeletionMode`)."""
    if any(row.nested for row in failed):
        return {"DeletionMode": "FORCE_DELETE_STACK"}
    return {"RetainResources": [row.id for row in failed]}


def _let_go(row: Resource, region: str) -> Kept:
    if row.type == _FUNCTION and region == EDGE_REGION:
        return _replicated(row.physical)
    return Kept(row.type, row.physical, region, "could not be deleted; see what CloudFormation said above")


def _replicated(name: str) -> Kept:
    return Kept(
        _FUNCTION,
        name,
        EDGE_REGION,
        "has replicas at CloudFront, which are deleted within hours; run `packager destroy` again then",
        f"aws lambda delete-function --function-name {name} --region {EDGE_REGION}",
    )


def _retained(aws: Aws, stack: Deployed, rows: Iterable[Resource]) -> Iterator[Kept]:
    """What the templates of a stack and of its nested ones say shall stay."""
    client = aws.client("cloudformation", stack.region)
    nested = [row.physical for row in rows if row.type == "AWS::CloudFormation::Stack" and row.physical]
    for arn in (stack.id, *nested):
        body = client.get_template(StackName=arn, TemplateStage="Processed")["TemplateBody"]
        template = json.loads(body) if isinstance(body, str) else body
        written = template.get("Resources", {})
        for row in lives.resources(aws, arn, stack.region):
            policy = written.get(row.id, {}).get("DeletionPolicy", "")
            if (
                not row.nested
                and policy.startswith("Retain")
                and row.type not in _GOES_ALONG
                and row.physical
            ):
                yield _by_policy(row, stack.region)


def _by_policy(row: Resource, region: str) -> Kept:
    match row.type:
        case "AWS::Logs::LogGroup":
            command = f"aws logs delete-log-group --log-group-name {row.physical} --region {region}"
            return Kept(row.type, row.physical, region, "is retained, as the setting retain says", command)
        case "AWS::S3::Bucket":
            command = f"aws s3 rb --force s3://{row.physical}"
            return Kept(row.type, row.physical, region, "has access logs, which delete themselves", command)
    return Kept(row.type, row.physical, region, "is retained by its template")


def _functions(aws: Aws, app: str, stage: str) -> Iterator[str]:
    """Functions in the region of Lambda@Edge that have the stage's tags."""
    client = aws.client("lambda", EDGE_REGION)
    beginning = f"{names.prefix(app, stage)}-"[:_SURE_PREFIX]
    for page in client.get_paginator("list_functions").paginate():
        for row in page["Functions"]:
            if row["FunctionName"].startswith(beginning):
                tags = client.list_tags(Resource=row["FunctionArn"]).get("Tags", {})
                if (tags.get("packager:app"), tags.get("packager:stage")) == (app, stage):
                    yield row["FunctionName"]


def _delete_function(aws: Aws, name: str) -> list[Kept]:
    client = aws.client("lambda", EDGE_REGION)
    with explained(f"deleting {name}"):
        try:
            client.delete_function(FunctionName=name)
        except client.exceptions.ClientError as error:
            if error_code(error) == _REPLICATED:
                return [_replicated(name)]
            if error_code(error) != "ResourceNotFoundException":
                raise
    return []


def _is_shared(aws: Aws, ledger: Ledger) -> bool:
    """Whether another stage may need what is in the bucket: stages of every region have edge code in us-east-1."""
    bucket = ledger.bucket
    s3 = aws.client("s3", bucket.region)
    holds = s3.list_objects_v2(Bucket=bucket.name, Prefix=HOLDS, MaxKeys=1).get("KeyCount", 0)
    if holds or releases.others(aws, ledger):
        return True
    if bucket.region != EDGE_REGION:
        return False
    staging = (f"packager-{aws.account}-", f"cdk-hnb659fds-assets-{aws.account}-")
    pages = s3.get_paginator("list_buckets").paginate()
    all_names = [row["Name"] for page in pages for row in page.get("Buckets", [])]
    return any(name.startswith(staging) and EDGE_REGION not in name for name in all_names)


def _empty(s3: Any, bucket: str) -> None:
    """Delete every version of every object, and uploads that were never finished."""
    for page in s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": _OBJECTS}
    ):
        rows = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in rows]
        if objects:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for row in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=row["Key"], UploadId=row["UploadId"])
