"""Deployments to MiniStack that fail, are interrupted, or are found under way."""

import _thread
import json
import threading
import time

import pytest
from assemblies import TOPIC, assembly_of, planned, stack_of
from assemblies import deployed as run

from packager.deploy import deployed, events, plan, recover
from packager.deploy.aws import connect
from packager.deploy.execute import execute
from packager.deploy.progress import Silent
from packager.errors import ToolError

NAME = "shop-dev-api"
FAILS = {
    "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
    "Waits": {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "1"},
    },
}
"""A resource that cannot be created: nobody signals."""

SLOW = {
    "Waits": {
        "Type": "AWS::CloudFormation::WaitCondition",
        "CreationPolicy": {"ResourceSignal": {"Timeout": "PT30S"}},
    },
}
"""A resource that is there once `signal` is called."""


class Told(Silent):
    """Keeps what it is told."""

    def __init__(self):
        self.notes, self.steps, self.resources = [], [], []

    def note(self, text):
        self.notes.append(text)

    def step(self, text):
        self.steps.append(text)

    def resource(self, stack, name, kind, state, reason=""):
        self.resources.append((stack, name, state))


@pytest.fixture
def cloud(ministack):
    found = connect("us-east-1")
    yield found
    found.close()


@pytest.fixture
def quick(monkeypatch):
    """What waits for a network that is lost, or for a stack that stands still, does so for a moment."""
    monkeypatch.setattr(events, "LOST_SECONDS", 0.5)
    monkeypatch.setattr(events, "_UNSEEN_SECONDS", 0.5)


def made_of(folder, resources, **more):
    return assembly_of(folder, {NAME: stack_of(resources, **more)})


def begun(ministack, resources):
    """Start an update or a creation that waits for `signal`, as a run does that is killed then."""
    client = ministack.client("cloudformation")
    try:
        kind = "UPDATE" if client.describe_stacks(StackName=NAME)["Stacks"] else "CREATE"
    except client.exceptions.ClientError:
        kind = "CREATE"
    made = client.create_change_set(
        StackName=NAME,
        ChangeSetName="killed",
        ChangeSetType=kind,
        TemplateBody=json.dumps(stack_of(resources)),
    )
    client.execute_change_set(ChangeSetName=made["Id"], ClientRequestToken="of-the-killed-run")


def signal(ministack):
    """Let the stack that waits go on."""
    client = ministack.client("cloudformation")
    for _ in range(100):
        try:
            client.signal_resource(StackName=NAME, LogicalResourceId="Waits", UniqueId="1", Status="SUCCESS")
        except client.exceptions.ClientError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the stack does not wait for a signal")


def test_what_happens_is_told_resource_by_resource(cloud, tmp_path):
    progress = Told()
    run(cloud, made_of(tmp_path, {"One": TOPIC, "Two": TOPIC}), progress=progress)
    assert (NAME, "One", "running") in progress.resources
    assert progress.resources.count((NAME, "Two", "done")) == 1
    assert f"creating {NAME}" in progress.steps


def test_more_events_than_a_page_holds_are_all_told(cloud, tmp_path):
    progress = Told()
    run(cloud, made_of(tmp_path, {f"Topic{number}": TOPIC for number in range(120)}), progress=progress)
    done = {name for _, name, state in progress.resources if state == "done"}
    assert done == {f"Topic{number}" for number in range(120)}


def test_events_of_earlier_operations_are_not_read(cloud, tmp_path):
    run(cloud, made_of(tmp_path, {"One": TOPIC}))
    now = run(cloud, made_of(tmp_path, {"One": TOPIC, "Two": TOPIC}))
    outcome = events.follow(cloud, now[NAME], None, Silent())
    assert (outcome.events[0].status, outcome.events[0].is_of_stack) == ("UPDATE_IN_PROGRESS", True)
    assert not [row for row in outcome.events if row.logical_id == "One" and row.status == "CREATE_COMPLETE"]
    assert [row for row in outcome.events if row.logical_id == "Two"]


def test_a_stack_that_cannot_be_created_fails_with_the_first_cause_and_is_made_anew_next_time(
    cloud, tmp_path
):
    function = {
        "Type": "AWS::SSM::Parameter",
        "DependsOn": "Waits",
        "Properties": {"Type": "String", "Name": "/later", "Value": "1"},
    }
    with pytest.raises(ToolError) as caught:
        run(cloud, made_of(tmp_path, {**FAILS, "Later": function}))
    assert caught.value.message.startswith(f"{NAME}: Waits (AWS::CloudFormation::WaitCondition): ")
    assert "makes it anew" in caught.value.hint
    found = plan.survey(cloud, [(NAME, "us-east-1")])
    assert found[NAME].status == "ROLLBACK_COMPLETE"
    progress = Told()
    assert recover.settle(cloud, found, "dev", progress, agreed=False) == {}
    assert "nothing of it is live" in progress.steps[0]
    assert run(cloud, made_of(tmp_path, {"Topic": TOPIC}))[NAME].status == "CREATE_COMPLETE"


def test_an_update_that_fails_is_put_back_and_can_be_tried_again(cloud, tmp_path):
    run(cloud, made_of(tmp_path, {"Topic": TOPIC}))
    with pytest.raises(ToolError) as caught:
        run(cloud, made_of(tmp_path, {"Topic": TOPIC, **FAILS}))
    assert "Waits" in caught.value.message
    assert "as it was before" in caught.value.hint
    assert run(cloud, made_of(tmp_path, {"Topic": TOPIC, "More": TOPIC}))[NAME].status == "UPDATE_COMPLETE"


def test_what_fails_in_a_nested_stack_is_told_by_its_own_cause(cloud, tmp_path, ministack):
    bucket = "cdk-hnb659fds-assets-${AWS::AccountId}-us-east-1"
    url = {"Fn::Sub": f"{ministack.endpoint}/{bucket}/inner.json"}
    outer = stack_of({"Part": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}})
    made = assembly_of(tmp_path, {NAME: outer}, nested={"inner": stack_of(FAILS)})
    with pytest.raises(ToolError) as caught:
        run(cloud, made)
    assert "Waits" in caught.value.message or "Part" in caught.value.message


def test_a_deployment_that_is_under_way_is_followed_to_its_end(cloud, ministack, tmp_path):
    begun(ministack, {"Topic": TOPIC, **SLOW})
    found = plan.survey(cloud, [(NAME, "us-east-1")])
    assert found[NAME].status == "CREATE_IN_PROGRESS"
    threading.Timer(0.3, signal, [ministack]).start()
    progress = Told()
    now = recover.settle(cloud, found, "dev", progress, agreed=False)
    assert now[NAME].status == "CREATE_COMPLETE"
    assert "is being created" in progress.steps[0]
    assert (NAME, "Waits", "done") in progress.resources


def test_a_deployment_under_way_that_fails_is_explained_and_mended(cloud, ministack):
    begun(ministack, {"Topic": TOPIC, **FAILS})
    progress = Told()
    found = plan.survey(cloud, [(NAME, "us-east-1")])
    assert recover.settle(cloud, found, "dev", progress, agreed=False) == {}
    assert any("Waits" in note for note in progress.notes)


def test_diff_does_not_wait_for_a_deployment(cloud, ministack):
    begun(ministack, SLOW)
    found = plan.survey(cloud, [(NAME, "us-east-1")])
    with pytest.raises(ToolError, match="is being created at this moment"):
        recover.check(found, "dev")
    signal(ministack)


def test_the_first_ctrl_c_tells_that_aws_goes_on_and_the_second_leaves(cloud, ministack):
    begun(ministack, SLOW)
    stack = deployed.look(cloud, NAME, "us-east-1")
    progress = Told()

    def interrupt():
        for _ in range(2):
            time.sleep(0.5)
            _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        events.follow(cloud, stack, None, progress)
    (note,) = progress.notes
    assert "AWS goes on" in note
    assert f"aws cloudformation cancel-update-stack --stack-name {NAME} --region us-east-1" in note
    assert deployed.look(cloud, NAME, "us-east-1").status == "CREATE_IN_PROGRESS"
    signal(ministack)


def test_a_connection_that_breaks_while_events_are_read_is_made_again(keys, ministack, wire, monkeypatch):
    begun(ministack, SLOW)
    aws = connect("us-east-1")
    stack = deployed.look(aws, NAME, "us-east-1")
    wire.breaks = lambda _: wire.lost < 3
    threading.Timer(0.5, signal, [ministack]).start()
    outcome = events.follow(aws, stack, None, Silent())
    assert wire.lost == 3
    assert outcome.stack.status == "CREATE_COMPLETE"
    aws.close()


def test_a_connection_that_stays_lost_ends_the_command_but_not_the_deployment(keys, ministack, wire, quick):
    begun(ministack, SLOW)
    aws = connect("us-east-1")
    stack = deployed.look(aws, NAME, "us-east-1")
    wire.breaks = lambda _: True
    with pytest.raises(ToolError) as caught:
        events.follow(aws, stack, None, Silent())
    assert "the deployment goes on in AWS" in caught.value.message
    assert "run again, follows it" in caught.value.hint
    aws.close()
    signal(ministack)


def test_a_hold_that_is_lost_keeps_every_change_from_being_made(cloud, ministack, tmp_path):
    made = made_of(tmp_path, {"Topic": TOPIC})
    stacks, found, staged = planned(cloud, made)

    def check():
        raise ToolError("the hold on the stage is lost", hint="Run again.")

    with pytest.raises(ToolError, match="hold"):
        execute(cloud, stacks, made, found, staged, check=check, progress=Silent())
    assert plan.survey(cloud, [(NAME, "us-east-1")]) == {}


@pytest.mark.parametrize(
    "status", ["UPDATE_FAILED", "DELETE_FAILED", "IMPORT_ROLLBACK_FAILED", "BROKEN_BY_MAGIC"]
)
def test_what_has_to_be_mended_by_hand_is_explained(cloud, status):
    stack = deployed.Deployed(NAME, "us-east-1", "arn:of-it", status, "because")
    with pytest.raises(ToolError) as caught:
        recover.settle(cloud, {NAME: stack}, "dev", Silent(), agreed=True)
    assert status in caught.value.message
    assert "because" in caught.value.message


def test_diff_tells_of_a_stack_that_has_to_be_mended_and_passes_one_that_is_made_anew():
    broken = deployed.Deployed(NAME, "us-east-1", "arn:of-it", "UPDATE_ROLLBACK_FAILED")
    with pytest.raises(ToolError, match="nor be put back"):
        recover.check({NAME: broken}, "dev")
    recover.check({NAME: deployed.Deployed(NAME, "us-east-1", "arn:of-it", "ROLLBACK_COMPLETE")}, "dev")


def test_a_rollback_that_failed_is_gone_on_with_only_if_somebody_agrees(cloud):
    stack = deployed.Deployed(NAME, "us-east-1", "arn:of-it", "UPDATE_ROLLBACK_FAILED")
    (question,) = recover.questions({NAME: stack})
    assert NAME in question
    with pytest.raises(ToolError) as caught:
        recover.settle(cloud, {NAME: stack}, "dev", Silent(), agreed=False)
    assert "aws cloudformation continue-update-rollback" in caught.value.hint
