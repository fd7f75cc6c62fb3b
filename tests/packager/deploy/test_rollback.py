import dataclasses

import pytest

from packager.deploy import live as lives
from packager.deploy import releases, rollback
from packager.deploy.live import EdgeFunction, Live, LiveFunction, Move
from packager.deploy.releases import Release
from packager.errors import ToolError, UsageError


def release(number, kind="deploy", **more):
    return Release(number, f"2026-01-0{number}T00:00:00+00:00", "anna", kind, f"build {number}", **more)


def live(**versions):
    return Live("r", tuple(LiveFunction(name, version, "r") for name, version in versions.items()))


KNOWN = {"api": dict.fromkeys("1234", ""), "files": dict.fromkeys("1234", "")}
ONE = release(1, functions={"api": "1"})
TWO = release(2, functions={"api": "2"})
THREE = release(3, functions={"api": "3"})


def back(*found, now, to=None, known=KNOWN):
    return rollback.plan(found, now, known, to)


def test_the_release_before_the_one_that_is_live_is_the_default():
    planned = back(ONE, TWO, THREE, now=live(api="3"))
    assert planned.release == TWO
    assert planned.moves == (Move("api", "3", "2"),)


def test_a_rollback_after_a_rollback_goes_further_back():
    gone_back = release(4, "rollback", functions={"api": "2"}, of=2)
    assert back(ONE, TWO, THREE, gone_back, now=live(api="2")).release == ONE
    further = release(5, "rollback", functions={"api": "1"}, of=1)
    with pytest.raises(ToolError, match="no release before 1"):
        back(ONE, TWO, THREE, gone_back, further, now=live(api="1"))


def test_fast_deploys_are_passed_over_and_refused():
    fast = release(3, "fast", functions={"api": "$LATEST"})
    assert back(ONE, TWO, fast, now=live(api="$LATEST")).release == TWO
    with pytest.raises(ToolError, match="release 3 was a fast deploy"):
        back(ONE, TWO, fast, now=live(api="2"), to=3)


def test_one_with_the_same_versions_is_no_other_build():
    assert back(ONE, TWO, dataclasses.replace(TWO, number=3), now=live(api="2")).release == ONE


def test_where_something_else_is_live_the_last_release_counts():
    assert back(ONE, TWO, now=live(api="3")).release == ONE


def test_without_an_earlier_release_it_is_refused():
    with pytest.raises(ToolError, match="no release to go back to"):
        back(now=live(api="1"))
    with pytest.raises(ToolError, match="no release before 1"):
        back(ONE, now=live(api="1"))
    with pytest.raises(UsageError, match="no release 7") as caught:
        back(ONE, TWO, now=live(api="2"), to=7)
    assert "1, 2" in caught.value.hint


def test_a_release_whose_versions_are_gone_is_refused_with_its_commit():
    named = dataclasses.replace(ONE, commit="abc")
    with pytest.raises(ToolError, match=r"do not exist any more: api 1") as caught:
        back(named, TWO, now=live(api="2"), known={"api": {"2": ""}})
    assert "abc" in caught.value.hint


def test_functions_and_routes_that_differ_are_told():
    then = release(1, functions={"api": "1", "old": "1"}, routes={"/a": "api", "/o": "old", "/b": "api"})
    now = release(2, functions={"api": "2", "files": "1"}, routes={"/a": "api", "/b": "files", "/n": "files"})
    planned = back(then, now, now=live(api="2", files="1"))
    assert planned.moves == (Move("api", "2", "1"),)
    assert (planned.newer, planned.gone) == (("files",), ("old",))
    assert planned.routes == (
        "/b went to api then and goes to files",
        "/n had no route then and goes to files",
        "/o had a route then and has none now",
    )


def test_web_functions_are_told_since_only_a_deploy_changes_them():
    found = dataclasses.replace(live(api="2"), web=("shop-dev-edge",))
    assert back(ONE, TWO, now=found).web == ("shop-dev-edge",)


def test_shares_of_a_canary_end_even_where_the_version_stays():
    split = Live("r", (LiveFunction("api", "1", "r", (("2", 0.1),)),))
    assert back(ONE, TWO, now=split, to=1).moves == (Move("api", "1", "1"),)


def test_edge_versions_go_back_too():
    then, now = release(1, edge={"edge": "1"}), release(2, edge={"edge": "2"})
    found = Live("r", (), (EdgeFunction("edge", "arn", "2", "2"),), "D")
    assert back(then, now, now=found).moves == (Move("edge", "2", "1", edge=True),)


def test_the_old_build_answers_again_with_its_variables_and_the_next_deploy_answers_after_it(shop):
    shop.deploy(api="one", files="one", values={"API_BASE": "old"})
    shop.deploy(api="two", files="two", values={"API_BASE": "new"})
    found, now = releases.read(shop.aws, shop.ledger), shop.live()
    planned = rollback.plan(found, now, lives.versions(shop.aws, now))
    made = rollback.carry_out(shop.aws, shop.ledger, now, planned, found)
    assert (shop.says("api"), shop.says("files")) == ("one", "one")
    client = shop.cloud.client("lambda")
    answering = client.get_function_configuration(FunctionName="shop-dev-api", Qualifier="live")
    assert answering["Environment"]["Variables"]["API_BASE"] == "old"
    assert (made.kind, made.of, made.number, made.build) == ("rollback", 1, 3, found[0].build)
    assert releases.current(releases.read(shop.aws, shop.ledger), shop.live()) == made
    shop.deploy(api="three", files="two", values={"API_BASE": "new"})
    assert (shop.says("api"), shop.says("files")) == ("three", "two")
