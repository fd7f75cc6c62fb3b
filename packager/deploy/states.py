"""What each status of a CloudFormation stack means for a deployment.

The statuses are those of the User Guide, "Stack status codes"; what each allows is in "Continue rolling back an update"
and "Choose how to handle failures when provisioning resources".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

type Step = Literal["create", "update", "wait", "delete first", "continue rollback", "refuse"]


@dataclass(frozen=True, slots=True)
class State:
    """What to do with a stack that has a certain status. `says` completes "the stack …"; `next` is the next command
    where the deployment cannot go on by itself, with `{name}`, `{region}` and `{stage}` in it."""

    step: Step
    says: str
    next: str | None = None


_FINE = State("update", "is there")
_NOTHING_LIVE = State("delete first", "could not be created, and nothing of it is live")
_BUSY = State("wait", "is being changed")

STATES: Mapping[str, State] = {
    "CREATE_COMPLETE": _FINE,
    "UPDATE_COMPLETE": _FINE,
    "UPDATE_ROLLBACK_COMPLETE": State("update", "is as it was before an update that failed"),
    "IMPORT_COMPLETE": _FINE,
    "IMPORT_ROLLBACK_COMPLETE": State("update", "is as it was before an import that failed"),
    "CREATE_FAILED": _NOTHING_LIVE,
    "ROLLBACK_COMPLETE": _NOTHING_LIVE,
    "ROLLBACK_FAILED": State("delete first", "could not be created, nor be cleaned up after that"),
    "REVIEW_IN_PROGRESS": State("delete first", "has never been created, only looked at before that"),
    "CREATE_IN_PROGRESS": State("wait", "is being created"),
    "ROLLBACK_IN_PROGRESS": State("wait", "could not be created and is being cleaned up"),
    "UPDATE_IN_PROGRESS": State("wait", "is being updated"),
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": State("wait", "is updated and removes what it had before"),
    "UPDATE_ROLLBACK_IN_PROGRESS": State("wait", "could not be updated and is being put back"),
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": State("wait", "is put back and cleans up"),
    "IMPORT_IN_PROGRESS": _BUSY,
    "IMPORT_ROLLBACK_IN_PROGRESS": _BUSY,
    "DELETE_IN_PROGRESS": State("wait", "is being deleted"),
    "DELETE_COMPLETE": State("create", "is deleted"),
    "UPDATE_ROLLBACK_FAILED": State(
        "continue rollback",
        "could not be updated, nor be put back after that",
        "aws cloudformation continue-update-rollback --stack-name {name} --region {region}",
    ),
    "UPDATE_FAILED": State(
        "refuse",
        "was left as it was when an update failed, as somebody had asked for (rollback disabled)",
        "aws cloudformation rollback-stack --stack-name {name} --region {region}",
    ),
    "IMPORT_ROLLBACK_FAILED": State(
        "refuse",
        "could neither take resources over nor let go of them",
        "aws cloudformation describe-stack-events --stack-name {name} --region {region}",
    ),
    "DELETE_FAILED": State(
        "refuse",
        "could not be deleted as a whole",
        "packager destroy --stage {stage}",
    ),
}
"""Every status by its name."""

LATER = State("refuse", "has a status that this version does not know")


def state(status: str | None) -> State:
    """What a status means; None for a stack that is not there. One that AWS has invented since is refused."""
    if status is None:
        return State("create", "is not there")
    return STATES.get(status, LATER)


def is_moving(status: str) -> bool:
    """Whether CloudFormation is at work: the status is going to change by itself."""
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"
