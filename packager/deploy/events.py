"""The events of one operation on a stack, its nested stacks included, while it runs; and why it failed.

CloudFormation lists the events of all that ever happened to a stack, newest first, a hundred at a time. Those of one
operation begin with the stack's own start event, which carries the token that the operation was started with.
"""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from packager.deploy import deployed
from packager.deploy.aws import Aws, error_code, explained
from packager.deploy.changes import NESTED
from packager.deploy.deployed import Deployed
from packager.deploy.progress import Progress, State
from packager.deploy.states import is_moving
from packager.errors import ToolError

_FIRST_PAUSE = 0.3
_LONGEST_PAUSE = 3.0
_GROWTH = 1.25
LOST_SECONDS = 300.0
"""How long the connection to AWS may be lost while an operation goes on there."""

_UNSEEN_SECONDS = 15.0
"""How long a stack may stand still before its operation is taken for one that was over at once."""

_STARTS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"}
_PASSING = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"}
_SERVER_FAULT = 500
_CASCADE = re.compile(
    r"Resource (creation|update|deletion) cancell?ed|The following resource\(s\) failed to|Embedded stack .* was not"
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stack. `stack` is the ARN of the stack that it is of, `path` the logical ids of the nested stacks
    above the resource, each with a slash."""

    id: str
    stack: str
    path: str
    logical_id: str
    type: str
    status: str
    reason: str
    physical_id: str
    time: datetime

    @property
    def is_of_stack(self) -> bool:
        """Whether it is of the stack itself, not of something in it."""
        return self.physical_id == self.stack

    @property
    def is_failure(self) -> bool:
        return self.status.endswith("_FAILED")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an operation ended: the stack as it is now (None: it is gone), and its events, oldest first."""

    stack: Deployed | None
    events: tuple[Event, ...]


class Following:
    """Follows one operation on a stack, which was as given. A round may be broken off, and the next one goes on.

    `token` is what the operation was started with; None: the newest operation, whoever started it.
    """

    def __init__(self, aws: Aws, stack: Deployed, token: str | None) -> None:
        self._aws, self._stack, self._region, self._token = aws, stack.id, stack.region, token
        self._first_status = stack.status
        self._seen: dict[str, Event] = {}
        self._begun = self._answered = time.monotonic()
        self._has_moved = False

    def poll(self) -> tuple[list[Event], Outcome | None]:
        """The events that are new since the last round, and how the operation ended once it has.

        Raises `ToolError` when AWS could not be reached for `LOST_SECONDS`.
        """
        try:
            return self._round()
        except _failures() as error:
            if not _may_pass(error) or time.monotonic() - self._answered > LOST_SECONDS:
                with _going_on(), explained("following the deployment"):
                    raise
            return [], None

    def _round(self) -> tuple[list[Event], Outcome | None]:
        # The status first: events that come with the last status are listed then.
        now = deployed.read(self._aws, self._stack, self._region)
        self._has_moved |= now is None or is_moving(now.status) or now.status != self._first_status
        fresh = self._fresh()
        self._answered = time.monotonic()
        self._has_moved |= bool(self._seen)
        is_over = now is None or not (is_moving(now.status) or now.status == "REVIEW_IN_PROGRESS")
        if is_over and (self._has_moved or self._answered - self._begun > _UNSEEN_SECONDS):
            return fresh, Outcome(now, tuple(self._seen.values()))
        return fresh, None

    def _fresh(self) -> list[Event]:
        """New events of the stack and of the nested stacks that its events name, in the order of time."""
        found = self._read(self._stack, "")
        known = [*self._seen.values(), *found]
        for row in known:
            if row.type == NESTED and not row.is_of_stack and row.physical_id.startswith("arn:"):
                nested = self._read(row.physical_id, f"{row.path}{row.logical_id}/", since=known[0].time)
                new = [item for item in nested if item not in known]
                found += new
                known += new  # those may name nested stacks in turn
        found.sort(key=lambda item: item.time)
        self._seen |= {item.id: item for item in found}
        return found

    def _read(self, stack: str, path: str, since: datetime | None = None) -> list[Event]:
        """The events that are not known yet, oldest first; none before the operation's start is found."""
        client = self._aws.client("cloudformation", self._region)
        rows: list[Event] = []
        for page in client.get_paginator("describe_stack_events").paginate(StackName=stack):
            for row in page["StackEvents"]:
                event = _event(row, path)
                if event.id in self._seen:
                    return rows[::-1]
                if since and event.time < since:
                    return rows[::-1]
                rows.append(event)
                if not since and event.is_of_stack and event.status in _STARTS:
                    token = row.get("ClientRequestToken")
                    return rows[::-1] if self._token in {None, token} else []
        return rows[::-1] if since or self._token is None else []


def follow(
    aws: Aws, stack: Deployed, token: str | None, progress: Progress, *, name: str | None = None
) -> Outcome:
    """Wait until an operation on a stack is over, and show it; `name` is what the stack is shown as.

    Raises `ToolError` if AWS cannot be reached for minutes; the operation goes on there. So it does after Ctrl-C:
    the first one says so, the second one is raised.
    """
    following = Following(aws, stack, token)
    pause, is_warned = _FIRST_PAUSE, False
    fresh: list[Event] = []
    while True:
        try:
            fresh, outcome = following.poll()
            for event in fresh:
                _show(event, name or stack.name, progress)
            if outcome:
                return outcome
            time.sleep(pause)
        except KeyboardInterrupt:
            if is_warned:
                raise
            is_warned = True
            progress.note(
                f"AWS goes on with {stack.name}, whatever happens here. Ctrl-C again leaves; the same command follows "
                f"it again. To take an update back: aws cloudformation cancel-update-stack --stack-name {stack.name} "
                f"--region {stack.region}"
            )
        pause = _FIRST_PAUSE if fresh else min(pause * _GROWTH, _LONGEST_PAUSE)


def first_cause(events: Iterable[Event]) -> Event | None:
    """What failed first, in the stack or in a nested one: not what was given up because of it.

    If nothing but the stack itself is said to have failed, that.
    """
    failures = [event for event in events if event.is_failure and not _CASCADE.search(event.reason)]
    own = [event for event in failures if not event.is_of_stack and event.type != NESTED]
    return min(own or failures, key=lambda event: event.time, default=None)


def _show(event: Event, stack: str, progress: Progress) -> None:
    if event.is_of_stack:
        return
    state: State = "done"
    if event.is_failure:
        state = "failed"
    elif event.status.endswith("_IN_PROGRESS"):
        state = "running"
    progress.resource(stack, f"{event.path}{event.logical_id}", event.type, state, event.reason)


def _event(row: dict[str, Any], path: str) -> Event:
    hook = row.get("HookStatusReason") if row.get("HookStatus", "").endswith("FAILED") else None
    return Event(
        id=row["EventId"],
        stack=row["StackId"],
        path=path,
        logical_id=row["LogicalResourceId"],
        type=row["ResourceType"],
        status="HOOK_FAILED" if hook else row["ResourceStatus"],
        reason=hook or row.get("ResourceStatusReason") or "",
        physical_id=row.get("PhysicalResourceId") or "",
        time=row["Timestamp"],
    )


def _failures() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    return (BotoCoreError, ClientError)


def _may_pass(error: Exception) -> bool:
    """Whether it is of the way to AWS, or of AWS itself, and may be better the next time."""
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004, PLC0415

    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error_code(error) in _PASSING or status >= _SERVER_FAULT
    return isinstance(error, ConnectionError | HTTPClientError)


@contextmanager
def _going_on() -> Iterator[None]:
    """Say of an error that what was followed goes on without this command."""
    try:
        yield
    except ToolError as error:
        raise ToolError(
            f"{error.message}; the deployment goes on in AWS",
            hint=f"{error.hint} The same command, run again, follows it.",
        ) from error.__cause__
