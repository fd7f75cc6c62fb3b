import json

import pytest
from manifests import function, manifest_of, route

from infra.environment import Reference, parse, references, variables
from infra.errors import Fault, StackError
from infra.stage import Stage

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf"


def of(stage, name="api", target="lambda-edge", **more):
    rows = [route("/n"), route("/e", runtime="edge")]
    made = manifest_of(rows, target=target, **more)
    return variables(next(row for row in made.functions if row.name == name), made, stage)


def test_every_function_gets_the_same_values_and_the_stage_lays_its_own_over_them():
    stage = Stage("prod", variables={"API_BASE": "https://prod", "EXTRA": "1"})
    values = {"API_BASE": "https://dev", "NAME": "x"}
    for name in ("api", "edge"):
        found = of(stage, name, values=values)
        assert found == {"API_BASE": "https://prod", "EXTRA": "1", "NAME": "x", "PACKAGER_BEHIND_CDN": "1"}
        assert list(found) == sorted(found)


def test_without_cdn_a_function_is_not_told_of_one():
    assert of(Stage("prod", cdn=False), target="regional") == {}


def test_secrets_are_handed_over_as_references():
    found = of(Stage("dev"), references={"KEY": "ssm:/app/{stage}/key", "DB": "secretsmanager:prod/db#url"})
    assert json.loads(found["PACKAGER_SECRETS"]) == {
        "DB": "secretsmanager:prod/db#url",
        "KEY": "ssm:/app/dev/key",
    }
    assert "PACKAGER_SECRETS_REGION" not in found


@pytest.mark.parametrize(
    ("target", "told"), [("lambda-edge", True), ("web-function", True), ("regional", False)]
)
def test_functions_that_run_elsewhere_are_told_where_the_secrets_are(target, told):
    stage = Stage("dev", region="eu-central-1")
    found = of(stage, "edge", target, references={"KEY": "ssm:/k"})
    assert (found.get("PACKAGER_SECRETS_REGION") == "eu-central-1") is told


def test_what_the_build_sets_for_a_function_is_kept():
    made = manifest_of([route("/n")], functions=[function("api", environment={"MODE": "x"})])
    assert variables(made.functions[0], made, Stage("dev", cdn=False)) == {"MODE": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssm:/app/key", Reference("K", "ssm", "/app/key")),
        ("ssm:key", Reference("K", "ssm", "key")),
        ("secretsmanager:prod/db", Reference("K", "secretsmanager", "prod/db")),
        ("secretsmanager:prod/db#url", Reference("K", "secretsmanager", "prod/db", "url")),
        (f"secretsmanager:{ARN}#url", Reference("K", "secretsmanager", ARN, "url")),
    ],
)
def test_a_reference_is_read(text, expected):
    assert parse("K", text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "plain", "vault:x", "ssm:", "ssm:/a//b", "ssm:/a b", "secretsmanager:", "secretsmanager:a#"),
        f"ssm:{ARN}",
        "secretsmanager:arn:aws:s3:::x",
    ],
)
def test_a_reference_that_cannot_be_read_is_a_fault_with_its_place_and_the_forms(text):
    fault = parse("K", text)
    assert isinstance(fault, Fault)
    assert fault.place == "tool.packager.environment.secrets.K"
    assert "secretsmanager:name" in fault.hint


def test_all_bad_references_are_told_at_once():
    with pytest.raises(StackError) as caught:
        references(manifest_of([route("/n")], references={"A": "x", "B": "y", "C": "ssm:/c"}), Stage("dev"))
    assert len(caught.value.faults) == 2
