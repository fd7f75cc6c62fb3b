"""`packager deploy` and `packager diff`, from a project to stacks on MiniStack."""

import json
import subprocess
import sys
import time

import pytest

from packager.cli import confirm
from packager.deploy import hold, live_check

PYPROJECT = """
[project]
name = "shop"

[tool.packager.stages.dev]
region = "us-east-1"
cdn = false
"""
HELLO = "def GET():\n    return {}\n"


@pytest.fixture
def root(write, wheelhouse, ministack):
    for name, version in (("anyio", "1.0"), ("starlette", "1.10.0"), ("mangum", "0.22.0")):
        wheelhouse.add(name, version)
    wheelhouse.add("python-multipart", "0.0.30")
    return write({"pyproject.toml": PYPROJECT, "app/api/a/route.py": HELLO})


@pytest.fixture
def synthesized(root, packager):
    """The project with build and assembly. In a process of their own, builds would try the hand-made wheels."""

    def again(**files):
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        ended = packager("synth", root, "--stage", "dev")
        assert ended.status == 0, ended.err
        return root

    again()
    return again


@pytest.fixture
def deployed(synthesized, packager):
    """The project, deployed."""
    root = synthesized()
    ended = packager("deploy", root, "--stage", "dev", "--yes")
    assert ended.status == 0, ended.err
    return root


def test_a_stage_is_deployed_and_its_url_is_the_last_line(synthesized, packager, ministack):
    ended = packager("deploy", synthesized(), "--stage", "dev", "--yes")
    assert ended.status == 0, ended.err
    assert "shop-dev-api (us-east-1) is created" in ended.err
    assert "creating shop-dev-api" in ended.err
    *outputs, release, live = ended.out.splitlines()
    assert release == "release 1"
    assert live == f"live {ministack.outputs('shop-dev-api')['ApiUrl']}"
    assert any(line.startswith("ApiId ") for line in outputs)


def test_nothing_is_deployed_that_nobody_agreed_to(synthesized, packager, ministack):
    ended = packager("deploy", synthesized(), "--stage", "dev")
    assert (ended.status, ended.out) == (2, "")
    assert "add --yes" in ended.err
    assert "shop-dev-api (us-east-1) is created" in ended.err
    assert ministack.client("cloudformation").describe_stacks()["Stacks"] == []


def test_the_same_build_again_changes_nothing_and_says_so_in_one_line(deployed, packager, ministack):
    client = ministack.client("cloudformation")
    before = client.describe_stack_events(StackName="shop-dev-api")["StackEvents"]
    ended = packager("deploy", deployed, "--stage", "dev")
    assert ended.status == 0, ended.err
    assert "nothing changes" in ended.err
    assert "is updated" not in ended.err
    assert ended.out.splitlines()[-2:] == ["release 1", f"live {ministack.outputs('shop-dev-api')['ApiUrl']}"]
    assert client.describe_stack_events(StackName="shop-dev-api")["StackEvents"] == before


def test_a_change_is_shown_by_diff_made_by_deploy_and_gone_from_diff(
    synthesized, deployed, packager, ministack
):
    root = synthesized(**{"app/api/b/route.py": HELLO})
    shown = packager("diff", root, "--stage", "dev", "--exit-code")
    assert shown.status == 1, shown.err
    assert "AWS::ApiGatewayV2::Route" in shown.out
    names = [row["ChangeSetName"] for row in _change_sets(ministack)]
    assert packager("diff", root, "--stage", "dev").status == 0
    assert [row["ChangeSetName"] for row in _change_sets(ministack)] == names
    ended = packager("deploy", root, "--stage", "dev", "--yes")
    assert ended.status == 0, ended.err
    assert ended.out.splitlines()[-2] == "release 2"
    assert packager("diff", root, "--stage", "dev", "--exit-code").status == 0


def test_diff_of_a_stage_that_is_not_there_makes_nothing_in_aws(synthesized, packager, ministack):
    ended = packager("diff", synthesized(), "--stage", "dev", "--json", "--exit-code")
    assert ended.status == 1, ended.err
    document = json.loads(ended.out)
    assert [row["operation"] for row in document["stacks"]] == ["create", "create"]
    assert ministack.client("s3").list_buckets()["Buckets"] == []
    assert ministack.client("cloudformation").describe_stacks()["Stacks"] == []


def test_json_is_one_document_without_the_secret_of_the_stack(synthesized, packager, ministack):
    root = synthesized(**{"pyproject.toml": PYPROJECT.replace("cdn = false", "")})
    ended = packager("deploy", root, "--stage", "dev", "--yes", "--json")
    assert ended.status == 0, ended.err
    document = json.loads(ended.out)
    assert document["url"] == ministack.outputs("shop-dev-edge")["Url"]
    assert document["release"]["number"] == 1
    key = ministack.outputs("shop-dev-api")["OriginKey"]
    assert key not in ended.out + ended.err


def test_without_a_cdn_the_edge_stack_goes_and_the_url_is_the_apis(synthesized, packager, ministack):
    root = synthesized(**{"pyproject.toml": PYPROJECT.replace("cdn = false", "")})
    assert packager("deploy", root, "--stage", "dev", "--yes").status == 0
    synthesized(**{"pyproject.toml": PYPROJECT})
    ended = packager("deploy", root, "--stage", "dev", "--yes")
    assert ended.status == 0, ended.err
    assert "shop-dev-edge (us-east-1) is removed" in ended.err
    assert ended.out.splitlines()[-1] == f"live {ministack.outputs('shop-dev-api')['ApiUrl']}"
    client = ministack.client("cloudformation")
    live = {row["StackName"] for row in client.describe_stacks()["Stacks"]}
    assert live == {"shop-dev-api", "shop-dev-ops"}


def test_a_protected_stack_is_not_removed_by_a_change_of_settings(synthesized, packager, ministack):
    protected = PYPROJECT + "termination_protection = true\n"
    root = synthesized(**{"pyproject.toml": protected.replace("cdn = false", "")})
    assert packager("deploy", root, "--stage", "dev", "--yes").status == 0
    synthesized(**{"pyproject.toml": protected})
    ended = packager("deploy", root, "--stage", "dev", "--yes")
    assert ended.status == 2
    assert "shop-dev-edge cannot be deleted" in ended.err
    synthesized(**{"pyproject.toml": PYPROJECT})
    ended = packager("deploy", root, "--stage", "dev", "--yes")
    assert ended.status == 0, ended.err
    assert "shop-dev-edge" not in {
        row["StackName"] for row in ministack.client("cloudformation").describe_stacks()["Stacks"]
    }


def test_a_stage_of_another_account_is_refused(synthesized, packager, ministack):
    root = synthesized(**{"pyproject.toml": PYPROJECT + 'account = "999999999999"\n'})
    ended = packager("deploy", root, "--stage", "dev", "--yes")
    assert ended.status == 3
    assert "999999999999" in ended.err


def test_code_alone_is_replaced_by_fast_and_told_by_the_next_plan(synthesized, deployed, packager, ministack):
    root = synthesized(**{"app/api/a/route.py": "def GET():\n    return {'new': 1}\n"})
    ended = packager("deploy", root, "--stage", "dev", "--fast", "--yes", "--json")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["updated"] == ["api"]
    whole = packager("deploy", root, "--stage", "dev", "--yes")
    assert whole.status == 0, whole.err
    assert "nothing changes" not in whole.err
    assert packager("diff", root, "--stage", "dev", "--exit-code").status == 0


def test_a_canary_gives_new_code_its_share_first_and_everything_then(
    synthesized, deployed, packager, ministack
):
    root = synthesized(**{"app/api/a/route.py": "def GET():\n    return {'new': 1}\n"})
    ended = packager("deploy", root, "--stage", "dev", "--canary", "10%,1s", "--yes")
    assert ended.status == 0, ended.err
    assert "watching" in ended.err
    assert "release 2" in ended.out
    alias = ministack.client("lambda").get_alias(FunctionName="shop-dev-api", Name="live")
    assert (alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})) == (
        "2",
        {},
    )
    assert packager("diff", root, "--stage", "dev", "--exit-code").status == 0


def test_a_rollback_is_left_behind_by_the_next_deploy_of_the_same_build(
    synthesized, deployed, packager, ministack
):
    root = synthesized(**{"app/api/a/route.py": "def GET():\n    return {'new': 1}\n"})
    assert packager("deploy", root, "--stage", "dev", "--yes").status == 0
    assert packager("rollback", root, "--stage", "dev", "--yes").status == 0
    client = ministack.client("lambda")
    assert client.get_alias(FunctionName="shop-dev-api", Name="live")["FunctionVersion"] == "1"
    assert packager("diff", root, "--stage", "dev", "--exit-code").status == 1
    ended = packager("deploy", root, "--stage", "dev", "--yes")
    assert ended.status == 0, ended.err
    assert client.get_alias(FunctionName="shop-dev-api", Name="live")["FunctionVersion"] == "2"


def test_ctrl_c_at_the_question_leaves_neither_change_sets_nor_the_hold(
    synthesized, deployed, packager, ministack, monkeypatch
):
    root = synthesized(**{"app/api/b/route.py": HELLO})
    before = _change_sets(ministack)

    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(confirm, "confirm", interrupted)
        assert packager("deploy", root, "--stage", "dev").status == 130
    assert _change_sets(ministack) == before
    assert packager("deploy", root, "--stage", "dev", "--yes", "--wait", "0").status == 0


def test_a_deploy_that_was_killed_is_finished_by_the_same_command(
    synthesized, packager, ministack, monkeypatch
):
    root = synthesized()
    command = [sys.executable, "-m", "packager", "deploy", str(root), "--stage", "dev", "--yes"]
    client = ministack.client("cloudformation")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not client.describe_stacks()["Stacks"]:
            time.sleep(0.01)
        process.kill()
    monkeypatch.setattr(hold, "EXPIRY_SECONDS", 5.0)
    ended = packager("deploy", root, "--stage", "dev", "--yes")
    assert ended.status == 0, ended.err
    assert ended.out.splitlines()[-1].startswith("live https://")
    assert {row["StackStatus"] for row in client.describe_stacks()["Stacks"]} == {"CREATE_COMPLETE"}
    assert packager("diff", root, "--stage", "dev", "--exit-code").status == 0


def test_routes_that_do_not_answer_are_told_and_the_release_stays(synthesized, packager, monkeypatch):
    monkeypatch.setattr(live_check.check, "__kwdefaults__", {"base_path": "", "patience": 0.1})
    settings = PYPROJECT + '\n[tool.packager.deploy]\nsmoke = ["/api/a"]\n'
    ended = packager("deploy", synthesized(**{"pyproject.toml": settings}), "--stage", "dev", "--yes")
    assert ended.status == 3
    assert "packager rollback --stage dev" in ended.err
    assert "release 1" in ended.out
    assert "live " not in ended.out


def test_options_that_do_not_go_together_are_refused(packager):
    ended = packager("deploy", "--stage", "dev", "--fast", "--canary", "10%,5m")
    assert ended.status == 2
    assert "exclude each other" in ended.err


def test_a_stage_has_to_be_named(root, packager):
    for command in ("deploy", "diff"):
        ended = packager(command, root)
        assert ended.status == 2
        assert "--stage" in ended.err


def _change_sets(ministack):
    return ministack.client("cloudformation").list_change_sets(StackName="shop-dev-api")["Summaries"]
