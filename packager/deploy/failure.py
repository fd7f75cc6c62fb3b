"""Why CloudFormation gave up, told by the first cause, and whose it is: the function and the routes of a resource."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from packager.deploy import events
from packager.deploy.assembly import Stack
from packager.deploy.events import Event, Outcome
from packager.errors import ToolError

_METADATA = "packager"
_SHOWN_ROUTES = 3

_HINTS = (
    (
        re.compile(r"not authorized|AccessDenied|access denied|UnauthorizedOperation", re.IGNORECASE),
        "Let the policies of who deploys allow what it names, and deploy again.",
    ),
    (
        re.compile(r"already exists", re.IGNORECASE),
        "Something else has that name: delete it, or import it into the stack, and deploy again.",
    ),
    (
        re.compile(r"limit exceeded|LimitExceeded|quota|TooMany", re.IGNORECASE),
        "Ask for more in Service Quotas, or remove what is not used any more, and deploy again.",
    ),
    (
        re.compile(r"throttl|Rate exceeded", re.IGNORECASE),
        "AWS asked for fewer calls: wait a minute and deploy again.",
    ),
)
_DEFAULT_HINT = "Mend that and deploy again."

_AFTER = {
    "ROLLBACK_COMPLETE": "Nothing of the stack is live; the next deploy makes it anew.",
    "ROLLBACK_FAILED": "The next deploy deletes what is left of the stack and makes it anew.",
    "UPDATE_ROLLBACK_COMPLETE": "The stack is as it was before.",
    "UPDATE_ROLLBACK_FAILED": "The stack could not be put back; the next deploy offers to go on with that.",
}


def failure(outcome: Outcome, stack: Stack | None, name: str) -> ToolError:
    """The error of an operation that did not succeed; `stack` is the one of the assembly, which has the templates."""
    status = outcome.stack.status if outcome.stack else "DELETE_COMPLETE"
    cause = events.first_cause(outcome.events)
    after = _AFTER.get(status, f"The stack's status is {status}.")
    if cause is None:
        said = outcome.stack.reason if outcome.stack else ""
        reason = f": {said}" if said else ""
        return ToolError(f"{name} failed{reason}", hint=f"{after} {_DEFAULT_HINT}")
    hint = next((text for pattern, text in _HINTS if pattern.search(cause.reason)), _DEFAULT_HINT)
    return ToolError(f"{name}: {told(cause, stack)}", hint=f"{after} {hint}")


def told(cause: Event, stack: Stack | None) -> str:
    """A failed event in words: what failed, whose it is, why."""
    if cause.is_of_stack:
        return cause.reason or cause.status
    whose = owner(stack, cause.logical_id) if stack else None
    of = f" of {whose}" if whose else ""
    return f"{cause.path}{cause.logical_id} ({cause.type}){of}: {cause.reason or cause.status}"


def owner(stack: Stack, logical_id: str) -> str | None:
    """The function or the route that a resource of the stack, or of a nested one, belongs to, in words.

    A resource belongs to the function that it refers to, or that refers to it, as a role's does.
    """
    for template in _templates(stack):
        resources = template.get("Resources", {})
        if logical_id not in resources:
            continue
        if key := resources[logical_id].get("Properties", {}).get("RouteKey"):
            return f"the route {str(key).removeprefix('ANY ')}"
        refers = {name: set(_references(row)) & resources.keys() for name, row in resources.items()}
        below = _reached(logical_id, refers)
        near = [name for name in resources if name in below or logical_id in refers[name]]
        # a resource of the whole stack, such as the API, is no single function's
        functions = [name for name in near if _METADATA in resources[name].get("Metadata", {})]
        functions = [name for name in functions if "function" in resources[name]["Metadata"][_METADATA]]
        return _function(resources[functions[0]]["Metadata"][_METADATA]) if len(functions) == 1 else None
    return None


def _function(metadata: Mapping[str, Any]) -> str:
    routes = list(metadata.get("routes", {}))
    more = f" and {len(routes) - _SHOWN_ROUTES} more" if len(routes) > _SHOWN_ROUTES else ""
    shown = f" ({', '.join(routes[:_SHOWN_ROUTES])}{more})" if routes else ""
    return f"the function {metadata['function']}{shown}"


def _reached(logical_id: str, refers: Mapping[str, set[str]]) -> set[str]:
    """The resource and all that it refers to, however far."""
    found: set[str] = set()
    waiting = [logical_id]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(refers[name])
    return found


def _references(value: Any) -> Iterator[str]:
    """The names that a part of a template refers to by `Ref`, `Fn::GetAtt` or `DependsOn`."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in {"Ref", "DependsOn"} and isinstance(item, str):
                yield item
            elif key == "DependsOn":
                yield from item
            elif key == "Fn::GetAtt":
                yield item[0] if isinstance(item, list) else item.partition(".")[0]
            else:
                yield from _references(item)


def _templates(stack: Stack) -> Iterator[Mapping[str, Any]]:
    for asset in stack.assets:
        if asset.is_template:
            yield json.loads(asset.path.read_text(encoding="utf-8"))
