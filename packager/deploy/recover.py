"""Stacks that cannot be deployed as they are: waited for, deleted, put back, or explained; see `states`.

This is also how a deployment goes on after it was killed: CloudFormation has not stopped, and is followed to the end.
"""

import uuid
from collections.abc import Iterator, Mapping

from packager.deploy import destroy, events
from packager.deploy.aws import Aws, explained
from packager.deploy.deployed import Deployed
from packager.deploy.destroy import Standing
from packager.deploy.events import Outcome
from packager.deploy.failure import told
from packager.deploy.progress import Progress
from packager.deploy.states import state
from packager.errors import ToolError


def questions(found: Mapping[str, Deployed]) -> Iterator[str]:
    """What has to be agreed to before `settle`, a question each."""
    for stack in found.values():
        known = state(stack.status)
        if known.step == "continue rollback":
            yield f"{stack.name} {known.says}. Go on with that, and leave as it is what cannot be put back?"


def settle(
    aws: Aws, found: Mapping[str, Deployed], stage: str, progress: Progress, *, agreed: bool
) -> dict[str, Deployed]:
    """The stacks that are there once each of them can be updated, or is gone.

    `found` are the stage's stacks as they are; `agreed` is the answer to the `questions` of them. Raises `ToolError`,
    with the next command, for one that has to be mended by hand, and if AWS fails.
    """
    settled = (_settled(aws, stack, stage, progress, agreed=agreed) for stack in found.values())
    return {stack.name: stack for stack in settled if stack}


def _settled(aws: Aws, stack: Deployed, stage: str, progress: Progress, *, agreed: bool) -> Deployed | None:
    now: Deployed | None = stack
    while now:
        known = state(now.status)
        match known.step:
            case "update":
                return now
            case "create":
                return None
            case "wait":
                progress.step(f"{now.name} {known.says} ({now.status}): waiting for the end of it")
                outcome = events.follow(aws, now, None, progress)
                _tell(outcome, progress)
                now = outcome.stack
            case "delete first":
                progress.step(f"{now.name} {known.says} ({now.status}): deleting it")
                remove(aws, now, progress)
                return None
            case "continue rollback":
                if not agreed:
                    raise _refused(now, stage)
                now = _put_back(aws, now, progress)
            case "refuse":
                raise _refused(now, stage)
    return None


def check(found: Mapping[str, Deployed], stage: str) -> None:
    """Raise `ToolError` if nobody can say what a deployment would change: a stack moves, or has to be mended before."""
    for stack in found.values():
        known = state(stack.status)
        if known.step == "wait":
            raise ToolError(
                f"{stack.name} {known.says} at this moment ({stack.status})",
                hint="Wait for the end of it and run again; `packager deploy` would wait.",
            )
        if known.step in {"continue rollback", "refuse"}:
            raise _refused(stack, stage)


def remove(aws: Aws, stack: Deployed, progress: Progress) -> None:
    """Delete a stack, wait until it is gone, and tell what of it stays. Raises `ToolError` if it does not go."""
    for row in destroy.destroy(aws, Standing((stack,)), progress):
        progress.note(f"{row.type} {row.name} stays: it {row.why}")


def _put_back(aws: Aws, stack: Deployed, progress: Progress) -> Deployed | None:
    """Go on with a rollback; what fails again is left as it is."""
    for skip in (False, True):
        failed = _not_put_back(aws, stack) if skip else []
        skipped = f" without {', '.join(failed)}" if failed else ""
        progress.step(f"putting {stack.name} back{skipped}")
        token = uuid.uuid4().hex
        with explained(f"putting {stack.name} back"):
            aws.client("cloudformation", stack.region).continue_update_rollback(
                StackName=stack.id, ResourcesToSkip=failed, ClientRequestToken=token
            )
        outcome = events.follow(aws, stack, None, progress)
        if outcome.stack is None or outcome.stack.status != stack.status:
            return outcome.stack
    raise _refused(stack, "")


def _not_put_back(aws: Aws, stack: Deployed) -> list[str]:
    client = aws.client("cloudformation", stack.region)
    with explained(f"reading the resources of {stack.name}"):
        return [
            row["LogicalResourceId"]
            for page in client.get_paginator("list_stack_resources").paginate(StackName=stack.id)
            for row in page["StackResourceSummaries"]
            if row["ResourceStatus"] == "UPDATE_FAILED"
        ]


def _tell(outcome: Outcome, progress: Progress) -> None:
    if cause := events.first_cause(outcome.events):
        progress.note(f"what was being done failed: {told(cause, None)}")


def _refused(stack: Deployed, stage: str) -> ToolError:
    known = state(stack.status)
    why = f": {stack.reason}" if stack.reason else ""
    command = (known.next or "").format(name=stack.name, region=stack.region, stage=stage)
    return ToolError(
        f"{stack.name} {known.says} ({stack.status}){why}",
        hint=f"Run: {command}" if command else "See the stack in the console of CloudFormation.",
    )
