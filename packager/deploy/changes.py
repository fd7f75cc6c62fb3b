"""What a deployment changes in a stack, as values: from CloudFormation's change sets and from templates.

A change set is what CloudFormation itself says of a stack that is there (API Reference, DescribeChangeSet). Of a stack
that is not there yet everything is added, which its template tells without asking.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

type Action = Literal["added", "changed", "replaced", "removed", "imported"]
type Kind = Literal["iam", "route", "other"]
type Recreation = Literal["never", "maybe", "always"]

NESTED = "AWS::CloudFormation::Stack"

_ACTIONS: Mapping[str, Action] = {
    "Add": "added",
    "Modify": "changed",
    "Remove": "removed",
    "Import": "imported",
    "Dynamic": "changed",
    "SyncWithActual": "changed",
}
_RECREATIONS: Mapping[str, Recreation] = {
    "Never": "never",
    "Conditionally": "maybe",
    "Always": "always",
}
_KEPT = {"Retain", "ReplaceAndRetain", "RetainExceptOnCreate"}

_RIGHTS = {
    *("AWS::Lambda::Permission", "AWS::Lambda::LayerVersionPermission", "AWS::S3::BucketPolicy"),
    *("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::Logs::ResourcePolicy"),
    *("AWS::SecretsManager::ResourcePolicy", "AWS::CloudFront::OriginAccessControl"),
}
"""Besides `AWS::IAM::`: types that say who may do what."""

_WAYS = {
    *("AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Integration"),
    *("AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping"),
    *("AWS::CloudFront::Distribution", "AWS::CloudFront::Function", "AWS::Route53::RecordSet"),
}
"""Types that decide which URL leads where."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One property that changes: `name` is its path, `before` and `after` its values where CloudFormation gives them.

    `recreation` says whether its change replaces the resource; `cause` is what it follows from, another resource or a
    parameter.
    """

    name: str
    before: str | None = None
    after: str | None = None
    recreation: Recreation = "never"
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource of a stack.

    `logical_id` is its name in the template, with those of nested stacks before it (`Functions1/ApiFunction`).
    A resource that is `replaced` gets a new physical id and loses what it holds, unless it `is_kept`: then the old
    one stays, outside of the stack. `may_be_replaced` leaves that open until CloudFormation knows more. `label` is
    what people know it by, such as `ANY /api/users/{id}`, if there is such a thing.
    """

    action: Action
    logical_id: str
    type: str
    physical_id: str | None = None
    kind: Kind = "other"
    details: tuple[Detail, ...] = ()
    may_be_replaced: bool = False
    is_kept: bool = False
    label: str | None = None


def kind_of(type_: str) -> Kind:
    """What a CloudFormation type is about: who may do what (`iam`), which URL leads where (`route`), or neither."""
    if type_.startswith("AWS::IAM::") or type_ in _RIGHTS:
        return "iam"
    return "route" if type_ in _WAYS else "other"


def label_of(resource: Mapping[str, Any]) -> str | None:
    """What people know a template's resource by; None if it has no better name than its logical id."""
    key = resource.get("Properties", {}).get("RouteKey")
    return key if isinstance(key, str) else None


def from_change_set(rows: Iterable[Mapping[str, Any]], within: str = "") -> Iterator[Change]:
    """The changes of a change set: `rows` are the `Changes` of DescribeChangeSet, all pages of them.

    `within` is the path of the nested stack that the change set is of. A nested stack that has a change set of its
    own is not among the changes; `nested` gives those.
    """
    for row in rows:
        change = row.get("ResourceChange")
        if change is None or change.get("ChangeSetId"):
            continue
        replacement = change.get("Replacement", "False")
        action = _ACTIONS[change["Action"]]
        yield Change(
            action="replaced" if action == "changed" and replacement == "True" else action,
            logical_id=f"{within}{change['LogicalResourceId']}",
            type=change["ResourceType"],
            physical_id=change.get("PhysicalResourceId") or None,
            kind=kind_of(change["ResourceType"]),
            details=tuple(_details(change.get("Details", []))),
            may_be_replaced=replacement == "Conditional",
            is_kept=change.get("PolicyAction") in _KEPT,
        )


def nested(rows: Iterable[Mapping[str, Any]], within: str = "") -> dict[str, str]:
    """The change sets of nested stacks that a change set has, by the path to give `from_change_set` for each."""
    changes = (row["ResourceChange"] for row in rows if "ResourceChange" in row)
    return {
        f"{within}{change['LogicalResourceId']}/": change["ChangeSetId"]
        for change in changes
        if change.get("ChangeSetId")
    }


def _details(rows: Iterable[Mapping[str, Any]]) -> Iterator[Detail]:
    """One for each property; CloudFormation names one again for each cause, and the sure one counts."""
    found: dict[str, Detail] = {}
    for row in rows:
        target = row.get("Target", {})
        name = _name(target)
        detail = Detail(
            name=name,
            before=target.get("BeforeValue"),
            after=target.get("AfterValue"),
            recreation=_RECREATIONS.get(target.get("RequiresRecreation", "Never"), "never"),
            cause=row.get("CausingEntity"),
        )
        if name not in found or row.get("Evaluation") == "Static":
            found[name] = detail
    yield from found.values()


def _name(target: Mapping[str, Any]) -> str:
    """`Path` is `/Properties/MemorySize`; where there is none, attribute and property are given apart."""
    if path := target.get("Path"):
        return str(path).strip("/").removeprefix("Properties/").replace("/", ".")
    return str(target.get("Name") or target.get("Attribute") or "")


def from_templates(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """The changes from one template to another, each as a document; `before` is empty for a stack to be created.

    Templates know neither physical ids nor what a property's change leads to: what changes may be replaced.
    """
    old, new = before.get("Resources", {}), after.get("Resources", {})
    for name, row in new.items():
        if name not in old:
            yield Change("added", name, row["Type"], kind=kind_of(row["Type"]), label=label_of(row))
        elif row["Type"] != old[name]["Type"]:
            yield Change("replaced", name, row["Type"], kind=kind_of(row["Type"]))
        elif names := _differing(old[name].get("Properties", {}), row.get("Properties", {})):
            details = tuple(Detail(item, recreation="maybe") for item in names)
            kind = kind_of(row["Type"])
            label = label_of(row)
            yield Change(
                "changed", name, row["Type"], kind=kind, details=details, may_be_replaced=True, label=label
            )
    for name, row in old.items():
        if name not in new:
            kept = row.get("DeletionPolicy") in _KEPT
            yield Change(
                "removed", name, row["Type"], kind=kind_of(row["Type"]), is_kept=kept, label=label_of(row)
            )


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
