import json

import pytest
from deployed_shop import Shop

from infra.stage import Stage

SETTINGS = '[project]\nname = "shop"\nversion = "1"\n'


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "builds"
    made.mkdir()
    return made


@pytest.fixture
def project(write):
    return write({"pyproject.toml": SETTINGS, "app/api/users/[id]/route.py": "def GET():\n    return {}\n"})


def test_a_stage_is_gone_afterwards_and_that_is_no_error_the_next_time(ministack, folder, project, packager):
    Shop(ministack, folder).deploy(api="one")
    done = packager("destroy", project, "--stage", "dev", "--yes")
    assert (done.status, done.out) == (0, "destroyed shop dev\n"), done.err
    assert ministack.client("s3").list_buckets()["Buckets"] == []
    again = packager("destroy", project, "--stage", "dev", "--yes")
    assert (again.status, again.out) == (0, "nothing of shop dev is deployed in us-east-1\n"), again.err


def test_what_stays_is_said(ministack, folder, project, packager):
    Shop(ministack, folder, Stage("dev", cdn=False, retain=True)).deploy(api="one")
    done = packager("destroy", project, "--stage", "dev", "--yes", "--json")
    document = json.loads(done.out)
    assert document["deleted"] == ["shop-dev-ops", "shop-dev-api"]
    assert {row["type"] for row in document["kept"]} == {"AWS::Logs::LogGroup"}


def test_nothing_is_deleted_without_the_name_of_the_stage(ministack, folder, project, packager):
    shop = Shop(ministack, folder)
    shop.deploy(api="one")
    done = packager("destroy", project, "--stage", "dev")
    assert (done.status, "--yes" in done.err) == (2, True)
    assert shop.says("api") == "one"


def test_a_protected_stage_is_refused(ministack, folder, project, packager):
    Shop(ministack, folder, Stage("dev", cdn=False, termination_protection=True)).deploy(api="one")
    done = packager("destroy", project, "--stage", "dev", "--yes")
    assert (done.status, "termination_protection = false" in done.err) == (2, True)
