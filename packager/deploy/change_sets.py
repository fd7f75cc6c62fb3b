"""Change sets: made, waited for, read, deleted."""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packager.deploy import changes, staging
from packager.deploy.assembly import Stack
from packager.deploy.aws import Aws, explained
from packager.deploy.changes import NESTED, Change
from packager.deploy.deployed import Deployed
from packager.deploy.parameters import parameters
from packager.deploy.staging import Bucket
from packager.errors import ToolError

_PREFIX = "packager-"
_INPUTS = "packager:inputs"
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_GROWTH = 1.5
_NO_CHANGES = re.compile(r"didn't contain changes|No updates are to be performed", re.IGNORECASE)
"""What CloudFormation calls a failure of the change set (User Guide, "Change sets", "Failed change sets")."""

_VALIDATION = "EarlyValidation"


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that can be executed: its ARN, and what it changes."""

    id: str
    changes: tuple[Change, ...]


def make(
    aws: Aws, stack: Stack, staged: Mapping[str, Bucket], now: Mapping[str, Deployed]
) -> ChangeSet | None:
    """Make a change set for a stack of the assembly, whose template is uploaded, and wait until it is there.

    `now` are the stage's stacks as they are; one that is not among them is created. Gives None if nothing would
    change; no change set is left then. Raises `ToolError` if CloudFormation refuses it, with the reason.
    """
    found, template = now.get(stack.name), template_of(stack)
    tags = {**dict(stack.tags), **_inputs(template, now)}
    client = aws.client("cloudformation", stack.region)
    given = {
        "StackName": found.id if found else stack.name,
        "ChangeSetName": f"{_PREFIX}{secrets.token_hex(8)}",
        "ChangeSetType": "UPDATE" if found else "CREATE",
        "TemplateURL": staging.template_url(aws, stack.template, staged),
        "Parameters": parameters(template, found),
        "Capabilities": _CAPABILITIES,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "IncludeNestedStacks": any(row["Type"] == NESTED for row in template["Resources"].values()),
    }
    with explained(f"asking CloudFormation what would change in {stack.name}"):
        made = client.create_change_set(**given)["Id"]
        try:
            pages = _when_ready(client, made)
            if pages[0]["Status"] == "FAILED":
                _check_empty(client, stack.name, pages[0])
                _discard(client, made)
                return None
            return ChangeSet(made, tuple(_changes(client, pages, "")))
        except BaseException:
            _discard(client, made)
            raise


def discard(aws: Aws, region: str, change_set: str) -> None:
    """Delete a change set that is not going to be executed. Nothing depends on whether that succeeds."""
    _discard(aws.client("cloudformation", region), change_set)


def template_of(stack: Stack) -> dict[str, Any]:
    """The template of a stack of the assembly, as a document."""
    document: dict[str, Any] = json.loads(stack.template.path.read_text(encoding="utf-8"))
    return document


def _inputs(template: Mapping[str, Any], now: Mapping[str, Deployed]) -> dict[str, str]:
    """A tag that changes when what the template reads of other stacks does.

    CloudFormation compares templates, in which such an output is but a name (Template Reference, `Fn::GetStackOutput`:
    who reads it is not updated when it changes). A tag that differs has every resource looked at again.
    """
    read = sorted(set(_outputs(template)))
    if not read:
        return {}
    values = [[stack, name, now[stack].outputs.get(name) if stack in now else None] for stack, name in read]
    return {_INPUTS: hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]}


def _outputs(value: Any) -> Iterator[tuple[str, str]]:
    """The outputs that a part of a template reads: names of stack and output."""
    if isinstance(value, list):
        for item in value:
            yield from _outputs(item)
    elif isinstance(value, dict):
        if isinstance(read := value.get("Fn::GetStackOutput"), dict):
            yield str(read["StackName"]), str(read["OutputName"])
        for item in value.values():
            yield from _outputs(item)


def _when_ready(client: Any, change_set: str) -> list[Any]:
    """All pages of the change set, once it is made or has failed."""
    pause = _FIRST_PAUSE
    while True:
        pages = _described(client, change_set)
        if pages[0]["Status"] in {"CREATE_COMPLETE", "FAILED"}:
            return pages
        time.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)


def _described(client: Any, change_set: str) -> list[Any]:
    """DescribeChangeSet of a set with values of properties; botocore's own paginator would drop the status."""
    pages = [client.describe_change_set(ChangeSetName=change_set, IncludePropertyValues=True)]
    while token := pages[-1].get("NextToken"):
        pages.append(
            client.describe_change_set(ChangeSetName=change_set, IncludePropertyValues=True, NextToken=token)
        )
    return pages


def _changes(client: Any, pages: list[Any], within: str) -> Iterator[Change]:
    rows = [row for page in pages for row in page.get("Changes", [])]
    yield from changes.from_change_set(rows, within)
    for path, change_set in changes.nested(rows, within).items():
        yield from _changes(client, _described(client, change_set), path)


def _check_empty(client: Any, stack: str, page: Mapping[str, Any]) -> None:
    """Raise `ToolError` for a change set that failed, unless it did because there is nothing to change."""
    reason = page.get("StatusReason") or "it gives no reason"
    found = list(_invalid(client, page["ChangeSetId"])) if _VALIDATION in reason else []
    if found or not _NO_CHANGES.search(reason):
        raise ToolError(
            f"CloudFormation refuses the changes of {stack}: {'; '.join(found) or reason}",
            hint="Nothing was changed. Mend what it names, in the settings or in the account, and run again.",
        )


def _invalid(client: Any, change_set: str) -> Iterator[str]:
    """What the validation before a deployment found, which the change set itself does not say."""
    answer = client.describe_events(ChangeSetName=change_set, Filters={"FailedEvents": True})
    for row in answer.get("OperationEvents", []):
        if reason := row.get("ValidationStatusReason"):
            yield f"{row.get('LogicalResourceId', '')} {row.get('ValidationPath', '')}: {reason}".strip()


def _discard(client: Any, change_set: str) -> None:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        client.delete_change_set(ChangeSetName=change_set)
    except (BotoCoreError, ClientError):
        return
