"""Edge functions at CloudFront: the function of us-east-1, its role, and the package with its variables."""

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from manifests import function, manifest_of, route
from stacks import Stacks, Template, of_type, properties, synthesized

from infra.edge_targets import lambda_edge
from infra.errors import StackError
from infra.stage import Permission, Stage

PROD = Stage("prod", region="eu-west-1")
SHOP = manifest_of(
    [route("/api/hello", "edge", "edge"), route("/api/a", "api")],
    values={"API_BASE": "https://example.com", "GREETING": "Grüß dich"},
    references={
        "SESSION_KEY": "ssm:/shop/{stage}/session-key",
        "DB_URL": "secretsmanager:{stage}/db#url",
    },
)


def made(folder: Path, stage: Stage = PROD) -> Stacks:
    return synthesized(folder, SHOP, stage)


def edge(folder: Path, stage: Stage = PROD) -> Template:
    return made(folder, stage).template("shop-prod-edge")


def package_of(stacks: Stacks) -> Path:
    code = properties(stacks.template("shop-prod-edge"), "EdgeFunction")["Code"]
    return stacks.folder / f"asset.{code['S3Key']}"


def statements(template: Template) -> list[dict[str, Any]]:
    (policy,) = properties(template, "EdgeRole")["Policies"]
    return policy["PolicyDocument"]["Statement"]


def test_the_function_is_what_lambda_at_edge_takes(tmp_path: Path) -> None:
    row = properties(edge(tmp_path), "EdgeFunction")
    assert row["FunctionName"] == "shop-prod-edge"
    assert (row["Runtime"], row["Architectures"]) == ("nodejs24.x", ["x86_64"])
    assert (row["Handler"], row["MemorySize"], row["Timeout"]) == ("index.handler", 256, 30)
    assert not {"Environment", "TracingConfig", "Layers", "VpcConfig"} & set(row)


def test_there_is_one_function_for_each_edge_function_and_none_for_the_api(tmp_path: Path) -> None:
    assert set(of_type(edge(tmp_path), "AWS::Lambda::Function")) == {"EdgeFunction"}


def test_its_role_is_for_lambda_and_for_the_replicas(tmp_path: Path) -> None:
    (rule,) = properties(edge(tmp_path), "EdgeRole")["AssumeRolePolicyDocument"]["Statement"]
    assert rule["Principal"] == {"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]}


def test_logs_are_written_in_the_region_of_the_replica(tmp_path: Path) -> None:
    template = edge(tmp_path, dataclasses.replace(PROD, log_days=7))
    group = "log-group:/aws/lambda/us-east-1.shop-prod-edge"
    create, write = statements(template)[:2]
    assert create["Resource"]["Fn::Sub"] == f"arn:${{AWS::Partition}}:logs:*:${{AWS::AccountId}}:{group}"
    assert write["Resource"]["Fn::Sub"].endswith(f"{group}:*")
    row = properties(template, "EdgeLogs")
    assert row["LogGroupName"] == "/aws/lambda/us-east-1.shop-prod-edge"
    assert row["RetentionInDays"] == 7


def test_secrets_are_read_by_exact_arn_in_the_stages_region(tmp_path: Path) -> None:
    rows = {str(row["Action"]): row["Resource"] for row in statements(edge(tmp_path))[2:]}
    start = "arn:${AWS::Partition}"
    assert rows == {
        "['ssm:GetParameter', 'ssm:GetParameters']": {
            "Fn::Sub": f"{start}:ssm:eu-west-1:${{AWS::AccountId}}:parameter/shop/prod/session-key"
        },
        "secretsmanager:GetSecretValue": {
            "Fn::Sub": f"{start}:secretsmanager:eu-west-1:${{AWS::AccountId}}:secret:prod/db-??????"
        },
    }


def test_the_stages_permissions_and_boundary_hold(tmp_path: Path) -> None:
    table = "arn:aws:dynamodb:eu-west-1:123456789012:table/t"
    stage = dataclasses.replace(
        PROD,
        permissions=(Permission(("dynamodb:GetItem",), (table,), ("edge",)),),
        permissions_boundary="arn:aws:iam::123456789012:policy/p",
    )
    template = edge(tmp_path, stage)
    granted = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": table}
    assert granted in statements(template)
    assert properties(template, "EdgeRole")["PermissionsBoundary"].endswith("policy/p")


def test_variables_travel_beside_the_artifact(tmp_path: Path) -> None:
    with zipfile.ZipFile(package_of(made(tmp_path))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["index.mjs", "environment.json"]
        variables = json.loads(archive.read("environment.json"))
    assert variables["API_BASE"] == "https://example.com"
    assert variables["GREETING"] == "Grüß dich"
    assert variables["PACKAGER_BEHIND_CDN"] == "1"
    assert variables["PACKAGER_SECRETS_REGION"] == "eu-west-1"
    assert json.loads(variables["PACKAGER_SECRETS"])["SESSION_KEY"] == "ssm:/shop/prod/session-key"


def test_no_variable_is_in_the_template(tmp_path: Path) -> None:
    assert "https://example.com" not in json.dumps(edge(tmp_path))


def test_the_package_is_named_after_its_own_hash_and_the_artifact_stays(tmp_path: Path) -> None:
    stacks = made(tmp_path)
    package = package_of(stacks)
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    assert package.name == f"asset.{digest}.zip"
    assert hashlib.sha256((tmp_path / "build/edge/edge.zip").read_bytes()).hexdigest() != digest


def test_a_stages_own_variables_give_another_package_and_version(tmp_path: Path) -> None:
    other = dataclasses.replace(PROD, variables={"API_BASE": "https://other.example"})
    one, two = edge(tmp_path / "one"), edge(tmp_path / "two", other)
    assert properties(one, "EdgeFunction")["Code"] != properties(two, "EdgeFunction")["Code"]
    assert set(of_type(one, "AWS::Lambda::Version")) != set(of_type(two, "AWS::Lambda::Version"))


def test_equal_variables_give_equal_bytes(tmp_path: Path) -> None:
    artifact = tmp_path / "edge.zip"
    with zipfile.ZipFile(artifact, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.mjs", "export const handler = 1;" * 100)
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    first = lambda_edge.package(artifact, {"A_": "1", "B_": "2"}, one)
    second = lambda_edge.package(artifact, {"B_": "2", "A_": "1"}, two)
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.size == first.path.stat().st_size
    assert [path.name for path in one.iterdir()] == [first.path.name]


def test_a_package_above_the_limit_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_edge, "MAX_PACKAGE", 100)
    with pytest.raises(StackError) as caught:
        made(tmp_path)
    (fault,) = caught.value.faults
    assert "the package of the edge function edge" in fault.message
    assert "takes 100" in fault.message
    assert fault.place == "edge/edge.zip"


def test_a_version_stays_when_a_newer_one_comes(tmp_path: Path) -> None:
    (version,) = of_type(edge(tmp_path), "AWS::Lambda::Version").values()
    assert (version["DeletionPolicy"], version["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_another_memory_is_another_version(tmp_path: Path) -> None:
    rows = []
    for memory in (256, 512):
        manifest = manifest_of(
            [route("/api/hello", "edge", "edge")], functions=[function("edge", "edge", memory=memory)]
        )
        stacks = synthesized(tmp_path / str(memory), manifest, PROD)
        rows.append(set(of_type(stacks.template("shop-prod-edge"), "AWS::Lambda::Version")))
    assert rows[0] != rows[1]


def test_the_template_shows_routes_and_middleware(tmp_path: Path) -> None:
    told = edge(tmp_path)["Resources"]["EdgeFunction"]["Metadata"]["packager"]
    assert told == {
        "function": "edge",
        "routes": {"/api/hello": "app/api/hello/route.py"},
        "middleware": [],
    }
