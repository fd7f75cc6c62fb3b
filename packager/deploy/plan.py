"""The plan of a deployment as one value: what each stack becomes, in the order in which it is carried out.

Stacks that are there are asked about by change sets, all at once. A change set cannot be made for a stack that reads
outputs of one that is not there yet, and of a new stack everything is added anyway: those are planned from their
templates, and `execute` makes their change sets when it comes to them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any, Literal

from packager.deploy import change_sets
from packager.deploy.assembly import Assembly, Stack
from packager.deploy.aws import Aws, explained
from packager.deploy.changes import NESTED, Change, from_templates, label_of
from packager.deploy.deployed import Deployed, look
from packager.deploy.staging import Bucket
from packager.deploy.states import state

type Operation = Literal["create", "update", "remove", "none"]


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What a deployment does with one stack.

    `change_set` is the id of the change set that does it; None: it is made when its turn comes, or the stack is
    removed. `note` is what has to be known besides, such as that a broken stack is deleted first.
    """

    name: str
    region: str
    operation: Operation
    changes: tuple[Change, ...] = ()
    change_set: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """All that a deployment changes. Two plans are equal if they do the same."""

    stacks: tuple[StackPlan, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return all(row.operation == "none" for row in self.stacks)


def survey(aws: Aws, stacks: Iterable[tuple[str, str]]) -> dict[str, Deployed]:
    """Those of the stacks, given by name and region, that are there. Raises `ToolError`."""
    rows = list(stacks)
    with ThreadPoolExecutor(max(len(rows), 1)) as pool:
        found = pool.map(lambda row: look(aws, *row), rows)
        return {stack.name: stack for stack in found if stack}


def plan(
    aws: Aws, assembly: Assembly, found: Mapping[str, Deployed], staged: Mapping[str, Bucket] | None
) -> DeployPlan:
    """What deploying the assembly would change.

    `found` are the stage's stacks that are there (`survey`); those that the assembly does not have any more are
    removed, last. `staged` are the buckets that the templates have been uploaded to; None if there are none, so that
    no change set can be made. Raises `ToolError`; no change set is left then.
    """
    known = {name for name, row in found.items() if state(row.status).step == "update"}
    with ThreadPoolExecutor(len(assembly.stacks) + len(found)) as pool:
        futures = [pool.submit(_planned, aws, row, found, known, staged) for row in assembly.stacks]
        names = {row.name for row in assembly.stacks}
        gone = [row for name, row in found.items() if name not in names]
        futures += [pool.submit(_removed, aws, row) for row in reversed(gone)]
        try:
            return DeployPlan(tuple(future.result() for future in futures))
        except BaseException:
            wait(futures)
            done = [future.result() for future in futures if not future.exception()]
            discard(aws, DeployPlan(tuple(done)))
            raise


def discard(aws: Aws, planned: DeployPlan) -> None:
    """Delete the change sets of a plan that is not carried out."""
    for row in planned.stacks:
        if row.change_set:
            change_sets.discard(aws, row.region, row.change_set)


def _planned(
    aws: Aws,
    stack: Stack,
    found: Mapping[str, Deployed],
    known: AbstractSet[str],
    staged: Mapping[str, Bucket] | None,
) -> StackPlan:
    template = change_sets.template_of(stack)
    if stack.name not in known:
        left = found.get(stack.name)
        note = f"what is left of it ({left.status}) is deleted first" if left else None
        added = tuple(_added(stack, template, ""))
        return StackPlan(stack.name, stack.region, "create", added, note=note)
    if staged is not None and known >= set(stack.depends_on):
        made = change_sets.make(aws, stack, staged, found)
        if made is None:
            return StackPlan(stack.name, stack.region, "none")
        resources = template["Resources"]
        changes = tuple(
            replace(row, label=label_of(resources.get(row.logical_id, {}))) for row in made.changes
        )
        return StackPlan(stack.name, stack.region, "update", changes, made.id)
    changes = tuple(from_templates(_template(aws, found[stack.name]), template))
    note = "planned from the templates: it reads what a stack gives that is not there yet"
    return StackPlan(stack.name, stack.region, "update", changes, note=note)


def _removed(aws: Aws, stack: Deployed) -> StackPlan:
    changes = tuple(from_templates(_template(aws, stack), {}))
    return StackPlan(stack.name, stack.region, "remove", changes, note="the app has no need of it any more")


def _added(stack: Stack, template: Mapping[str, Any], within: str) -> Iterator[Change]:
    """Everything in a template and in the nested ones that it names, each by the key of its file."""
    for change in from_templates({}, template):
        yield replace(change, logical_id=f"{within}{change.logical_id}")
        if change.type == NESTED:
            properties = json.dumps(template["Resources"][change.logical_id]["Properties"])
            for asset in stack.assets:
                if asset.is_template and asset.key in properties:
                    nested = json.loads(asset.path.read_text(encoding="utf-8"))
                    yield from _added(stack, nested, f"{within}{change.logical_id}/")


def _template(aws: Aws, stack: Deployed) -> Mapping[str, Any]:
    """The template that a stack was deployed with."""
    client = aws.client("cloudformation", stack.region)
    with explained(f"reading the template of {stack.name}"):
        body = client.get_template(StackName=stack.id)["TemplateBody"]
    document: Mapping[str, Any] = json.loads(body) if isinstance(body, str) else body
    return document
