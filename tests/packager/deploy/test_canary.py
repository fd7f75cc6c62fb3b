import dataclasses
import json

import pytest

from infra.stage import Canary
from packager.deploy import assembly as assemblies
from packager.deploy import canary, plan, releases
from packager.deploy.canary import Share
from packager.deploy.live import Live, LiveFunction
from packager.deploy.progress import Silent
from packager.errors import ToolError, UsageError

ALARM = "shop-dev-api-errors"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(canary, "_POLL_SECONDS", 0.05)


@pytest.mark.parametrize(
    ("text", "share"),
    [("10%,5m", Share(10, 300)), ("1%, 30s", Share(1, 30)), ("99% , 2h", Share(99, 7200))],
)
def test_the_option_says_how_much_and_how_long(text, share):
    assert canary.parse(text) == share


@pytest.mark.parametrize("text", ["", "10", "10%", "100%,5m", "0%,5m", "10%,0m", "10%,5", "-1%,5m", "5m,10%"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match="no canary") as caught:
        canary.parse(text)
    assert "10%,5m" in caught.value.hint


def first_step(shop, tmp_path, **says):
    """The assembly of a new build and what its first step deploys."""
    whole = shop.synth(shop.build(**says))
    folder = tmp_path / "pinned"
    folder.mkdir(exist_ok=True)
    return whole, canary.pinned(whole, "shop", "dev", shop.live(), Share(10, 0.2), folder)


def watch(shop, seconds=0.2, progress=None):
    watched = canary.alarms(shop.aws, "shop", "dev")
    canary.watch(shop.aws, shop.live(), watched, Share(10, seconds), progress or Silent())


def ring(shop, state="ALARM"):
    shop.cloud.client("cloudwatch").set_alarm_state(
        AlarmName=ALARM, StateValue=state, StateReason="three failures"
    )


class Rings(Silent):
    """The alarm goes off when the watch begins."""

    def __init__(self, shop):
        self.shop = shop

    def step(self, _text):
        ring(self.shop)


def test_the_new_version_gets_its_share_and_then_everything(shop, tmp_path):
    shop.deploy(api="one", files="one")
    whole, first = first_step(shop, tmp_path, api="two", files="one")
    shop.carry_out(first)
    assert shop.alias("api")["FunctionVersion"] == "1"
    assert shop.alias("api")["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}
    assert "RoutingConfig" not in shop.alias("files")
    watch(shop)
    shop.carry_out(whole)
    alias = shop.alias("api")
    assert (alias["FunctionVersion"], "RoutingConfig" in alias, shop.says("api")) == ("2", False, "two")
    assert releases.behind(shop.live()) == ()
    found = plan.survey(shop.aws, [(row.name, row.region) for row in whole.stacks])
    staged = {"us-east-1": shop.ledger.bucket}
    assert plan.plan(shop.aws, whole, found, staged).is_empty


def test_an_alarm_gives_the_old_version_everything_back(shop, tmp_path):
    shop.deploy(api="one")
    whole, first = first_step(shop, tmp_path, api="two")
    shop.carry_out(first)
    with pytest.raises(ToolError, match=rf"{ALARM} is on since 20.*UTC.*three failures") as caught:
        watch(shop, 60, Rings(shop))
    assert caught.value.exit_status == 3
    alias = shop.alias("api")
    assert (alias["FunctionVersion"], "RoutingConfig" in alias, shop.says("api")) == ("1", False, "one")
    ring(shop, "OK")
    shop.carry_out(whole)
    assert shop.says("api") == "two"


def test_versions_that_are_unfit_from_the_first_get_no_more_requests(shop, tmp_path):
    shop.deploy(api="one")
    _, first = first_step(shop, tmp_path, api="two")
    shop.carry_out(first)

    def unfit():
        raise ToolError("the new versions are not fit", hint="Mend it.")

    with pytest.raises(ToolError, match="not fit"):
        canary.watch(shop.aws, shop.live(), [], Share(10, 60), Silent(), unfit)
    alias = shop.alias("api")
    assert (alias["FunctionVersion"], alias.get("RoutingConfig")) == ("1", None)


def test_so_does_ctrl_c(shop, tmp_path, monkeypatch):
    shop.deploy(api="one")
    shop.carry_out(first_step(shop, tmp_path, api="two")[1])

    def interrupted(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(canary.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        watch(shop, 60)
    assert "RoutingConfig" not in shop.alias("api")
    assert shop.says("api") == "one"


def test_shares_that_a_killed_deploy_left_end_with_the_next_one(shop, tmp_path):
    shop.deploy(api="one")
    _, first = first_step(shop, tmp_path, api="two")
    shop.carry_out(first)
    assert shop.live().is_split
    assert shop.deploy(api="three").functions == {"shop-dev-api": "3"}
    assert not shop.live().is_split


def test_without_new_versions_there_is_no_first_step(shop, tmp_path):
    shop.deploy(api="one")
    assert first_step(shop, tmp_path, api="one")[1] is None


def test_on_a_stage_that_is_not_there_is_nothing_to_compare_with(shop, tmp_path):
    assert first_step(shop, tmp_path, api="one")[1] is None
    canary.check(shop.aws, "shop", shop.stage, shop.live())


def test_a_function_that_was_rolled_back_is_put_forward_with_a_share_too(shop, tmp_path):
    shop.deploy(api="one")
    shop.deploy(api="two")
    shop.cloud.client("lambda").update_alias(FunctionName="shop-dev-api", Name="live", FunctionVersion="1")
    whole = shop.synth(shop.build(api="two"))
    first = canary.pinned(whole, "shop", "dev", shop.live(), Share(10, 0.2), tmp_path)
    assert first is not None


def test_it_is_refused_where_it_could_not_do_what_it_is_for(shop):
    shop.deploy(api="one")
    live = shop.live()
    codedeploy = dataclasses.replace(shop.stage, canary=Canary())
    with pytest.raises(UsageError, match="CodeDeploy"):
        canary.check(shop.aws, "shop", codedeploy, live)
    unpublished = dataclasses.replace(live, functions=(LiveFunction("shop-dev-api", "$LATEST", ""),))
    with pytest.raises(ToolError, match="--fast"):
        canary.check(shop.aws, "shop", shop.stage, unpublished)
    canary.check(shop.aws, "shop", shop.stage, live)
    ring(shop)
    with pytest.raises(ToolError, match=f"{ALARM} is on"):
        canary.check(shop.aws, "shop", shop.stage, live)


def test_aliases_in_nested_stacks_are_pinned_in_templates_that_the_parent_names(made_assembly, tmp_path):
    alias = {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "Name": "live",
            "FunctionName": {"Ref": "F"},
            "FunctionVersion": {"Fn::GetAtt": ["V2", "Version"]},
        },
    }
    function = {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "shop-prod-api"}}
    nested = json.dumps({"Resources": {"F": function, "A": alias}})
    whole = assemblies.read(made_assembly(nested=nested))
    stack = whole.stacks[0]
    key = next(row.key for row in stack.assets if row.is_template and row != stack.template)
    root = json.dumps(
        {"Resources": {"N": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": key}}}}
    )
    stack.template.path.write_text(root)
    live = Live("r", (LiveFunction("shop-prod-api", "7", "", (), "7", "V1"),))
    first = canary.pinned(whole, "shop", "prod", live, Share(10, 1), tmp_path)
    parent = first.stacks[0].template
    assert parent.key != stack.template.key
    changed = next(row for row in first.stacks[0].assets if row.is_template and row != parent)
    assert changed.key in parent.path.read_text()
    assert key not in parent.path.read_text()
    properties = json.loads(changed.path.read_text())["Resources"]["A"]["Properties"]
    assert properties["FunctionVersion"] == "7"
    weights = properties["RoutingConfig"]["AdditionalVersionWeights"]
    assert weights == [{"FunctionVersion": {"Fn::GetAtt": ["V2", "Version"]}, "FunctionWeight": 0.1}]
