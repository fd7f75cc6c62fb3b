"""Templates with their values: the intrinsic functions that stacks of an app use, and errors that say where."""

from pathlib import Path
from typing import Any

import pytest
from assemblies import assembly_of, stack_of

from packager.errors import ToolError
from packager.preview.template import Templates

type Made = dict[str, Any]


def value_of(folder: Path, given: Any, **template: Any) -> Any:
    thing = {"Type": "A::B", "Properties": {"Value": given}}
    made = {**stack_of({"Thing": thing, "Api": {"Type": "AWS::ApiGatewayV2::Api"}}), **template}
    assembly = assembly_of(folder / "out", {"shop-api": made}, region="eu-west-1")
    (found,) = Templates(assembly).resources("A::B")
    return found.properties.get("Value", "left out")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("plain", "plain"),
        ({"Ref": "Thing"}, "shop-api/Thing"),
        ({"Fn::GetAtt": ["Thing", "Arn"]}, "shop-api/Thing.Arn"),
        ({"Fn::GetAtt": "Thing.Outputs.X"}, "shop-api/Thing.Outputs.X"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::StackName"}, 3]]}, "a-shop-api-3"),
        (
            {"Fn::Sub": "${AWS::Region}/${Thing}/${Thing.Arn}/${!Kept}"},
            "eu-west-1/shop-api/Thing/shop-api/Thing.Arn/${Kept}",
        ),
        ({"Fn::Sub": ["${X}${Size}", {"X": {"Ref": "Size"}}]}, "33"),
        ({"Fn::Select": [1, {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"Fn::If": ["Small", {"a": [{"Ref": "Size"}]}, "no"]}, {"a": ["3"]}),
        ({"Fn::If": ["Large", "no", {"Ref": "AWS::NoValue"}]}, "left out"),
        ([{"Fn::If": ["Odd", "odd", {"Ref": "AWS::NoValue"}]}, 1], ["odd", 1]),
        ({"Fn::GetStackOutput": {"StackName": "shop-api", "OutputName": "Known"}}, "3!"),
    ],
)
def test_values_are_resolved_as_cloudformation_would(tmp_path: Path, given: Any, expected: Any) -> None:
    is_small = {"Fn::Equals": [{"Ref": "Size"}, "3"]}
    conditions = {
        "Small": is_small,
        "Large": {"Fn::Not": [{"Condition": "Small"}]},
        "Odd": {"Fn::And": [is_small, {"Fn::Or": [{"Condition": "Large"}, is_small]}]},
    }
    found = value_of(
        tmp_path,
        given,
        Parameters={"Size": {"Type": "String", "Default": "3"}},
        Conditions=conditions,
        Outputs={"Known": {"Value": {"Fn::Sub": "${Size}!"}}},
    )
    assert found == expected


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"Fn::ImportValue": "x"}, "Value uses Fn::ImportValue"),
        ({"Ref": "Missing"}, "Value refers to Missing"),
        ({"Fn::GetAtt": ["Missing", "Arn"]}, "Value refers to Missing"),
        ({"Ref": "AWS::NotificationARNs"}, "Value uses AWS::NotificationARNs"),
        ({"Ref": "Needed"}, "the parameter Needed, which has no default"),
        ({"Fn::Join": "x"}, "Fn::Join has not the arguments"),
        ({"Fn::If": ["Missing", 1, 2]}, "Fn::If has not the arguments"),
        (
            {"Fn::GetStackOutput": {"StackName": "other", "OutputName": "X"}},
            "the output X of other in eu-west-1",
        ),
    ],
)
def test_what_cannot_be_resolved_names_stack_id_and_property(tmp_path: Path, given: Any, told: str) -> None:
    with pytest.raises(ToolError) as caught:
        value_of(tmp_path, given, Parameters={"Needed": {"Type": "String"}})
    assert caught.value.message.startswith("shop-api/Thing: ")
    assert told in caught.value.message
    assert "--from manifest" in caught.value.hint


def test_resources_whose_condition_does_not_hold_are_not_there(tmp_path: Path) -> None:
    made = stack_of({"A": {"Type": "A::B", "Condition": "Never"}, "B": {"Type": "A::B"}})
    made["Conditions"] = {"Never": {"Fn::Equals": ["a", "b"]}}
    found = Templates(assembly_of(tmp_path / "out", {"one": made})).resources("A::B")
    assert [row.place.logical_id for row in found] == ["B"]


def test_nested_stacks_get_their_parameters_and_give_their_outputs(tmp_path: Path) -> None:
    inner = stack_of(
        {"Leaf": {"Type": "A::B", "Properties": {"Value": {"Ref": "Given"}}}},
        parameters={"Given": {"Type": "String"}},
        outputs={"Back": {"Fn::Sub": "${Given}-back"}},
    )
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {
            "TemplateURL": {"Fn::Sub": "https://s3.${AWS::URLSuffix}/bucket/inner.json"},
            "Parameters": {"Given": {"Ref": "AWS::Region"}},
        },
    }
    outer = stack_of(
        {
            "Inner": nested,
            "Top": {"Type": "A::B", "Properties": {"Value": {"Fn::GetAtt": ["Inner", "Outputs.Back"]}}},
        }
    )
    templates = Templates(assembly_of(tmp_path / "out", {"shop": outer}, nested={"inner": inner}))
    found = {str(row.place): row.properties["Value"] for row in templates.resources("A::B")}
    assert found == {"shop/Top": "us-east-1-back", "shop-Inner/Leaf": "us-east-1"}
