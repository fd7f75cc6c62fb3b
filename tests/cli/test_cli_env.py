import json

import pytest

PYPROJECT = """\
[project]
name = "shop"
[tool.packager.environment.secrets]
TOKEN = "ssm:/shop/{stage}/token"
"""


@pytest.fixture
def project(write, ministack):
    return write({"app/route.py": "", "pyproject.toml": PYPROJECT})


def test_secrets_go_to_aws_and_come_back(packager, project):
    (project / ".env.dev.local").write_text("TOKEN=hidden\nDEBUG=1\n")
    pushed = packager("env", "push", project, "--stage", "dev", "--yes")
    assert (pushed.status, pushed.out) == (0, "")
    assert "+ TOKEN  to ssm:/shop/dev/token" in pushed.err
    assert "not pushed, since no secrets of the project: DEBUG" in pushed.err
    (project / ".env.dev.local").unlink()
    pulled = packager("env", "pull", project, "--stage", "dev", "--json")
    assert json.loads(pulled.out)["secrets"] == [
        {"name": "TOKEN", "reference": "ssm:/shop/dev/token", "state": "new"}
    ]
    assert (project / ".env.dev.local").read_text() == "TOKEN=hidden\n"
    assert "hidden" not in pushed.err + pulled.out + pulled.err


def test_nothing_is_set_or_written_over_where_nobody_can_be_asked(packager, project):
    (project / ".env.dev.local").write_text("TOKEN=1\n")
    refused = packager("env", "push", project, "--stage", "dev")
    assert refused.status == 2
    assert "--yes" in refused.err
    packager("env", "push", project, "--stage", "dev", "--yes")
    (project / ".env.dev.local").write_text("TOKEN=2\n")
    assert packager("env", "pull", project, "--stage", "dev").status == 2
    assert (project / ".env.dev.local").read_text() == "TOKEN=2\n"
    assert packager("env", "pull", project, "--stage", "dev", "--yes").status == 0
    assert (project / ".env.dev.local").read_text() == "TOKEN=1\n"


def test_what_is_the_same_needs_no_answer(packager, project):
    (project / ".env.dev.local").write_text("TOKEN=1\n")
    packager("env", "push", project, "--stage", "dev", "--yes")
    again = packager("env", "push", project, "--stage", "dev")
    assert again.status == 0
    assert "TOKEN  unchanged" in again.err


def test_a_project_without_secrets_and_a_stage_without_a_name(packager, write, ministack):
    project = write({"app/route.py": "", "pyproject.toml": ""})
    assert "names no secrets" in packager("env", "pull", project, "--stage", "dev").err
    assert packager("env", "pull", project).status == 2
