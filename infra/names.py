"""What the stacks and functions of a stage are called. Names are legal at AWS whatever the app and stage are called."""

import hashlib
import re
from typing import Literal

type StackKind = Literal["api", "edge", "ops"]

MAX_STACK = 128
"""Characters of a stack's name: `[a-zA-Z][-a-zA-Z0-9]*` (CloudFormation, CreateStack)."""

MAX_FUNCTION = 64
"""Characters of a function's name: `[a-zA-Z0-9-_]+` (Lambda, CreateFunction)."""

_MARK = 8


def slug(name: str) -> str:
    """A name with letters, digits and single hyphens only: the branch `feature/x_1` becomes `feature-x-1`.

    Empty if nothing of it can stay.
    """
    return "-".join(re.findall(r"[A-Za-z0-9]+", name))


def prefix(app: str, stage: str) -> str:
    """What all names of a stage begin with: a letter, whatever the app is called."""
    joined = f"{slug(app)}-{slug(stage)}"
    return joined if joined[:1].isalpha() else f"app-{joined.lstrip('-')}"


def stack_name(app: str, stage: str, kind: StackKind) -> str:
    """The name of one of the stage's stacks, `shop-prod-api`; a long one is cut, with a mark of the whole."""
    return _cut(f"{prefix(app, stage)}-{kind}", MAX_STACK, keep=len(kind) + 1)


def function_name(app: str, stage: str, function: str) -> str:
    """The name of a function at Lambda, `shop-prod-api`; a long one is cut, with a mark of the whole at its end."""
    return _cut(f"{prefix(app, stage)}-{slug(function)}", MAX_FUNCTION)


def alarm_name(app: str, stage: str, subject: str, metric: str) -> str:
    """The name of an alarm: what it watches and for what, `shop-prod-api-errors`."""
    return _cut(f"{prefix(app, stage)}-{slug(subject)}-{slug(metric)}", 255)


def log_group(function: str) -> str:
    """Where Lambda writes what the function of this (deployed) name logs."""
    return f"/aws/lambda/{function}"


def _cut(name: str, most: int, *, keep: int = 0) -> str:
    """The name itself if it is short enough; else its beginning, a mark of the whole and its last `keep` characters."""
    if len(name) <= most:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:_MARK]
    tail = name[len(name) - keep :] if keep else ""
    return f"{name[: most - _MARK - 1 - len(tail)].rstrip('-')}-{mark}{tail}"
