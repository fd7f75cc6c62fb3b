"""Plans of stacks that are really deployed to MiniStack; and what is left of them."""

import json

import pytest
from assemblies import TOPIC, assembly_of, deployed, planned, stack_of

from packager.deploy import plan, recover
from packager.deploy.aws import connect
from packager.deploy.changes import Change
from packager.deploy.execute import execute
from packager.deploy.plan import DeployPlan, StackPlan
from packager.deploy.progress import Silent
from packager.errors import ToolError

PARAMETER = {
    "Type": "AWS::SSM::Parameter",
    "Properties": {"Type": "String", "Value": "one", "Name": "/shop/one"},
}


@pytest.fixture(scope="module")
def connected(ministack_server):
    """One caller for all tests: making its clients takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ministack_server.environment().items():
            patch.setenv(name, value)
        found = connect("us-east-1")
        for service in ("sts", "s3", "cloudformation"):
            found.client(service)
    yield found
    found.close()


@pytest.fixture
def cloud(ministack, connected):
    return connected


def change_sets(ministack, stack):
    return ministack.client("cloudformation").list_change_sets(StackName=stack)["Summaries"]


def two(folder, *, value="one", name="api"):
    """A stack with outputs, and one that reads them."""
    first = stack_of(
        {"One": {**PARAMETER, "Properties": {**PARAMETER["Properties"], "Value": value}}},
        outputs={"Name": {"Ref": "One"}, "Value": value},
    )
    there = {"StackName": "shop-dev-api", "OutputName": "Value", "Region": "us-east-1"}
    properties = {"Type": "String", "Name": "/shop/two", "Value": {"Fn::GetStackOutput": there}}
    second = stack_of({"Two": {"Type": "AWS::SSM::Parameter", "Properties": properties}})
    return assembly_of(
        folder,
        {"shop-dev-api": first, "shop-dev-ops": second},
        depends={"shop-dev-ops": ["shop-dev-api"]},
    )


def test_a_first_deployment_is_planned_without_touching_cloudformation(cloud, ministack, tmp_path):
    stacks, _, _ = planned(cloud, two(tmp_path))
    assert stacks == DeployPlan(
        (
            StackPlan(
                "shop-dev-api", "us-east-1", "create", (Change("added", "One", "AWS::SSM::Parameter"),)
            ),
            StackPlan(
                "shop-dev-ops", "us-east-1", "create", (Change("added", "Two", "AWS::SSM::Parameter"),)
            ),
        )
    )
    assert not stacks.is_empty
    assert ministack.client("cloudformation").describe_stacks()["Stacks"] == []


def test_the_nested_stacks_of_a_new_stack_are_in_its_plan(cloud, tmp_path):
    url = {"Fn::Sub": "https://s3.${AWS::Region}.amazonaws.com/bucket/inner.json"}
    outer = stack_of({"Part": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}})
    made = assembly_of(tmp_path, {"shop-dev-api": outer}, nested={"inner": stack_of({"Topic": TOPIC})})
    (stack,) = plan.plan(cloud, made, {}, None).stacks
    assert [row.logical_id for row in stack.changes] == ["Part", "Part/Topic"]


def test_stacks_read_what_those_before_them_give_and_a_second_deployment_changes_nothing(
    cloud, ministack, tmp_path
):
    now = deployed(cloud, two(tmp_path))
    assert {name: row.status for name, row in now.items()} == {
        "shop-dev-api": "CREATE_COMPLETE",
        "shop-dev-ops": "CREATE_COMPLETE",
    }
    ssm = ministack.client("ssm")
    assert ssm.get_parameter(Name="/shop/two")["Parameter"]["Value"] == "one"
    executed = [len(change_sets(ministack, name)) for name in now]
    stacks, _, _ = planned(cloud, two(tmp_path))
    assert stacks.is_empty
    assert {row.operation for row in stacks.stacks} == {"none"}
    assert [len(change_sets(ministack, name)) for name in now] == executed


def test_a_stack_whose_inputs_have_changed_by_the_deployment_is_asked_about_again(cloud, ministack, tmp_path):
    deployed(cloud, two(tmp_path))
    deployed(cloud, two(tmp_path, value="three"))
    value = ministack.client("ssm").get_parameter(Name="/shop/two")["Parameter"]["Value"]
    assert value == "three"


def test_an_update_tells_what_cloudformation_would_do(cloud, ministack, tmp_path):
    resources = {
        "Keep": TOPIC,
        "Old": TOPIC,
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "a"}},
    }
    deployed(cloud, assembly_of(tmp_path, {"shop-dev-api": stack_of(resources)}))
    changed = {
        "Keep": {**TOPIC, "Properties": {"DisplayName": "Shop"}},
        "New": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "b"}},
    }
    stacks, _, _ = planned(cloud, assembly_of(tmp_path, {"shop-dev-api": stack_of(changed)}))
    (stack,) = stacks.stacks
    assert stack.operation == "update"
    rows = {row.logical_id: row for row in stack.changes}
    assert {name: row.action for name, row in rows.items()} == {
        "Keep": "changed",
        "New": "added",
        "Old": "removed",
        "Queue": "replaced",
    }
    assert rows["New"].kind == "iam"
    assert [detail.name for detail in rows["Keep"].details] == ["DisplayName"]
    assert rows["Old"].physical_id
    assert len(change_sets(ministack, "shop-dev-api")) >= 1
    plan.discard(cloud, stacks)
    assert stack.change_set not in {row["ChangeSetId"] for row in change_sets(ministack, "shop-dev-api")}


def test_a_stack_that_reads_one_that_is_not_there_yet_is_planned_from_the_templates(cloud, tmp_path):
    ops = stack_of({"Topic": TOPIC})
    deployed(cloud, assembly_of(tmp_path, {"shop-dev-ops": ops}))
    changed = stack_of({"Topic": {**TOPIC, "Properties": {"DisplayName": "x"}}, "More": TOPIC})
    made = assembly_of(
        tmp_path,
        {"shop-dev-edge": stack_of({"Topic": TOPIC}), "shop-dev-ops": changed},
        depends={"shop-dev-ops": ["shop-dev-edge"]},
    )
    stacks, found, staged = planned(cloud, made)
    edge, ops_plan = stacks.stacks
    assert (edge.operation, ops_plan.operation, ops_plan.change_set) == ("create", "update", None)
    assert ops_plan.note
    assert {row.logical_id: row.action for row in ops_plan.changes} == {"Topic": "changed", "More": "added"}
    now = execute(cloud, stacks, made, found, staged, check=lambda: None, progress=Silent())
    assert now["shop-dev-ops"].status == "UPDATE_COMPLETE"


def test_a_stack_that_the_app_has_no_more_is_removed_last(cloud, ministack, tmp_path):
    api = stack_of({"Topic": TOPIC})
    both = {"shop-dev-api": api, "shop-dev-edge": stack_of({"Edge": TOPIC})}
    deployed(cloud, assembly_of(tmp_path, both, terminationProtection=True))
    made = assembly_of(tmp_path, {"shop-dev-api": api})
    stacks, found, staged = planned(cloud, made, gone=[("shop-dev-edge", "us-east-1")])
    assert [row.operation for row in stacks.stacks] == ["none", "remove"]
    assert [(row.action, row.logical_id) for row in stacks.stacks[1].changes] == [("removed", "Edge")]
    now = execute(cloud, stacks, made, found, staged, check=lambda: None, progress=Silent())
    assert list(now) == ["shop-dev-api"]
    assert plan.survey(cloud, [("shop-dev-edge", "us-east-1")]) == {}


def test_the_origin_key_is_random_and_stays(cloud, ministack, tmp_path):
    parameter = {"OriginKey": {"Type": "String", "Default": "", "NoEcho": True}}
    outputs = {"Key": {"Ref": "OriginKey"}}

    def made(name):
        resources = {"Topic": {**TOPIC, "Properties": {"DisplayName": name}}}
        return assembly_of(
            tmp_path, {"shop-dev-api": stack_of(resources, outputs=outputs, parameters=parameter)}
        )

    first = deployed(cloud, made("a"))["shop-dev-api"].outputs["Key"]
    assert len(bytes.fromhex(first)) == 32
    assert deployed(cloud, made("b"))["shop-dev-api"].outputs["Key"] == first


def test_protection_follows_the_assembly(cloud, tmp_path):
    template = stack_of({"Topic": TOPIC})
    for wanted in (True, False):
        deployed(cloud, assembly_of(tmp_path, {"shop-dev-api": template}, terminationProtection=wanted))
        found = plan.survey(cloud, [("shop-dev-api", "us-east-1")])
        assert found["shop-dev-api"].is_protected is wanted


def test_a_template_that_cloudformation_refuses_leaves_no_change_set(cloud, ministack, tmp_path):
    good = stack_of({"Topic": TOPIC})
    deployed(cloud, assembly_of(tmp_path, {"shop-dev-api": good, "shop-dev-ops": good}))
    before = {name: len(change_sets(ministack, name)) for name in ("shop-dev-api", "shop-dev-ops")}
    bad = stack_of({"Topic": {"Type": "AWS::Nothing::Thing"}})
    more = stack_of({"Topic": TOPIC, "More": TOPIC})
    with pytest.raises(ToolError) as caught:
        planned(cloud, assembly_of(tmp_path, {"shop-dev-api": more, "shop-dev-ops": bad}))
    assert "shop-dev-ops" in caught.value.message
    assert "AWS::Nothing::Thing" in caught.value.message
    assert {name: len(change_sets(ministack, name)) for name in before} == before


def test_a_stack_that_could_not_be_created_is_deleted_first(cloud, ministack, tmp_path):
    bad = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "Nothing", "Name": "/x", "Value": "1"}}
    client = ministack.client("cloudformation")
    client.create_change_set(
        StackName="shop-dev-api",
        ChangeSetName="left-over",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(stack_of({"Bad": bad})),
    )
    found = plan.survey(cloud, [("shop-dev-api", "us-east-1")])
    assert found["shop-dev-api"].status == "REVIEW_IN_PROGRESS"
    made = assembly_of(tmp_path, {"shop-dev-api": stack_of({"Topic": TOPIC})})
    (shown,) = plan.plan(cloud, made, found, None).stacks
    assert (shown.operation, shown.note) == (
        "create",
        "what is left of it (REVIEW_IN_PROGRESS) is deleted first",
    )
    assert recover.settle(cloud, found, "dev", Silent(), agreed=False) == {}
    now = deployed(cloud, assembly_of(tmp_path, {"shop-dev-api": stack_of({"Topic": TOPIC})}))
    assert now["shop-dev-api"].status == "CREATE_COMPLETE"
