"""The HTTP API: routes, integrations, access log, origin key, a domain of its own, gradual roll-out."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from manifests import manifest_of, route
from stacks import SHOP, Template, of_type, properties, synthesized

from infra.manifest import Manifest, Site
from infra.stage import ApiDomain, Canary, Stage, Throttle

DEV = Stage("dev", region="eu-central-1", cdn=False)
DOMAIN = ApiDomain("api.example.com", "arn:aws:acm:eu-central-1:123456789012:certificate/c", "Z1")


def api(folder: Path, stage: Stage = DEV, manifest: Manifest = SHOP) -> Template:
    return synthesized(folder, manifest, stage).template(f"shop-{stage.name}-api")


def integrations(template: Template) -> dict[str, str]:
    """The route keys with the integration that each leads to."""
    routes = of_type(template, "AWS::ApiGatewayV2::Route").values()
    return {
        row["Properties"]["RouteKey"]: row["Properties"]["Target"]["Fn::Join"][1][1]["Ref"] for row in routes
    }


def test_route_keys_lead_to_the_functions_of_the_routes(tmp_path: Path) -> None:
    assert integrations(api(tmp_path)) == {
        "$default": "ApiIntegration",
        "ANY /api/files/{path+}": "FilesIntegration",
        "ANY /api/hello": "EdgeIntegration",
        "ANY /api/users/{id}": "ApiIntegration",
    }


def test_integrations_call_the_alias_live_with_payload_2(tmp_path: Path) -> None:
    template = api(tmp_path)
    found = of_type(template, "AWS::ApiGatewayV2::Integration")
    assert set(found) == {"ApiIntegration", "EdgeIntegration", "FilesIntegration"}
    for name, row in found.items():
        assert row["Properties"] == {
            "ApiId": {"Ref": "Api"},
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": {"Ref": name.replace("Integration", "Alias")},
            "PayloadFormatVersion": "2.0",
            "TimeoutInMillis": 30000,
        }


def test_only_this_api_may_call_the_functions(tmp_path: Path) -> None:
    template = api(tmp_path)
    found = of_type(template, "AWS::Lambda::Permission")
    assert set(found) == {"ApiPermission", "EdgePermission", "FilesPermission"}
    arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*"
    for name, row in found.items():
        assert row["Properties"] == {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": name.replace("Permission", "Alias")},
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {"Fn::Sub": arn},
        }


def test_edge_functions_for_cloudfront_are_not_behind_the_api(tmp_path: Path) -> None:
    mixed = manifest_of([route("/a", "api"), route("/b", "edge", "edge")], target="lambda-edge")
    template = api(tmp_path, dataclasses.replace(DEV, cdn=True), mixed)
    assert set(of_type(template, "AWS::Lambda::Function")) == {"ApiFunction"}
    assert "ANY /b" not in integrations(template)


def test_the_base_path_is_in_front_of_every_key(tmp_path: Path) -> None:
    based = dataclasses.replace(SHOP, site=Site(base_path="/shop"))
    assert "ANY /shop/api/users/{id}" in integrations(api(tmp_path, manifest=based))


def test_the_stage_throttles_and_deploys_by_itself(tmp_path: Path) -> None:
    row = properties(api(tmp_path, dataclasses.replace(DEV, throttle=Throttle(5, 9))), "Stage")
    assert row["StageName"] == "$default"
    assert row["AutoDeploy"] is True
    assert row["DefaultRouteSettings"] == {
        "DetailedMetricsEnabled": True,
        "ThrottlingBurstLimit": 9,
        "ThrottlingRateLimit": 5,
    }


def test_accesses_are_logged_as_json(tmp_path: Path) -> None:
    template = api(tmp_path)
    settings = properties(template, "Stage")["AccessLogSettings"]
    assert settings["DestinationArn"] == {"Fn::GetAtt": ["AccessLogs", "Arn"]}
    assert json.loads(settings["Format"])["status"] == "$context.status"
    row = properties(template, "AccessLogs")
    assert row["LogGroupName"] == "/aws/vendedlogs/shop-dev-api"
    assert row["RetentionInDays"] == 30


def test_cors_is_left_to_the_app(tmp_path: Path) -> None:
    assert "CorsConfiguration" not in properties(api(tmp_path), "Api")


def test_without_cdn_there_is_no_origin_key(tmp_path: Path) -> None:
    template = api(tmp_path)
    assert "ORIGIN_KEY" not in json.dumps(template)
    assert "Parameters" not in template
    assert set(template["Outputs"]) == {"ApiDomain", "ApiId", "ApiUrl"}


def test_behind_the_cdn_every_function_asks_for_the_origin_key(tmp_path: Path) -> None:
    template = api(tmp_path, dataclasses.replace(DEV, cdn=True))
    assert template["Parameters"]["OriginKey"]["NoEcho"] is True
    assert template["Parameters"]["OriginKey"]["Default"] == ""
    key = {
        "Fn::If": [
            "OriginKeyGiven",
            {"Ref": "OriginKey"},
            {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]},
        ]
    }
    functions = of_type(template, "AWS::Lambda::Function")
    assert len(functions) == 3
    for row in functions.values():
        variables = row["Properties"]["Environment"]["Variables"]
        assert variables["PACKAGER_ORIGIN_KEY"] == key
        assert variables["PACKAGER_BEHIND_CDN"] == "1"
    assert template["Outputs"]["OriginKey"]["Value"] == key


def test_outputs_have_names_of_their_own_and_are_not_exported(tmp_path: Path) -> None:
    outputs = api(tmp_path)["Outputs"]
    assert outputs["ApiId"]["Value"] == {"Ref": "Api"}
    assert not any("Export" in row for row in outputs.values())


def test_with_its_own_domain_the_api_answers_under_no_other_name(tmp_path: Path) -> None:
    template = api(tmp_path, dataclasses.replace(DEV, api_domain=DOMAIN))
    assert properties(template, "Api")["DisableExecuteApiEndpoint"] is True
    assert properties(template, "Domain")["DomainNameConfigurations"] == [
        {
            "CertificateArn": DOMAIN.certificate,
            "EndpointType": "REGIONAL",
            "SecurityPolicy": "TLS_1_2",
        }
    ]
    mapping = template["Resources"]["DomainMapping"]
    assert mapping["Properties"]["Stage"] == {"Ref": "Stage"}
    record = properties(template, "DomainRecord")
    assert record["HostedZoneId"] == "Z1"
    assert record["AliasTarget"]["DNSName"] == {"Fn::GetAtt": ["Domain", "RegionalDomainName"]}
    assert template["Outputs"]["ApiUrl"]["Value"] == "https://api.example.com"


def test_a_domain_without_zone_has_its_record_elsewhere(tmp_path: Path) -> None:
    domain = dataclasses.replace(DOMAIN, zone_id=None)
    assert not of_type(api(tmp_path, dataclasses.replace(DEV, api_domain=domain)), "AWS::Route53::RecordSet")


def test_a_canary_moves_the_alias_step_by_step_and_back_on_alarms(tmp_path: Path) -> None:
    template = api(tmp_path, dataclasses.replace(DEV, canary=Canary()))
    group = properties(template, "ApiDeploymentGroup")
    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert group["AutoRollbackConfiguration"]["Enabled"] is True
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    alarms = {row["Name"]["Ref"] for row in group["AlarmConfiguration"]["Alarms"]}
    assert alarms == {"ApiRollbackErrors", "ApiRollbackDuration"}
    dimensions: list[dict[str, Any]] = properties(template, "ApiRollbackErrors")["Dimensions"]
    assert {"Name": "Resource", "Value": "shop-dev-api:live"} in dimensions
    policy = template["Resources"]["ApiAlias"]["UpdatePolicy"]
    assert policy["CodeDeployLambdaAliasUpdate"] == {
        "ApplicationName": {"Ref": "Rollout"},
        "DeploymentGroupName": {"Ref": "ApiDeploymentGroup"},
    }


def test_a_canary_with_numbers_of_its_own_has_a_configuration_of_its_own(tmp_path: Path) -> None:
    template = api(tmp_path, dataclasses.replace(DEV, canary=Canary(percent=25, minutes=7)))
    assert properties(template, "RolloutSettings")["TrafficRoutingConfig"] == {
        "Type": "TimeBasedCanary",
        "TimeBasedCanary": {"CanaryInterval": 7, "CanaryPercentage": 25},
    }
    assert properties(template, "ApiDeploymentGroup")["DeploymentConfigName"] == {"Ref": "RolloutSettings"}


def test_without_a_canary_there_is_nothing_of_codedeploy(tmp_path: Path) -> None:
    assert "CodeDeploy" not in json.dumps(api(tmp_path))


def test_everything_that_can_is_tagged(tmp_path: Path) -> None:
    template = api(tmp_path, dataclasses.replace(DEV, tags={"team": "shop"}))
    tags = {"packager:app": "shop", "packager:stage": "dev", "team": "shop"}
    assert properties(template, "Api")["Tags"] == tags
    for name in ("ApiFunction", "ApiRole", "ApiLogs"):
        assert {row["Key"]: row["Value"] for row in properties(template, name)["Tags"]} == tags
