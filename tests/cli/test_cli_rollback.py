import json

import pytest
from deployed_shop import Shop

SETTINGS = '[project]\nname = "shop"\nversion = "1"\n'


@pytest.fixture
def shop(ministack, tmp_path):
    folder = tmp_path / "builds"
    folder.mkdir()
    return Shop(ministack, folder)


@pytest.fixture
def project(write):
    return write({"pyproject.toml": SETTINGS, "app/api/users/[id]/route.py": "def GET():\n    return {}\n"})


def test_a_rollback_shows_what_moves_does_it_and_is_listed(shop, project, packager):
    shop.deploy(api="one")
    shop.deploy(api="two")
    done = packager("rollback", project, "--stage", "dev", "--yes")
    assert (done.status, done.out) == (0, "release 1 is live\n"), done.err
    assert "shop-dev-api: version 2 -> 1" in done.err
    assert shop.says("api") == "one"
    listed = packager("releases", project, "--stage", "dev")
    rows = listed.out.splitlines()
    assert [row[:6] for row in rows] == ["*    3", "     2", "     1"]
    assert "rollback to 1" in rows[0]
    again = packager("rollback", project, "--stage", "dev", "--to", 1)
    assert (again.status, "it is live already" in again.err) == (0, True)


def test_as_json(shop, project, packager):
    shop.deploy(api="one")
    shop.deploy(api="two")
    moved = json.loads(packager("rollback", project, "--stage", "dev", "--yes", "--json").out)
    assert moved["release"]["number"] == 1
    assert moved["moves"] == [{"function": "shop-dev-api", "before": "2", "after": "1", "edge": False}]
    listed = json.loads(packager("releases", project, "--stage", "dev", "--json").out)
    assert [row["number"] for row in listed["releases"]] == [1, 2, 3]
    assert (listed["live"], listed["functions"]) == (3, {"shop-dev-api": "1"})


def test_a_stage_that_was_never_deployed_is_told(ministack, project, packager):
    listed = packager("releases", project, "--stage", "dev")
    assert (listed.status, listed.out, listed.err) == (0, "", "nothing is deployed\n")
    done = packager("rollback", project, "--stage", "dev", "--yes")
    assert done.status == 3
    assert "no release to go back to" in done.err
    assert ministack.client("s3").list_buckets()["Buckets"] == []


def test_nothing_moves_without_a_confirmation(shop, project, packager):
    shop.deploy(api="one")
    shop.deploy(api="two")
    done = packager("rollback", project, "--stage", "dev")
    assert (done.status, "--yes" in done.err) == (2, True)
    assert shop.says("api") == "two"


def test_what_others_changed_is_noticed(shop, project, packager):
    shop.deploy(api="one")
    shop.deploy(api="two")
    client = shop.cloud.client("lambda")

    def alias(**changed):
        client.update_alias(FunctionName="shop-dev-api", Name="live", **changed)
        return packager("releases", project, "--stage", "dev").err

    assert "release 1 is live, although 2 was recorded last" in alias(FunctionVersion="1")
    assert "no release is live" in alias(FunctionVersion="$LATEST")
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    shares = alias(FunctionVersion="1", RoutingConfig=weights)
    assert "some requests go to other versions: shop-dev-api 1 and 2 (10%)" in shares


def test_a_release_that_there_is_not_is_wrong_usage(shop, project, packager):
    shop.deploy(api="one")
    done = packager("rollback", project, "--stage", "dev", "--to", 9, "--yes")
    assert (done.status, "there is no release 9" in done.err) == (2, True)


def test_without_a_stage_it_is_wrong_usage(project, packager):
    for command in ("rollback", "releases", "destroy"):
        done = packager(command, project)
        assert (done.status, "--stage" in done.err) == (2, True)
