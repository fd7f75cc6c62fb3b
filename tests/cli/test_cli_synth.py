import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra import assembly

PYPROJECT = """
[project]
name = "shop"

[tool.packager.stages.dev]
region = "eu-central-1"
"""
FILES = {
    "pyproject.toml": PYPROJECT,
    "app/api/a/route.py": "def GET():\n    return {}\n",
}


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(write, wheelhouse) -> Path:
    for name, version in (("anyio", "1.0"), ("starlette", "1.10.0"), ("mangum", "0.22.0")):
        wheelhouse.add(name, version)
    wheelhouse.add("python-multipart", "0.0.30")
    return write(FILES)


def test_a_stage_becomes_an_assembly_in_the_build_output_and_outlives_builds(root, packager):
    (root / ".env.dev").write_text("SESSION_KEY=abcdef\n")
    ended = packager("synth", root, "--stage", "dev")
    assert ended.status == 0, ended.err
    assert "writing functions/api.zip" in ended.err
    assert "warning[env-secret-on-edge] .env.dev:1 SESSION_KEY looks like a secret" in ended.err
    assert "abcdef" not in ended.err
    lines = ended.out.splitlines()
    assert lines[0] == "shop-dev-api (eu-central-1)"
    assert any("AWS::Lambda::Function" in line for line in lines)
    folder = root / ".packager/cdk.dev"
    assert lines[-1] == f"synthesized {folder}"
    assert (folder / "manifest.json").is_file()
    assert (folder / "shop-dev-api.template.json").is_file()
    assert not [path.name for path in (root / ".packager").iterdir() if path.name.startswith(".cdk")]

    (root / "app/api/a/route.py").write_text("def GET():\n    return {'a': 1}\n")
    assert packager("build", root).status == 0
    assert (folder / "shop-dev-api.template.json").is_file()


def test_json_is_one_document_with_the_stacks_and_their_resources(root, packager, tmp_path):
    out = tmp_path / "assembly"
    ended = packager("synth", root, "--stage", "feature/x", "--out", out, "--json")
    assert ended.status == 0, ended.err
    document = json.loads(ended.out)
    assert document["folder"] == str(out)
    assert [(row["name"], row["region"]) for row in document["stacks"]] == [
        ("shop-feature-x-api", "us-east-1"),
        ("shop-feature-x-edge", "us-east-1"),
        ("shop-feature-x-ops", "us-east-1"),
    ]
    counts = {row["type"]: row["count"] for row in document["stacks"][0]["resources"]}
    assert counts["AWS::Lambda::Function"] == 1
    assert all(row["why"] for stack in document["stacks"] for row in stack["resources"])


def test_variables_of_the_stage_and_its_permissions_reach_the_template(root, packager):
    text = (
        PYPROJECT + "permissions = [{ actions = ['s3:GetObject'], resources = ['arn:aws:s3:::{stage}/*'] }]\n"
    )
    (root / "pyproject.toml").write_text(text)
    (root / ".env.dev").write_text("API=https://dev.example\n")
    (root / ".env.local").write_text("API=https://local.example\n")
    ended = packager("synth", root, "--stage", "dev")
    assert ended.status == 0, ended.err
    template = (root / ".packager/cdk.dev/shop-dev-api.template.json").read_text()
    assert "https://dev.example" in template
    assert "arn:aws:s3:::dev/*" in template
    assert "local.example" not in template


def test_a_missing_stage_is_wrong_usage_and_the_stages_are_named(root, packager):
    ended = packager("synth", root)
    assert (ended.status, ended.out) == (2, "")
    assert "Add --stage NAME, such as --stage dev; the settings have dev." in ended.err
    assert not (root / ".packager").exists()


def test_a_fault_in_the_settings_or_the_stages_file_is_named_before_anything_is_built(root, packager):
    (root / ".env.dev").write_text("AWS_REGION=x\n")
    ended = packager("synth", root, "--stage", "dev")
    assert (ended.status, ended.out) == (1, "")
    assert "error[env-name] .env.dev:1:1" in ended.err
    (root / "pyproject.toml").write_text(PYPROJECT.replace("eu-central-1", "mars-1"))
    ended = packager("synth", root, "--stage", "prod")
    assert ended.status == 1
    assert "pyproject.toml:6 region = 'mars-1' is not known" in ended.err
    assert not (root / ".packager").exists()


def test_an_unknown_region_in_the_environment(root, packager, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "mars-1")
    ended = packager("synth", root, "--stage", "preview")
    assert ended.status == 2
    assert "AWS_REGION names an unknown region: 'mars-1'" in ended.err


def test_permissions_of_a_function_that_is_not_there(root, packager):
    text = PYPROJECT + "permissions = [{ actions = ['s3:*'], resources = ['*'], functions = ['apu'] }]\n"
    (root / "pyproject.toml").write_text(text)
    ended = packager("synth", root, "--stage", "dev")
    assert (ended.status, ended.out) == (1, "")
    assert "the function 'apu', which the app does not have" in ended.err
    assert "Name one of api" in ended.err


def test_every_limit_that_is_passed_is_told_and_the_old_assembly_stays(root, packager):
    assert packager("synth", root, "--stage", "dev").status == 0
    before = (root / ".packager/cdk.dev/manifest.json").stat().st_ino
    (root / ".env.dev").write_text(f"BIG={'x' * 5000}\n")
    ended = packager("synth", root, "--stage", "dev")
    assert (ended.status, ended.out) == (1, "")
    assert "error the stacks of dev cannot be made: 1 fault" in ended.err
    assert ended.err.count("hint:") == 2
    assert (root / ".packager/cdk.dev/manifest.json").stat().st_ino == before


@pytest.mark.parametrize(("table", "line"), [("dev", 7), ("default", 9)])
def test_a_setting_that_does_not_fit_has_its_line_in_whichever_table_it_is(root, packager, table, line):
    tables = {"dev": "", "default": "\n[tool.packager.stages.default]\n"}
    (root / "pyproject.toml").write_text(f"{PYPROJECT}{tables[table]}waf = true\ncdn = false\n")
    ended = packager("synth", root, "--stage", "dev")
    assert ended.status == 1
    assert f"error pyproject.toml:{line} waf belongs to the CloudFront distribution" in ended.err


def test_a_place_that_holds_something_else_is_left_alone(root, packager, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("x")
    for place, message in (
        (other, "is not a cloud assembly"),
        (other / "thesis.txt" / "out", "is a file"),
        (root, "holds the project itself"),
    ):
        ended = packager("synth", root, "--stage", "dev", "--out", place)
        assert (ended.status, ended.out) == (2, "")
        assert message in ended.err
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_place_that_cannot_be_written_to(root, packager, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    ended = packager("synth", root, "--stage", "dev", "--out", closed / "out")
    assert ended.status == 3
    assert "Permission denied" in ended.err


def test_an_artifact_that_was_deleted_is_built_again(root, packager):
    assert packager("build", root).status == 0
    (root / ".packager/functions/api.zip").unlink()
    ended = packager("synth", root, "--stage", "dev")
    assert ended.status == 0, ended.err
    assert (root / ".packager/functions/api.zip").is_file()


def test_a_manifest_of_another_version_is_built_again(root, packager):
    assert packager("build", root).status == 0
    path = root / ".packager/manifest.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 0'))
    assert packager("synth", root, "--stage", "dev").status == 0


def test_a_fault_of_cdk_is_one_line_and_leaves_nothing_behind(root, packager, monkeypatch):
    def fail(*_arguments, **_options):
        raise RuntimeError("Error: ENOSPC: no space left on device, write\n    at Object.writeSync (node:fs)")

    monkeypatch.setattr(assembly, "synth", fail)
    ended = packager("synth", root, "--stage", "dev")
    assert ended.status == 3
    assert "CDK could not make the stacks: Error: ENOSPC: no space left on device, write" in ended.err
    assert "writeSync" not in ended.err
    assert not [path for path in (root / ".packager").iterdir() if "cdk" in path.name]


def test_ctrl_c_leaves_the_old_assembly(root, packager):
    assert packager("synth", root, "--stage", "dev").status == 0
    before = (root / ".packager/cdk.dev/manifest.json").stat().st_ino
    command = [sys.executable, "-m", "packager", "synth", str(root), "--stage", "dev"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "synthesizing" not in (line := process.stderr.readline()):
            assert line
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    assert (root / ".packager/cdk.dev/manifest.json").stat().st_ino == before
    assert not [path.name for path in (root / ".packager").iterdir() if path.name.startswith(".cdk")]
