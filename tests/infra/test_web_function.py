"""Edge functions as HTTP servers in several regions: web function, revision, endpoint, and the way there."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from manifests import manifest_of, route
from stacks import Stacks, Template, of_type, properties, synthesized

from infra.edge_targets import web_function
from infra.errors import StackError
from infra.manifest import Manifest
from infra.stage import Stage

PROD = Stage("prod", region="eu-west-1", code_bucket="shop-code")
SHOP = manifest_of(
    [route("/api/hello", "edge", "edge"), route("/api/a", "api")],
    target="web-function",
    values={"API_BASE": "https://example.com"},
    references={"SESSION_KEY": "ssm:/shop/{stage}/session-key"},
)


def made(folder: Path, stage: Stage = PROD, manifest: Manifest = SHOP) -> Stacks:
    return synthesized(folder, manifest, stage)


def edge(folder: Path, stage: Stage = PROD, manifest: Manifest = SHOP) -> Template:
    return made(folder, stage, manifest).template("shop-prod-edge")


def only(template: Template, type_: str) -> dict[str, Any]:
    (row,) = of_type(template, type_).values()
    return row


def revision(template: Template) -> dict[str, Any]:
    return only(template, "AWS::Lambda::WebFunctionRevision")["Properties"]


def endpoint(template: Template) -> dict[str, Any]:
    return only(template, "AWS::Lambda::WebFunctionEndpoint")["Properties"]


def test_the_code_is_read_from_the_stages_own_bucket_which_it_is_uploaded_to(tmp_path: Path) -> None:
    stacks = made(tmp_path)
    place = revision(stacks.template("shop-prod-edge"))["BuildConfig"]["CodeConfig"]["S3Object"]
    assert place["Bucket"] == "shop-code"
    assets = json.loads((stacks.folder / "shop-prod-edge.assets.json").read_text())["files"]
    uploads = [row for file in assets.values() for row in file["destinations"].values()]
    assert {"shop-code"} == {row["bucketName"] for row in uploads}
    assert place["Key"] in {row["objectKey"] for row in uploads}


def test_without_a_bucket_the_fault_says_what_it_has_to_be(tmp_path: Path) -> None:
    with pytest.raises(StackError) as caught:
        made(tmp_path, dataclasses.replace(PROD, code_bucket=None))
    assert any("code_bucket" in fault.hint for fault in caught.value.faults)


def test_variables_are_the_functions_environment_with_the_key_of_cloudfront(tmp_path: Path) -> None:
    variables = revision(edge(tmp_path))["ServiceConfig"]["EnvironmentVariables"]
    assert variables["API_BASE"] == "https://example.com"
    assert variables["PACKAGER_SECRETS_REGION"] == "eu-west-1"
    assert variables["PACKAGER_BEHIND_CDN"] == "1"
    assert variables["PACKAGER_ORIGIN_KEY"]["Fn::GetStackOutput"]["OutputName"] == "OriginKey"


def test_the_server_runs_on_node_as_long_as_a_request_may_take(tmp_path: Path) -> None:
    row = revision(edge(tmp_path))
    assert row["BuildConfig"]["RuntimeConfig"] == {"Runtime": "nodejs24.x"}
    assert row["ServiceConfig"]["TimeoutSeconds"] == 30


def test_one_name_leads_to_the_nearest_region(tmp_path: Path) -> None:
    row = endpoint(edge(tmp_path))
    assert row["EndpointType"] == "MultiRegion"
    assert row["Regions"] == ["eu-west-1"]
    assert row["AuthType"] == "ApplicationManaged"
    assert [weight["Weight"] for weight in row["RevisionWeights"]] == [100]


def test_a_stage_in_us_east_1_alone_has_an_endpoint_there(tmp_path: Path) -> None:
    row = endpoint(edge(tmp_path, dataclasses.replace(PROD, region="us-east-1")))
    assert row["EndpointType"] == "HomeRegion"
    assert "Regions" not in row


def test_other_regions_are_another_endpoint_as_they_cannot_be_changed(tmp_path: Path) -> None:
    more = dataclasses.replace(PROD, edge_regions=("ap-northeast-1", "us-east-1", "eu-west-1"))
    assert web_function.regions(more) == ["ap-northeast-1", "eu-west-1"]
    one, two = edge(tmp_path / "one"), edge(tmp_path / "two", more)
    assert endpoint(one)["EndpointName"] != endpoint(two)["EndpointName"]
    kind = "AWS::Lambda::WebFunctionEndpoint"
    assert set(of_type(one, kind)) != set(of_type(two, kind))


def test_the_distribution_asks_the_endpoint_and_hands_on_its_host(tmp_path: Path) -> None:
    template = edge(tmp_path)
    config = properties(template, "Distribution")["DistributionConfig"]
    origins = {row["Id"]: row for row in config["Origins"]}
    (name,) = of_type(template, "AWS::Lambda::WebFunctionEndpoint")
    host = {"Fn::GetAtt": [name, "DomainName"]}
    assert origins["web-edge"]["DomainName"] == host
    assert origins["web-edge"]["OriginCustomHeaders"] == origins["api"]["OriginCustomHeaders"]
    (row,) = [row for row in config["CacheBehaviors"] if row["TargetOriginId"] == "web-edge"]
    assert row["PathPattern"] == "/api/hello"
    assert "LambdaFunctionAssociations" not in row
    (association,) = row["FunctionAssociations"]
    assert association["FunctionARN"] == {"Fn::GetAtt": ["EdgeViewerRequest", "FunctionARN"]}
    assert host in properties(template, "EdgeViewerRequest")["FunctionCode"]["Fn::Join"][1]


def test_a_function_called_api_is_no_other_functions_origin(tmp_path: Path) -> None:
    alone = manifest_of([route("/api/hello", "api", "edge")], target="web-function")
    config = properties(edge(tmp_path, manifest=alone), "Distribution")["DistributionConfig"]
    assert [row["Id"] for row in config["Origins"]] == ["api", "web-api"]


def test_its_role_writes_logs_and_reads_its_secrets(tmp_path: Path) -> None:
    role = properties(edge(tmp_path), "EdgeRole")
    (rule,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert rule["Principal"] == {"Service": "lambda.amazonaws.com"}
    actions = [row["Action"] for row in role["Policies"][0]["PolicyDocument"]["Statement"]]
    assert actions == [
        "logs:CreateLogGroup",
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        ["ssm:GetParameter", "ssm:GetParameters"],
    ]


def test_the_revision_waits_for_the_function_that_it_names(tmp_path: Path) -> None:
    assert only(edge(tmp_path), "AWS::Lambda::WebFunctionRevision")["DependsOn"] == ["EdgeWebFunction"]


def test_other_variables_are_another_revision(tmp_path: Path) -> None:
    other = dataclasses.replace(PROD, variables={"API_BASE": "https://other.example"})
    kind = "AWS::Lambda::WebFunctionRevision"
    assert set(of_type(edge(tmp_path / "one"), kind)) != set(of_type(edge(tmp_path / "two", other), kind))
