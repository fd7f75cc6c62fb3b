import subprocess

import pytest

from packager.deploy import live as lives
from packager.deploy import releases
from packager.deploy.live import EdgeFunction, Live, LiveFunction, Move
from packager.deploy.releases import Release
from packager.errors import ToolError

SPLIT = (("2", 0.1),)


def function(name="api", version="1", **more):
    return LiveFunction(name, version, "r", **more)


def test_each_deploy_is_a_release_with_who_when_what_and_which_versions(shop):
    shop.deploy(api="one", files="one")
    made = shop.deploy(api="two", files="one")
    assert [row.number for row in releases.read(shop.aws, shop.ledger)] == [1, 2]
    assert made.functions == {"shop-dev-api": "2", "shop-dev-files": "1"}
    assert made.routes == {"/api/users/[id]": "api", "/api/files/[...path]": "files"}
    assert (made.kind, made.who, made.of) == ("deploy", "root", None)
    assert releases.read(shop.aws, shop.ledger)[-1] == made
    assert made.time.endswith("+00:00")


def test_a_deploy_that_changed_nothing_is_no_release(shop):
    first = shop.deploy(api="one")
    assert shop.deploy(api="one") == first
    assert len(releases.read(shop.aws, shop.ledger)) == 1


def test_releases_of_other_stages_are_others(shop):
    assert not releases.others(shop.aws, shop.ledger)
    shop.deploy(api="one")
    other = releases.Ledger(shop.ledger.bucket, "shop", "de")
    assert releases.read(shop.aws, other) == ()
    assert releases.others(shop.aws, other)
    assert not releases.others(shop.aws, shop.ledger)
    assert releases.forget(shop.aws, shop.ledger) == 1
    assert releases.read(shop.aws, shop.ledger) == ()


def test_a_release_that_cannot_be_read_is_named(shop):
    bucket = shop.ledger.bucket.name
    shop.cloud.client("s3").put_object(Bucket=bucket, Key="releases/shop-dev/1.json", Body=b"[")
    with pytest.raises(ToolError, match=r"releases/shop-dev/1\.json"):
        releases.read(shop.aws, shop.ledger)


def test_two_that_record_at_once_are_not_one(shop, monkeypatch):
    shop.deploy(api="one")
    found = releases.read(shop.aws, shop.ledger)
    shop.deploy(api="two")
    answers = iter([found, releases.read(shop.aws, shop.ledger)])
    monkeypatch.setattr(releases, "read", lambda *_: next(answers))
    with pytest.raises(ToolError, match="another deploy of dev recorded release 2"):
        shop.record(shop.build(api="three"))


def test_the_live_release_is_the_newest_one_with_the_versions_that_answer():
    found = tuple(
        Release(number, "", "", "deploy", "", functions={"api": version})
        for number, version in ((1, "1"), (2, "2"), (3, "1"))
    )
    assert releases.current(found, Live("r", (function(version="1"),))).number == 3
    assert releases.current(found, Live("r", (function(version="2"),))).number == 2
    assert releases.current(found, Live("r", (function(version="4"),))) is None
    assert releases.current(found, Live("r", (function(version="1", weights=SPLIT),))) is None


def test_what_is_behind_are_versions_other_than_the_stacks_and_shares():
    live = Live(
        "r",
        (
            function("a", "2", stacked="2"),
            function("b", "1", stacked="2"),
            function("c", "1", stacked="1", weights=SPLIT),
            function("d", "1"),
        ),
        (EdgeFunction("e", "arn", "3", "4"), EdgeFunction("f", "arn", "4", "4")),
    )
    assert releases.behind(live) == (
        Move("b", "1", "2"),
        Move("c", "1", "1"),
        Move("e", "3", "4", edge=True),
    )


def test_a_deploy_of_the_same_template_puts_an_alias_forward_that_a_rollback_moved(shop):
    shop.deploy(api="one")
    built = shop.build(api="two")
    shop.carry_out(shop.synth(built))
    lives.shift(shop.aws, shop.live(), [Move("shop-dev-api", "2", "1")])
    shop.carry_out(shop.synth(built))
    assert shop.says("api") == "one"  # CloudFormation sees no change
    assert releases.reconcile(shop.aws, shop.live()) == (Move("shop-dev-api", "1", "2"),)
    assert shop.says("api") == "two"


def test_old_releases_go_with_the_versions_that_only_they_need(shop):
    for text in ("one", "two", "three", "four"):
        shop.deploy(api=text, files="one")
    assert releases.prune(shop.aws, shop.ledger, shop.live(), keep=2) == 2
    assert [row.number for row in releases.read(shop.aws, shop.ledger)] == [3, 4]
    known = lives.versions(shop.aws, shop.live())
    assert known["shop-dev-api"].keys() == {"$LATEST", "3", "4"}
    assert known["shop-dev-files"].keys() == {"$LATEST", "1"}
    assert releases.prune(shop.aws, shop.ledger, shop.live(), keep=2) == 0


def test_what_is_live_or_called_by_another_alias_is_never_deleted(shop):
    for text in ("one", "two", "three", "four"):
        shop.deploy(api=text)
    client = shop.cloud.client("lambda")
    client.create_alias(FunctionName="shop-dev-api", Name="mine", FunctionVersion="2")
    lives.shift(shop.aws, shop.live(), [Move("shop-dev-api", "4", "1")])
    assert releases.prune(shop.aws, shop.ledger, shop.live(), keep=1) == 1
    assert lives.versions(shop.aws, shop.live())["shop-dev-api"].keys() == {"$LATEST", "1", "2", "4"}


def test_the_commit_is_told_and_whether_there_were_changes_besides(shop, tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*command):
        settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
        done = subprocess.run(
            ["git", *settings, *command], cwd=folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    built = shop.build(api="one")
    assert releases.build_of(built, folder).commit is None
    git("init", "-q")
    assert releases.build_of(built, folder).commit is None
    (folder / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "one")
    clean = releases.build_of(built, folder)
    assert (clean.commit, clean.dirty) == (git("rev-parse", "HEAD"), False)
    (folder / "a").write_text("2")
    assert releases.build_of(built, folder).dirty
