import pytest

from infra.stage import Canary, Stage
from packager.deploy import fast, releases, rollback
from packager.deploy import live as lives
from packager.deploy.progress import Silent
from packager.errors import ToolError, UsageError


def planned(shop, **says):
    built = shop.build(**says)
    return built, fast.plan(shop.aws, built, shop.stage, shop.folder, shop.live())


def deploy(shop, **says):
    built, found = planned(shop, **says)
    fast.carry_out(shop.aws, shop.ledger.bucket, shop.live(), found, Silent())
    return shop.record(built, kind="fast")


def whole(shop, **says):
    """A whole deploy, as `packager deploy` does it."""
    built = shop.build(**says)
    synthesized = shop.synth(built)
    settled = fast.settle(shop.aws, synthesized, {"us-east-1": shop.ledger.bucket}, shop.live())
    shop.carry_out(synthesized)
    releases.reconcile(shop.aws, shop.live())
    return settled, shop.record(built)


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        (Stage("prod"), "is called so"),
        (Stage("Production"), "is called so"),
        (Stage("dev", termination_protection=True), "termination_protection"),
        (Stage("dev", canary=Canary()), "CodeDeploy"),
    ],
)
def test_stages_that_people_rely_on_are_refused(stage, why):
    with pytest.raises(UsageError, match=why):
        fast.check(stage)
    fast.check(Stage("dev"))


def test_code_that_changed_answers_and_the_rest_is_left_alone(shop):
    shop.deploy(api="one", files="one")
    _, found = planned(shop, api="two", files="one")
    assert [(row.function, row.uploads) for row in found.updates] == [("api", True)]
    assert found.skipped == ()
    made = deploy(shop, api="two", files="one")
    assert (shop.says("api"), shop.says("files")) == ("two", "one")
    assert (made.kind, made.functions["shop-dev-api"]) == ("fast", "$LATEST")
    assert lives.versions(shop.aws, shop.live())["shop-dev-api"].keys() == {"$LATEST", "1"}


def test_again_and_again_and_back(shop):
    shop.deploy(api="one")
    for text in ("two", "three", "one", "two"):
        deploy(shop, api=text)
        assert shop.says("api") == text
    assert planned(shop, api="two")[1].updates == ()


def test_without_new_code_it_is_no_release(shop):
    first = shop.deploy(api="one")
    assert deploy(shop, api="one") == first
    second = deploy(shop, api="two")
    assert second.number == 2
    assert deploy(shop, api="two") == second
    assert deploy(shop, api="three").number == 3


def test_what_is_not_code_is_told_without_values(shop):
    shop.deploy(api="one", files="one", values={"KEEP": "a", "CHANGES": "a"})
    _, found = planned(shop, api="one", values={"KEEP": "a", "CHANGES": "secret"}, memory=1024)
    assert found.updates == ()
    assert found.skipped == (
        "the function shop-dev-files is no more in the build",
        "memory of api is 512 and would be 1024",
        "variables of api differ: CHANGES",
        "the route ANY /api/files/{path+} is no more in the build",
    )
    shop.deploy(api="one", values={"KEEP": "a", "CHANGES": "a"})
    _, found = planned(shop, api="one", files="one", values={"KEEP": "a", "CHANGES": "a"})
    assert found.skipped == ("the function files is new", "the route ANY /api/files/{path+} is new")


def test_a_stage_that_is_not_deployed_has_no_code_to_replace(shop):
    with pytest.raises(ToolError, match="not deployed"):
        planned(shop, api="one")


def test_a_whole_deploy_of_the_same_code_publishes_it(shop):
    shop.deploy(api="one")
    deploy(shop, api="two")
    settled, made = whole(shop, api="two")
    assert settled == ()
    assert (made.functions, shop.says("api")) == ({"shop-dev-api": "2"}, "two")


def test_a_whole_deploy_of_what_the_stack_has_ends_the_drift(shop):
    shop.deploy(api="one")
    deploy(shop, api="two")
    settled, made = whole(shop, api="one")
    assert settled == ("shop-dev-api",)
    assert (made.functions, shop.says("api")) == ({"shop-dev-api": "1"}, "one")


def test_a_whole_deploy_of_new_settings_publishes_no_code_that_drifted(shop):
    shop.deploy(api="one")
    deploy(shop, api="two")
    settled, made = whole(shop, api="one", memory=1024)
    assert settled == ("shop-dev-api",)
    assert (made.functions, shop.says("api")) == ({"shop-dev-api": "2"}, "one")


def test_one_can_roll_back_from_it(shop):
    first = shop.deploy(api="one")
    shop.deploy(api="two")
    deploy(shop, api="three")
    found, live = releases.read(shop.aws, shop.ledger), shop.live()
    back = rollback.plan(found, live, lives.versions(shop.aws, live), first.number)
    rollback.carry_out(shop.aws, shop.ledger, live, back, found)
    assert shop.says("api") == "one"
