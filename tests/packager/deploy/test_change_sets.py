"""What CloudFormation may say to a change set, played by botocore's stubs and by a server that refuses."""

from types import SimpleNamespace

import botocore.session
import pytest
from assemblies import TOPIC, assembly_of, stack_of
from botocore.stub import ANY, Stubber

from packager.deploy import change_sets, recover
from packager.deploy.aws import connect
from packager.deploy.deployed import Deployed
from packager.deploy.progress import Silent
from packager.deploy.staging import Bucket
from packager.errors import ToolError

REGION = "us-east-1"
NAME = "shop-dev-api"
ID = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/packager-1/1"
STACK = Deployed(
    NAME, REGION, f"arn:aws:cloudformation:us-east-1:123456789012:stack/{NAME}/1", "UPDATE_COMPLETE"
)


@pytest.fixture
def stack(tmp_path):
    return assembly_of(tmp_path, {NAME: stack_of({"Topic": TOPIC})}).stacks[0]


@pytest.fixture
def stubbed(keys, monkeypatch):
    """CloudFormation by a script: what it is asked, and what it answers."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    session = botocore.session.get_session()
    client = session.create_client("cloudformation", region_name=REGION)
    s3 = SimpleNamespace(meta=SimpleNamespace(endpoint_url="https://s3.us-east-1.amazonaws.com"))
    aws = SimpleNamespace(client=lambda service, _region=None: s3 if service == "s3" else client)
    with Stubber(client) as stub:
        yield aws, stub
        stub.assert_no_pending_responses()


def made(aws, stack):
    return change_sets.make(aws, stack, {REGION: Bucket("staging", REGION, "own")}, {NAME: STACK})


def described(status, **more):
    return {"ChangeSetId": ID, "StackId": STACK.id, "Status": status, **more}


def scripted(stub, *answers):
    stub.add_response("create_change_set", {"Id": ID, "StackId": STACK.id})
    for answer in answers:
        stub.add_response("describe_change_set", answer, {"ChangeSetName": ID, "IncludePropertyValues": True})


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ],
)
def test_an_empty_change_set_is_deleted_and_none(stubbed, stack, reason):
    aws, stub = stubbed
    scripted(stub, described("CREATE_IN_PROGRESS"), described("FAILED", StatusReason=reason))
    stub.add_response("delete_change_set", {}, {"ChangeSetName": ID})
    assert made(aws, stack) is None


def test_a_change_set_that_fails_is_deleted_and_its_reason_told(stubbed, stack):
    aws, stub = stubbed
    scripted(stub, described("FAILED", StatusReason="Template error: no such thing"))
    stub.add_response("delete_change_set", {}, {"ChangeSetName": ID})
    with pytest.raises(ToolError) as caught:
        made(aws, stack)
    assert (
        caught.value.message == f"CloudFormation refuses the changes of {NAME}: Template error: no such thing"
    )
    assert "Nothing was changed" in caught.value.hint


def test_what_validation_found_is_told_instead_of_that_it_found_something(stubbed, stack):
    aws, stub = stubbed
    reason = "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]."
    scripted(stub, described("FAILED", StatusReason=reason))
    found = {
        "LogicalResourceId": "Topic",
        "ValidationPath": "/Resources/Topic/Properties/Colour",
        "ValidationStatusReason": "extraneous key [Colour] is not permitted",
    }
    stub.add_response("describe_events", {"OperationEvents": [found]}, ANY_EVENTS)
    stub.add_response("delete_change_set", {}, {"ChangeSetName": ID})
    with pytest.raises(ToolError, match=r"Topic /Resources/Topic/Properties/Colour: extraneous key"):
        made(aws, stack)


ANY_EVENTS = {"ChangeSetName": ID, "Filters": {"FailedEvents": True}}


def test_all_pages_and_the_nested_change_sets_are_read(stubbed, stack):
    aws, stub = stubbed
    inner = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/inner/1"

    def change(name, **more):
        row = {"Action": "Add", "LogicalResourceId": name, "ResourceType": "AWS::SNS::Topic", **more}
        return {"Type": "Resource", "ResourceChange": row}

    scripted(stub, described("CREATE_COMPLETE", Changes=[change("One")], NextToken="more"))
    stub.add_response(
        "describe_change_set",
        described("CREATE_COMPLETE", Changes=[change("Part", ChangeSetId=inner)]),
        {"ChangeSetName": ID, "IncludePropertyValues": True, "NextToken": "more"},
    )
    stub.add_response(
        "describe_change_set",
        described("CREATE_COMPLETE", Changes=[change("Two")]),
        {"ChangeSetName": inner, "IncludePropertyValues": True},
    )
    assert [row.logical_id for row in made(aws, stack).changes] == ["One", "Part/Two"]


def test_a_change_set_is_deleted_when_it_cannot_be_read(stubbed, stack):
    aws, stub = stubbed
    stub.add_response("create_change_set", {"Id": ID, "StackId": STACK.id})
    stub.add_client_error("describe_change_set", "AccessDenied", "no")
    stub.add_response("delete_change_set", {}, {"ChangeSetName": ID})
    with pytest.raises(ToolError, match="access denied"):
        made(aws, stack)


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (400, "Throttling", "AWS asks for fewer calls"),
        (403, "AccessDenied", "access denied"),
        (403, "ExpiredToken", "have expired"),
    ],
)
def test_refusals_of_aws_are_told(refusing, stack, status, code, said):
    refusing(status, code, "no")
    aws = connect(REGION)
    with pytest.raises(ToolError, match=said) as caught:
        made(aws, stack)
    assert caught.value.message.startswith(f"asking CloudFormation what would change in {NAME} failed")
    aws.close()


def test_a_rollback_that_failed_is_tried_again_and_then_done_without_what_fails(stubbed):
    aws, stub = stubbed
    broken = Deployed(NAME, REGION, STACK.id, "UPDATE_ROLLBACK_FAILED")

    def stands(status):
        row = {"StackName": NAME, "StackId": STACK.id, "CreationTime": 0, "StackStatus": status}
        stub.add_response("describe_stacks", {"Stacks": [row]}, {"StackName": STACK.id})
        stub.add_response("describe_stack_events", {"StackEvents": []}, {"StackName": STACK.id})

    for skipped, after in (([], "UPDATE_ROLLBACK_FAILED"), (["Topic"], "UPDATE_ROLLBACK_COMPLETE")):
        if skipped:
            row = {
                "LogicalResourceId": "Topic",
                "ResourceType": "AWS::SNS::Topic",
                "LastUpdatedTimestamp": 0,
                "ResourceStatus": "UPDATE_FAILED",
            }
            stub.add_response(
                "list_stack_resources", {"StackResourceSummaries": [row]}, {"StackName": STACK.id}
            )
        stub.add_response(
            "continue_update_rollback",
            {},
            {"StackName": STACK.id, "ResourcesToSkip": skipped, "ClientRequestToken": ANY},
        )
        stands("UPDATE_ROLLBACK_IN_PROGRESS")
        stands(after)
    now = recover.settle(aws, {NAME: broken}, "dev", Silent(), agreed=True)
    assert now[NAME].status == "UPDATE_ROLLBACK_COMPLETE"
