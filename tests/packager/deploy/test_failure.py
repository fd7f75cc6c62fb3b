"""Why CloudFormation gave up: the first cause of recorded events, and whose resource it is."""

from datetime import UTC, datetime, timedelta

import pytest
from assemblies import assembly_of, stack_of

from packager.deploy.deployed import Deployed
from packager.deploy.events import Event, Outcome, first_cause
from packager.deploy.failure import failure, owner

STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop-dev-api/1"
BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)

RESOURCES = {
    "Api": {"Type": "AWS::ApiGatewayV2::Api"},
    "UsersRole": {"Type": "AWS::IAM::Role"},
    "UsersLogs": {"Type": "AWS::Logs::LogGroup"},
    "UsersFunction": {
        "Type": "AWS::Lambda::Function",
        "Properties": {"Role": {"Fn::GetAtt": ["UsersRole", "Arn"]}, "LoggingConfig": {"Ref": "UsersLogs"}},
        "Metadata": {
            "packager": {"function": "users", "routes": {"/api/users/[id]": "app/api/users/[id]/route.py"}}
        },
    },
    "OtherFunction": {
        "Type": "AWS::Lambda::Function",
        "Metadata": {
            "packager": {"function": "other", "routes": dict.fromkeys(["/a", "/b", "/c", "/d"], "f")}
        },
    },
    "UsersVersion": {
        "Type": "AWS::Lambda::Version",
        "Properties": {"FunctionName": {"Ref": "UsersFunction"}},
    },
    "UsersAlias": {
        "Type": "AWS::Lambda::Alias",
        "Properties": {"FunctionVersion": {"Fn::GetAtt": "UsersVersion.Version"}},
    },
    "UsersRoute": {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {"RouteKey": "ANY /api/users/{id}", "ApiId": {"Ref": "Api"}},
    },
}


def event(
    name, status, reason="", *, second=0, type_="AWS::Lambda::Function", stack=STACK, physical="", path=""
):
    when = BEGIN + timedelta(seconds=second)
    return Event(f"{name}-{status}-{second}", stack, path, name, type_, status, reason, physical, when)


CASCADE = (
    event("shop-dev-api", "UPDATE_IN_PROGRESS", "User Initiated", physical=STACK),
    event("OtherFunction", "UPDATE_FAILED", "Resource update cancelled", second=5),
    event("UsersAlias", "CREATE_FAILED", "Resource creation cancelled", second=5),
    event(
        "UsersRole",
        "CREATE_FAILED",
        "API: iam:CreateRole User is not authorized",
        second=4,
        type_="AWS::IAM::Role",
    ),
    event(
        "shop-dev-api",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "The following resource(s) failed to create: [UsersRole].",
        second=6,
        physical=STACK,
    ),
    event("UsersLogs", "DELETE_FAILED", "Rate exceeded", second=8, type_="AWS::Logs::LogGroup"),
)


def outcome(events, status="UPDATE_ROLLBACK_COMPLETE", reason=""):
    return Outcome(Deployed("shop-dev-api", "eu-west-1", STACK, status, reason), tuple(events))


def test_the_first_cause_is_told_and_not_what_was_given_up_because_of_it():
    assert first_cause(CASCADE).logical_id == "UsersRole"
    assert first_cause(CASCADE[:3]) is None


def test_of_nested_stacks_the_resource_is_told_and_not_the_stack_around_it():
    nested = "arn:aws:cloudformation:eu-west-1:123456789012:stack/inner/2"
    around = "Embedded stack arn:inner was not successfully created: failed to create: [UsersFunction]"
    cause = first_cause(
        [
            event(
                "Functions1",
                "CREATE_FAILED",
                around,
                second=3,
                type_="AWS::CloudFormation::Stack",
                physical=nested,
            ),
            event("UsersFunction", "CREATE_FAILED", "too large", second=2, stack=nested, path="Functions1/"),
        ]
    )
    assert (cause.path, cause.logical_id) == ("Functions1/", "UsersFunction")


def test_a_stack_that_fails_as_a_whole_is_told_with_its_own_reason():
    whole = [event("shop-dev-api", "CREATE_FAILED", "Validation failed for 2 resources", physical=STACK)]
    error = failure(outcome(whole, "ROLLBACK_COMPLETE"), None, "shop-dev-api")
    assert error.message == "shop-dev-api: Validation failed for 2 resources"
    assert "makes it anew" in error.hint


def test_without_any_event_the_reason_of_the_stack_is_told():
    error = failure(outcome([], "UPDATE_ROLLBACK_FAILED", "lost"), None, "shop-dev-api")
    assert error.message == "shop-dev-api failed: lost"
    assert "could not be put back" in error.hint


@pytest.fixture
def stack(tmp_path):
    return assembly_of(tmp_path, {"shop-dev-api": stack_of(RESOURCES)}).stacks[0]


@pytest.mark.parametrize("name", ["UsersRole", "UsersLogs", "UsersFunction", "UsersVersion", "UsersAlias"])
def test_what_a_function_is_made_of_is_the_functions(stack, name):
    assert owner(stack, name) == "the function users (/api/users/[id])"


def test_a_route_is_told_by_its_path_and_what_all_share_is_nobodys(stack):
    assert owner(stack, "UsersRoute") == "the route /api/users/{id}"
    assert owner(stack, "Api") is None
    assert owner(stack, "Unknown") is None
    assert owner(stack, "OtherFunction") == "the function other (/a, /b, /c and 1 more)"


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("User: x is not authorized to perform: iam:CreateRole", "policies"),
        ("shop-dev-users already exists in stack other", "that name"),
        ("Limit Exceeded: LimitExceeded for functions", "Service Quotas"),
        ("Rate exceeded", "wait a minute"),
        ("the code is too strange", "deploy again"),
    ],
)
def test_the_hint_fits_the_reason(stack, reason, hint):
    rows = [event("UsersFunction", "CREATE_FAILED", reason)]
    error = failure(outcome(rows), stack, "shop-dev-api")
    assert error.message == (
        "shop-dev-api: UsersFunction (AWS::Lambda::Function) of the function users (/api/users/[id]): "
        + reason
    )
    assert hint in error.hint
    assert error.hint.startswith("The stack is as it was before.")
