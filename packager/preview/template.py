"""The templates of a cloud assembly with their values: parameters, conditions and functions resolved as CloudFormation
would, as far as the stacks of an app use them.

What only AWS knows is made up, the same on every run: the id of a resource is `STACK/LOGICAL-ID`, the value of an
attribute `STACK/LOGICAL-ID.ATTRIBUTE`, so that whatever refers to a resource can be led back to it.
Source: AWS CloudFormation User Guide, "Intrinsic function reference", "Pseudo parameters reference".
"""

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packager.deploy.assembly import Assembly, Asset
from packager.errors import ToolError

ACCOUNT = "123456789012"
NO_VALUE = object()
"""What `AWS::NoValue` is: the property that has it is left out."""

_NESTED = "AWS::CloudFormation::Stack"
_NAMED_BY_AWS = {"AWS::ApiGatewayV2::Api": 10, "AWS::CloudFront::Distribution": 14}
"""Resources whose id becomes part of a host name, and how long it is."""

_PLACEHOLDER = re.compile(r"\$\{(!?)([A-Za-z0-9:.]+)\}")


@dataclass(frozen=True, slots=True)
class Place:
    """A resource in a template; `str` of it is for people and the key by which others refer to it."""

    stack: str
    logical_id: str

    def __str__(self) -> str:
        return f"{self.stack}/{self.logical_id}"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource with its properties resolved."""

    place: Place
    type: str
    properties: Mapping[str, Any]
    metadata: Mapping[str, Any]


@dataclass(slots=True)
class _Stack:
    """A template with what is around it. `given` are its parameters, of a nested stack alone."""

    name: str
    region: str
    template: Mapping[str, Any]
    assets: Mapping[str, Asset]
    given: Mapping[str, Any]
    nested: dict[str, "_Stack"] = field(default_factory=dict)


class Templates:
    """All stacks of an assembly, nested ones included.

    Raises `ToolError`, which names stack, logical id and property, for what cannot be resolved.
    """

    def __init__(self, assembly: Assembly) -> None:
        self._stacks: dict[tuple[str, str], _Stack] = {}
        self._all: list[_Stack] = []
        for row in assembly.stacks:
            assets = {asset.key: asset for asset in row.assets}
            stack = _Stack(row.name, row.region, _read(row.template.path), assets, {})
            self._stacks[row.name, row.region] = stack
            self._add(stack)

    def resources(self, *types: str) -> Iterator[Resource]:
        """The resources of these types, in the order of the templates."""
        for stack in self._all:
            for logical_id, row in stack.template.get("Resources", {}).items():
                if row["Type"] in types and self._exists(stack, logical_id, row):
                    yield self._resource(stack, logical_id, row)

    def asset(self, resource: Resource, key: str) -> Path:
        """The file that is uploaded under `key`. Raises `ToolError` if the assembly has none."""
        stack = next(row for row in self._all if row.name == resource.place.stack)
        if key not in stack.assets:
            raise fault(resource.place, f"the assembly has no file for the code at {key}")
        return stack.assets[key].path

    def name(self, resource: Resource) -> str:
        """What a reference to the resource gives."""
        at = _At(
            next(row for row in self._all if row.name == resource.place.stack), resource.place.logical_id
        )
        return str(self._ref(at, resource.place.logical_id))

    def region(self, place: Place) -> str:
        """The region of a resource."""
        return next(row.region for row in self._all if row.name == place.stack)

    def _add(self, stack: _Stack) -> None:
        self._all.append(stack)
        for logical_id, row in stack.template.get("Resources", {}).items():
            if row["Type"] == _NESTED:
                self._add(self._nested(stack, logical_id, row["Properties"]))

    def _nested(self, stack: _Stack, logical_id: str, properties: Mapping[str, Any]) -> _Stack:
        at = _At(stack, logical_id)
        url = self._value(at, properties["TemplateURL"])
        given = self._value(at, properties.get("Parameters", {}))
        found = next(
            (row for key, row in stack.assets.items() if row.is_template and url.endswith(f"/{key}")), None
        )
        if found is None:
            raise fault(at.place, f"the assembly has no template for {url}")
        nested = _Stack(f"{stack.name}-{logical_id}", stack.region, _read(found.path), stack.assets, given)
        stack.nested[logical_id] = nested
        return nested

    def _exists(self, stack: _Stack, logical_id: str, row: Mapping[str, Any]) -> bool:
        condition = row.get("Condition")
        return condition is None or self._condition(_At(stack, logical_id), condition)

    def _resource(self, stack: _Stack, logical_id: str, row: Mapping[str, Any]) -> Resource:
        at = _At(stack, logical_id)
        properties = {
            name: value
            for name, given in row.get("Properties", {}).items()
            if (value := self._value(at.of(name), given)) is not NO_VALUE
        }
        return Resource(at.place, row["Type"], properties, row.get("Metadata", {}))

    def _value(self, at: "_At", given: Any) -> Any:
        if isinstance(given, list):
            return [value for item in given if (value := self._value(at, item)) is not NO_VALUE]
        if not isinstance(given, dict):
            return given
        if len(given) == 1:
            ((name, argument),) = given.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(at, name, argument)
        resolved = {key: self._value(at, value) for key, value in given.items()}
        return {key: value for key, value in resolved.items() if value is not NO_VALUE}

    def _call(self, at: "_At", name: str, argument: Any) -> Any:
        functions: dict[str, Callable[[_At, Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._attribute,
            "Fn::GetStackOutput": self._stack_output,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
        }
        if name not in functions:
            raise fault(at.place, f"{at.name} uses {name}, which preview does not know")
        try:
            return functions[name](at, argument)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise fault(at.place, f"{at.name}: {name} has not the arguments that it takes") from error

    def _ref(self, at: "_At", name: str) -> Any:
        stack = at.stack
        if name in stack.template.get("Parameters", {}):
            if name in stack.given:
                return stack.given[name]
            parameter = stack.template["Parameters"][name]
            if "Default" not in parameter:
                raise fault(at.place, f"{at.name} needs the parameter {name}, which has no default")
            return parameter["Default"]
        if name.startswith("AWS::"):
            return self._pseudo(at, name)
        row = stack.template["Resources"].get(name)
        if row is None:
            raise fault(at.place, f"{at.name} refers to {name}, which the template does not have")
        if length := _NAMED_BY_AWS.get(row["Type"]):
            return hashlib.sha256(f"{stack.name}/{name}".encode()).hexdigest()[:length]
        return str(Place(stack.name, name))

    def _pseudo(self, at: "_At", name: str) -> Any:
        stack = at.stack
        mark = uuid.uuid5(uuid.NAMESPACE_URL, stack.name)
        values = {
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": stack.region,
            "AWS::StackId": f"arn:aws:cloudformation:{stack.region}:{ACCOUNT}:stack/{stack.name}/{mark}",
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name not in values:
            raise fault(at.place, f"{at.name} uses {name}, which preview does not know")
        return values[name]

    def _attribute(self, at: "_At", argument: Any) -> Any:
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        if logical_id not in at.stack.template["Resources"]:
            raise fault(at.place, f"{at.name} refers to {logical_id}, which the template does not have")
        if logical_id in at.stack.nested and attribute.startswith("Outputs."):
            return self._output(at.stack.nested[logical_id], attribute.removeprefix("Outputs."))
        return f"{Place(at.stack.name, logical_id)}.{attribute}"

    def _stack_output(self, at: "_At", argument: Mapping[str, Any]) -> Any:
        name, output = self._value(at, argument["StackName"]), argument["OutputName"]
        region = self._value(at, argument.get("Region", at.stack.region))
        stack = self._stacks.get((name, region))
        if stack is None or output not in stack.template.get("Outputs", {}):
            raise fault(
                at.place, f"{at.name} needs the output {output} of {name} in {region}, which is not there"
            )
        return self._output(stack, output)

    def _output(self, stack: _Stack, name: str) -> Any:
        return self._value(_At(stack, name, "Value"), stack.template["Outputs"][name]["Value"])

    def _if(self, at: "_At", argument: list[Any]) -> Any:
        condition, yes, no = argument
        return self._value(at, yes if self._condition(at, condition) else no)

    def _condition(self, at: "_At", name: str) -> bool:
        return self._holds(at, at.stack.template.get("Conditions", {})[name])

    def _holds(self, at: "_At", given: Mapping[str, Any]) -> bool:
        ((name, argument),) = given.items()
        match name:
            case "Condition":
                return self._condition(at, argument)
            case "Fn::Equals":
                left, right = (self._value(at, item) for item in argument)
                return bool(left == right)
            case "Fn::Not":
                return not self._holds(at, argument[0])
            case "Fn::And":
                return all(self._holds(at, item) for item in argument)
            case "Fn::Or":
                return any(self._holds(at, item) for item in argument)
        raise fault(at.place, f"a condition uses {name}, which preview does not know")

    def _join(self, at: "_At", argument: list[Any]) -> str:
        delimiter, parts = argument
        joined: str = delimiter.join(str(part) for part in self._value(at, parts))
        return joined

    def _select(self, at: "_At", argument: list[Any]) -> Any:
        index, items = argument
        return self._value(at, items)[int(index)]

    def _split(self, at: "_At", argument: list[Any]) -> list[str]:
        delimiter, text = argument
        parts: list[str] = self._value(at, text).split(delimiter)
        return parts

    def _sub(self, at: "_At", argument: Any) -> str:
        text, names = (argument, {}) if isinstance(argument, str) else argument

        def value(found: re.Match[str]) -> str:
            literal, name = found.groups()
            if literal:
                return "${" + name + "}"
            if name in names:
                return str(self._value(at, names[name]))
            is_attribute = "." in name and not name.startswith("AWS::")
            return str(self._attribute(at, name) if is_attribute else self._ref(at, name))

        return _PLACEHOLDER.sub(value, text)


@dataclass(frozen=True, slots=True)
class _At:
    """Where a value stands."""

    stack: _Stack
    logical_id: str
    name: str = "a property"

    @property
    def place(self) -> Place:
        return Place(self.stack.name, self.logical_id)

    def of(self, name: str) -> "_At":
        return _At(self.stack, self.logical_id, name)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ToolError(
            f"{path} is not a template: {error}", hint="Make it again with `packager synth`."
        ) from error
    if not isinstance(document, dict):
        raise ToolError(f"{path} is not a template", hint="Make it again with `packager synth`.")
    return document


def fault(place: Place, message: str) -> ToolError:
    """The error for what cannot be resolved or emulated; `message` names the property."""
    return ToolError(
        f"{place}: {message}",
        hint="Mend the template, make it again with `packager synth`, or serve the build without it: "
        "`packager preview --from manifest`.",
    )
