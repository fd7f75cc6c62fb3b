"""Carries a plan out, stack by stack, and follows CloudFormation while it does.

A stack that reads outputs of another gets its change set when those are known: on a first deployment, and when the
outputs of the other one have changed by this very deployment.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from packager.deploy import change_sets, deployed, events, recover
from packager.deploy.assembly import Assembly, Stack
from packager.deploy.aws import Aws, explained
from packager.deploy.deployed import Deployed
from packager.deploy.failure import failure
from packager.deploy.plan import DeployPlan, StackPlan
from packager.deploy.progress import Progress
from packager.deploy.staging import Bucket
from packager.errors import ToolError

_DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}


@dataclass(frozen=True, slots=True)
class _Run:
    aws: Aws
    assembly: Assembly
    staged: Mapping[str, Bucket]
    check: Callable[[], None]
    progress: Progress


def execute(
    aws: Aws,
    planned: DeployPlan,
    assembly: Assembly,
    found: Mapping[str, Deployed],
    staged: Mapping[str, Bucket],
    *,
    check: Callable[[], None],
    progress: Progress,
) -> dict[str, Deployed]:
    """Carry out a plan for the assembly; the stage's stacks as they are then, by name.

    `found` are the stacks that the plan was made from, `staged` the buckets with the assembly's files. `check` is
    asked before each step that changes something, and raises if the stage is not held any more. Raises `ToolError`
    with the first cause if CloudFormation fails; it has put that stack back then, and those before it stay deployed.
    """
    run = _Run(aws, assembly, staged, check, progress)
    now = dict(found)
    changed: set[str] = set()
    for row in planned.stacks:
        if row.operation == "remove":
            check()
            gone = now.pop(row.name)
            _protect(aws, gone, wanted=False)
            recover.remove(aws, gone, progress)
            continue
        stack = next(item for item in assembly.stacks if item.name == row.name)
        before = now.get(row.name)
        after = _carried_out(run, row, stack, now, is_stale=not changed.isdisjoint(stack.depends_on))
        if after:
            now[row.name] = after
        if after and (before is None or before.outputs != after.outputs):
            changed.add(row.name)
        _protect(aws, now[row.name], wanted=stack.termination_protection)
    return now


def _carried_out(
    run: _Run, row: StackPlan, stack: Stack, now: Mapping[str, Deployed], *, is_stale: bool
) -> Deployed | None:
    """The stack after its change set was executed; None if there was nothing to do."""
    run.check()
    before = now.get(row.name)
    change_set, count = row.change_set, len(row.changes)
    if is_stale or (change_set is None and row.operation != "none"):
        if change_set:
            change_sets.discard(run.aws, row.region, change_set)
        run.progress.step(f"asking CloudFormation what would change in {row.name}")
        made = change_sets.make(run.aws, stack, run.staged, now)
        change_set, count = (made.id, len(made.changes)) if made else (None, 0)
    if change_set is None:
        return None
    run.check()
    run.progress.step(f"{'updating' if before else 'creating'} {row.name}")
    run.progress.stack(row.name, count)
    token = uuid.uuid4().hex
    with explained(f"deploying {row.name}"):
        client = run.aws.client("cloudformation", row.region)
        client.execute_change_set(ChangeSetName=change_set, ClientRequestToken=token)
    moving = before or _there(run.aws, row)
    outcome = events.follow(run.aws, moving, token, run.progress)
    if outcome.stack is None or outcome.stack.status not in _DONE:
        raise failure(outcome, stack, row.name)
    return outcome.stack


def _there(aws: Aws, row: StackPlan) -> Deployed:
    found = deployed.look(aws, row.name, row.region)
    if found is None:
        raise ToolError(
            f"{row.name} is gone: somebody has deleted it while it was being created",
            hint="Find out who, and deploy again.",
        )
    return found


def _protect(aws: Aws, stack: Deployed, *, wanted: bool) -> None:
    """Have a stack protected against deletion, or not; no change set does that."""
    if stack.is_protected == wanted:
        return
    with explained(f"setting the protection of {stack.name} against deletion"):
        aws.client("cloudformation", stack.region).update_termination_protection(
            StackName=stack.id, EnableTerminationProtection=wanted
        )
