import json

import click

from packager.cli.plan_view import document, lines
from packager.deploy.changes import Change, Detail
from packager.deploy.live import Move
from packager.deploy.plan import DeployPlan, StackPlan


def shown(*stacks, moves=()):
    return [click.unstyle(line) for line in lines(DeployPlan(stacks), moves)]


def updated(*changes, note=None):
    return StackPlan("shop-prod-api", "eu-central-1", "update", changes, note=note)


def test_a_plan_that_changes_nothing():
    assert shown(StackPlan("shop-prod-api", "eu-central-1", "none")) == [
        "shop-prod-api (eu-central-1) does not change",
        "no change",
    ]


def test_a_new_stack_is_told_by_types():
    functions = [Change("added", f"Function{number}", "AWS::Lambda::Function") for number in range(3)]
    role = Change("added", "Role", "AWS::IAM::Role", kind="iam")
    assert shown(StackPlan("shop-prod-api", "eu-central-1", "create", (*functions, role))) == [
        "shop-prod-api (eu-central-1) is created",
        "  resources",
        "    + AWS::Lambda::Function  × 3",
        "  permissions (IAM)",
        "    + AWS::IAM::Role",
        "4 to add",
    ]


def test_routes_are_told_by_their_keys():
    routes = [
        Change(
            "added", f"Route{number}", "AWS::ApiGatewayV2::Route", kind="route", label=f"ANY /r{number:02}"
        )
        for number in range(22)
    ]
    found = shown(StackPlan("shop-prod-api", "eu-central-1", "create", tuple(routes)))
    assert found[2:5] == ["    + AWS::ApiGatewayV2::Route  × 22", "        ANY /r00", "        ANY /r01"]
    assert found[-2:] == ["        and 2 more", "22 to add"]
    assert "    + ANY /r03  AWS::ApiGatewayV2::Route" in shown(updated(routes[3]))


def test_changes_of_rights_and_routes_stand_apart():
    found = shown(
        updated(
            Change("changed", "Role", "AWS::IAM::Role", kind="iam", details=(Detail("Policies"),)),
            Change("added", "Route", "AWS::ApiGatewayV2::Route", kind="route"),
            Change(
                "changed", "Function", "AWS::Lambda::Function", details=(Detail("MemorySize", "128", "256"),)
            ),
        )
    )
    assert found == [
        "shop-prod-api (eu-central-1) is updated",
        "  resources",
        "    ~ Function  AWS::Lambda::Function",
        "        MemorySize: 128 -> 256",
        "  routes",
        "    + Route  AWS::ApiGatewayV2::Route",
        "  permissions (IAM)",
        "    ~ Role  AWS::IAM::Role",
        "        Policies",
        "1 to add, 2 to change",
    ]


def test_what_is_lost_is_said_last_with_its_name():
    forced = Detail("TableName", "a" * 60, "b", recreation="always")
    found = shown(
        updated(
            Change(
                "replaced", "Table", "AWS::DynamoDB::Table", "shop-table", details=(Detail("Tags"), forced)
            ),
            Change("removed", "Bucket", "AWS::S3::Bucket", "shop-bucket", is_kept=True),
            Change("removed", "Queue", "AWS::SQS::Queue", "shop-queue"),
            Change("changed", "Topic", "AWS::SNS::Topic", may_be_replaced=True),
        )
    )
    assert found[1:] == [
        "    ~ Topic  AWS::SNS::Topic  may be replaced",
        "    ! Table  AWS::DynamoDB::Table  REPLACED  shop-table is deleted with what it holds",
        "        TableName  forces a replacement",
        "        Tags",
        "    - Bucket  AWS::S3::Bucket  shop-bucket stays, outside of the stack",
        "    - Queue  AWS::SQS::Queue  shop-queue is deleted with what it holds",
        "1 to change, 1 to replace, 1 to remove, 1 to leave as it is",
    ]


def test_a_replacement_is_bold_and_red():
    row = updated(Change("replaced", "Table", "AWS::DynamoDB::Table"))
    assert click.style("REPLACED", fg="red", bold=True) in "".join(lines(DeployPlan((row,))))


def test_notes_and_moves_are_told():
    found = shown(updated(note="the broken stack is deleted first"), moves=[Move("shop-prod-api", "3", "4")])
    assert found[1:] == [
        "  the broken stack is deleted first",
        "functions that answer with another version",
        "  ~ shop-prod-api  version 3 -> 4",
        "1 to move",
    ]


def test_names_from_a_template_cannot_steer_the_terminal():
    found = list(lines(DeployPlan((updated(Change("added", "A\x1b[2J", "AWS::X")),))))
    assert not any("\x1b[2J" in line for line in found)


def test_the_document_has_all_of_it():
    row = updated(Change("changed", "F", "AWS::Lambda::Function", details=(Detail("X", "1", "2"),)))
    made = json.loads(json.dumps(document(DeployPlan((row,)), [Move("api", "1", "2")])))
    assert made["stacks"][0]["changes"][0]["details"][0]["after"] == "2"
    assert made["moves"] == [{"function": "api", "before": "1", "after": "2", "edge": False}]
