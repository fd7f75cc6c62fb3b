"""How a plan is shown: by stack, what is lost in red, rights and routes apart, counts at the end.

+ is added, ~ is changed, ! is replaced, - is removed, = is taken over by the stack.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from packager.cli import output

if TYPE_CHECKING:
    from packager.deploy.changes import Action, Change, Detail, Kind
    from packager.deploy.live import Move
    from packager.deploy.plan import DeployPlan, StackPlan

_SIGNS: "dict[Action, tuple[str, str]]" = {
    "added": ("+", "green"),
    "changed": ("~", "yellow"),
    "replaced": ("!", "red"),
    "removed": ("-", "red"),
    "imported": ("=", "cyan"),
}
_VERBS: "dict[Action, str]" = {
    "added": "add",
    "changed": "change",
    "replaced": "replace",
    "removed": "remove",
    "imported": "import",
}
_SECTIONS: "dict[Kind, str]" = {"other": "resources", "route": "routes", "iam": "permissions (IAM)"}
_OPERATIONS = {
    "create": "is created",
    "update": "is updated",
    "remove": "is removed",
    "none": "does not change",
}
_DETAILS = 4
_LABELS = 20
"""Routes of a new stack that are listed."""
_VALUE = 40
"""Characters of a value that is shown."""


def lines(plan: "DeployPlan", moves: "Sequence[Move]" = ()) -> Iterator[str]:
    """The lines of a plan, with colours."""
    for stack in plan.stacks:
        yield from _stack(stack)
    if moves:
        yield "functions that answer with another version"
        for move in moves:
            edge = "  (CloudFront takes some minutes to follow everywhere)" if move.edge else ""
            yield _styled(f"  ~ {move.function}  version {move.before} -> {move.after}{edge}", "yellow")
    yield _counts([change for stack in plan.stacks for change in stack.changes], moves)


def document(plan: "DeployPlan", moves: "Sequence[Move]" = ()) -> dict[str, Any]:
    """The plan for `--json`: all that `lines` tells, and the properties that it leaves out."""
    stacks = [
        {
            "name": row.name,
            "region": row.region,
            "operation": row.operation,
            "note": row.note,
            "changes": [asdict(change) for change in row.changes],
        }
        for row in plan.stacks
    ]
    return {"stacks": stacks, "moves": [asdict(move) for move in moves]}


def _stack(stack: "StackPlan") -> Iterator[str]:
    name = click.style(output.safe(stack.name), bold=True)
    yield f"{name} ({stack.region}) {_OPERATIONS[stack.operation]}"
    if stack.note:
        yield _styled(f"  {stack.note}", "yellow")
    kinds = [kind for kind in _SECTIONS if any(change.kind == kind for change in stack.changes)]
    for kind in kinds:
        changes = [change for change in stack.changes if change.kind == kind]
        if kinds != ["other"]:
            yield f"  {_SECTIONS[kind]}"
        yield from (f"    {line}" for line in _section(changes, brief=stack.operation == "create"))


def _section(changes: "Sequence[Change]", *, brief: bool) -> Iterator[str]:
    """Losses last, where they are seen; what a new stack is made of is counted, since nothing can be lost by it."""
    if brief and all(change.action == "added" for change in changes):
        named = sorted(change.label for change in changes if change.label)
        for type_, count in sorted(Counter(change.type for change in changes).items()):
            yield _styled(f"+ {type_}{f'  × {count}' if count > 1 else ''}", "green")
        yield from (_styled(f"    {label}", "green") for label in named[:_LABELS])
        if len(named) > _LABELS:
            yield f"    and {len(named) - _LABELS} more"
        return
    order = [*_SIGNS]
    order.sort(key=lambda action: action in ("removed", "replaced"))
    for change in sorted(changes, key=lambda row: (order.index(row.action), row.logical_id)):
        yield from _change(change)


def _change(change: "Change") -> Iterator[str]:
    sign, colour = _SIGNS[change.action]
    head = _styled(f"{sign} {change.label or change.logical_id}  {change.type}", colour)
    if change.action == "replaced":
        yield f"{head}  {click.style('REPLACED', fg='red', bold=True)}{_styled(_loss(change), 'red')}"
    elif change.action == "removed":
        yield f"{head}{_styled(_loss(change), colour)}"
    elif change.may_be_replaced:
        yield f"{head}  {click.style('may be replaced', fg='red')}"
    else:
        yield head
    if change.action in ("changed", "replaced"):
        shown = sorted(change.details, key=lambda row: row.recreation == "never")
        for detail in shown[:_DETAILS]:
            yield f"    {_detail(detail)}"
        if len(shown) > _DETAILS:
            yield f"    and {len(shown) - _DETAILS} more properties"


def _loss(change: "Change") -> str:
    """What becomes of the resource that was there."""
    which = change.physical_id or "the old one"
    if change.is_kept:
        return f"  {which} stays, outside of the stack"
    return f"  {which} is deleted with what it holds"


def _detail(detail: "Detail") -> str:
    text = detail.name
    if detail.before is not None and detail.after is not None:
        if max(len(detail.before), len(detail.after)) <= _VALUE:
            text += f": {detail.before} -> {detail.after}"
    elif detail.cause:
        text += f", because of {detail.cause}"
    if detail.recreation == "always":
        return _styled(f"{text}  forces a replacement", "red")
    return output.safe(text)


def _counts(changes: "Sequence[Change]", moves: "Sequence[Move]") -> str:
    kept = sum(change.action == "removed" and change.is_kept for change in changes)
    counts = Counter(change.action for change in changes)
    counts["removed"] -= kept
    parts = [
        _styled(f"{counts[action]} to {verb}", "red" if action == "replaced" else None)
        for action, verb in _VERBS.items()
        if counts[action]
    ]
    parts += [f"{kept} to leave as it is"] if kept else []
    parts += [f"{len(moves)} to move"] if moves else []
    return ", ".join(parts) or "no change"


def _styled(text: str, colour: str | None) -> str:
    return click.style(output.safe(text), fg=colour) if colour else output.safe(text)
