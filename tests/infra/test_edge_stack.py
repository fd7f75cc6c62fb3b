"""The distribution: what it is configured with, which URLs go where, what protects it, what it tells."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from manifests import function, manifest_of, route
from stacks import Template, of_type, properties, synthesized

from infra import edge_targets
from infra.errors import StackError
from infra.manifest import Manifest
from infra.stage import Alarms, ApiDomain, Domain, Stage

PROD = Stage("prod", region="eu-west-1")
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
DOMAIN = Domain("shop.example.com", CERTIFICATE, "Z1")
ROUTES = [
    route("/api/users/[id]", "api", "nodejs", "GET", "POST"),
    route("/api/hello", "edge", "edge"),
    route("/api/orders", "edge", "edge", "GET", "POST"),
    route("/api/news", "api", "nodejs", revalidate=60),
]
SHOP = manifest_of(ROUTES)


def edge(folder: Path, stage: Stage = PROD, manifest: Manifest = SHOP) -> Template:
    return synthesized(folder, manifest, stage).template(f"shop-{stage.name}-edge")


def config(template: Template) -> dict[str, Any]:
    return properties(template, "Distribution")["DistributionConfig"]


def behaviours(template: Template) -> dict[str, dict[str, Any]]:
    return {row["PathPattern"]: row for row in config(template)["CacheBehaviors"]}


def output_of_api(name: str) -> dict[str, Any]:
    return {"Fn::GetStackOutput": {"StackName": "shop-prod-api", "Region": "eu-west-1", "OutputName": name}}


def test_what_no_pattern_takes_goes_to_the_api_uncached_with_every_method(tmp_path: Path) -> None:
    row = config(edge(tmp_path))["DefaultCacheBehavior"]
    assert row["TargetOriginId"] == "api"
    assert row["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert len(row["AllowedMethods"]) == 7
    assert "LambdaFunctionAssociations" not in row


def test_the_origin_is_the_api_over_tls_with_the_key_that_lets_cloudfront_in(tmp_path: Path) -> None:
    (origin,) = config(edge(tmp_path))["Origins"]
    assert origin["DomainName"] == output_of_api("ApiDomain")
    assert origin["OriginCustomHeaders"] == [
        {"HeaderName": "x-packager-origin-key", "HeaderValue": output_of_api("OriginKey")}
    ]
    assert origin["CustomOriginConfig"] == {
        "HTTPPort": 80,
        "HTTPSPort": 443,
        "OriginProtocolPolicy": "https-only",
        "OriginReadTimeout": 35,
        "OriginSSLProtocols": ["TLSv1.2"],
    }


def test_cloudfront_waits_a_little_longer_than_the_slowest_function(tmp_path: Path) -> None:
    quick = manifest_of([route("/a", "api")], functions=[function("api", max_duration=10)])
    (origin,) = config(edge(tmp_path, manifest=quick))["Origins"]
    assert origin["CustomOriginConfig"]["OriginReadTimeout"] == 15


def test_a_domain_of_the_api_is_the_origin(tmp_path: Path) -> None:
    own = ApiDomain("origin.example.com", CERTIFICATE.replace("us-east-1", "eu-west-1"))
    template = edge(tmp_path, dataclasses.replace(PROD, api_domain=own))
    assert config(template)["Origins"][0]["DomainName"] == "origin.example.com"
    assert '"origin.example.com"' in properties(template, "ViewerRequest")["FunctionCode"]


def test_edge_routes_run_before_the_origin_is_asked_with_their_body(tmp_path: Path) -> None:
    rows = behaviours(edge(tmp_path))
    for pattern in ("/api/hello", "/api/orders"):
        (association,) = rows[pattern]["LambdaFunctionAssociations"]
        assert association["EventType"] == "origin-request"
        assert association["IncludeBody"] is True
        assert association["LambdaFunctionARN"]["Ref"].startswith("EdgeVersion")


def test_routes_that_may_be_kept_have_a_cache_and_no_edge_function(tmp_path: Path) -> None:
    row = behaviours(edge(tmp_path))["/api/news"]
    assert row["CachePolicyId"] == {"Ref": "CachePolicy60"}
    assert row["CachedMethods"] == ["GET", "HEAD"]
    assert "LambdaFunctionAssociations" not in row


def test_every_behaviour_has_tls_compression_policies_and_the_viewer_request_function(tmp_path: Path) -> None:
    found = config(edge(tmp_path))
    for row in [found["DefaultCacheBehavior"], *found["CacheBehaviors"]]:
        assert row["ViewerProtocolPolicy"] == "redirect-to-https"
        assert row["Compress"] is True
        # a method that no route has is for the app to refuse, with `Allow`
        assert len(row["AllowedMethods"]) == 7
        assert row["OriginRequestPolicyId"] == {"Ref": "OriginRequestPolicy"}
        assert row["ResponseHeadersPolicyId"] == {"Ref": "ResponseHeadersPolicy"}
        (association,) = row["FunctionAssociations"]
        assert association["EventType"] == "viewer-request"
        assert association["FunctionARN"] == {"Fn::GetAtt": ["ViewerRequest", "FunctionARN"]}


def test_the_template_says_why_each_behaviour_is_there(tmp_path: Path) -> None:
    told = edge(tmp_path)["Resources"]["Distribution"]["Metadata"]["packager"]
    assert told["/api/news"] == {"paths": ["/api/news"], "reason": "answers are kept for 60 s"}


def test_new_protocols_and_addresses_are_on(tmp_path: Path) -> None:
    found = config(edge(tmp_path))
    assert (found["HttpVersion"], found["IPV6Enabled"], found["Enabled"]) == ("http2and3", True, True)


def test_errors_are_not_kept(tmp_path: Path) -> None:
    rows = config(edge(tmp_path))["CustomErrorResponses"]
    assert {row["ErrorCachingMinTTL"] for row in rows} == {0}
    assert {404, 500, 503} <= {row["ErrorCode"] for row in rows}


def test_access_is_logged_into_a_private_bucket_that_empties_itself(tmp_path: Path) -> None:
    template = edge(tmp_path, dataclasses.replace(PROD, log_days=7))
    assert config(template)["Logging"]["Bucket"] == {"Fn::GetAtt": ["AccessLogs", "DomainName"]}
    bucket = template["Resources"]["AccessLogs"]
    assert bucket["DeletionPolicy"] == "Retain"
    assert bucket["Properties"]["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 7
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = properties(template, "AccessLogsPolicy")["PolicyDocument"]["Statement"]
    assert rule["Effect"] == "Deny"
    assert rule["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_without_a_domain_cloudfronts_own_certificate_serves(tmp_path: Path) -> None:
    template = edge(tmp_path)
    assert config(template)["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    assert "Aliases" not in config(template)
    assert of_type(template, "AWS::Route53::RecordSet") == {}
    assert template["Outputs"]["Url"]["Value"]["Fn::Join"][1][0] == "https://"


def test_a_domain_has_a_certificate_modern_tls_and_two_records(tmp_path: Path) -> None:
    template = edge(tmp_path, dataclasses.replace(PROD, domain=DOMAIN))
    assert config(template)["Aliases"] == ["shop.example.com"]
    assert config(template)["ViewerCertificate"] == {
        "AcmCertificateArn": CERTIFICATE,
        "MinimumProtocolVersion": "TLSv1.2_2021",
        "SslSupportMethod": "sni-only",
    }
    records = of_type(template, "AWS::Route53::RecordSet").values()
    assert {row["Properties"]["Type"] for row in records} == {"A", "AAAA"}
    assert {row["Properties"]["AliasTarget"]["HostedZoneId"] for row in records} == {"Z2FDTNDATAQYW2"}
    assert template["Outputs"]["Url"]["Value"] == "https://shop.example.com"


def test_without_a_zone_the_record_is_made_elsewhere(tmp_path: Path) -> None:
    outside = dataclasses.replace(DOMAIN, zone_id=None)
    template = edge(tmp_path, dataclasses.replace(PROD, domain=outside))
    assert of_type(template, "AWS::Route53::RecordSet") == {}


def test_the_firewall_is_there_if_the_stage_says_so(tmp_path: Path) -> None:
    assert "WebACLId" not in config(edge(tmp_path / "without"))
    template = edge(tmp_path / "with", dataclasses.replace(PROD, waf=True, waf_rate=500))
    assert config(template)["WebACLId"] == {"Fn::GetAtt": ["Firewall", "Arn"]}
    acl = properties(template, "Firewall")
    assert acl["Scope"] == "CLOUDFRONT"
    limit, *managed = sorted(acl["Rules"], key=lambda row: row["Priority"])
    assert limit["Statement"]["RateBasedStatement"]["Limit"] == 500
    groups = [row["Statement"]["ManagedRuleGroupStatement"] for row in managed]
    assert [group["Name"] for group in groups] == [
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
    ]


def test_the_firewall_lets_bodies_above_eight_kilobytes_pass(tmp_path: Path) -> None:
    rules = properties(edge(tmp_path, dataclasses.replace(PROD, waf=True)), "Firewall")["Rules"]
    (common,) = [row for row in rules if row["Name"] == "AWSManagedRulesCommonRuleSet"]
    group = common["Statement"]["ManagedRuleGroupStatement"]
    assert group["RuleActionOverrides"] == [{"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}}]


def test_an_alarm_watches_the_share_of_server_errors(tmp_path: Path) -> None:
    alarm = properties(edge(tmp_path), "ServerErrors")
    assert (alarm["MetricName"], alarm["Threshold"]) == ("5xxErrorRate", 1)
    assert {"Name": "Region", "Value": "Global"} in alarm["Dimensions"]
    assert "AlarmActions" not in alarm


def test_the_alarm_is_mailed_if_there_is_somebody_to_read_it(tmp_path: Path) -> None:
    template = edge(tmp_path, dataclasses.replace(PROD, alarms=Alarms(email="ops@example.com")))
    assert properties(template, "ServerErrors")["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    (mail,) = of_type(template, "AWS::SNS::Subscription").values()
    assert mail["Properties"]["Endpoint"] == "ops@example.com"


def test_what_the_deployment_reads_is_put_out(tmp_path: Path) -> None:
    outputs = edge(tmp_path)["Outputs"]
    assert outputs["DistributionId"]["Value"] == {"Ref": "Distribution"}
    assert outputs["DistributionDomain"]["Value"] == {"Fn::GetAtt": ["Distribution", "DomainName"]}


def test_nothing_is_exported_and_nothing_runs_while_the_stack_is_made(tmp_path: Path) -> None:
    text = json.dumps(edge(tmp_path))
    assert "Export" not in text
    assert "Custom::" not in text


def test_another_route_changes_the_distribution_in_place(tmp_path: Path) -> None:
    before = edge(tmp_path / "before")
    renamed = [dataclasses.replace(row, path=row.path.replace("hello", "bye")) for row in ROUTES]
    after = edge(tmp_path / "after", manifest=manifest_of(renamed))
    assert set(before["Resources"]) - {key for key in before["Resources"] if "Version" in key} == {
        key for key in after["Resources"] if "Version" not in key
    }
    assert "/api/bye" in behaviours(after)


def test_equal_input_gives_equal_templates(tmp_path: Path) -> None:
    assert edge(tmp_path / "one") == edge(tmp_path / "two")


def test_the_stack_is_in_us_east_1_whatever_the_stages_region_is(tmp_path: Path) -> None:
    folder = synthesized(tmp_path, SHOP, PROD).folder
    artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"]
    assert artifacts["shop-prod-edge"]["environment"].endswith("/us-east-1")
    assert "shop-prod-api" in artifacts["shop-prod-edge"]["dependencies"]


def test_termination_protection_is_the_stages(tmp_path: Path) -> None:
    folder = synthesized(tmp_path, SHOP, dataclasses.replace(PROD, termination_protection=True)).folder
    artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"]
    assert artifacts["shop-prod-edge"]["properties"]["terminationProtection"] is True


def test_every_target_is_found_by_its_name() -> None:
    for name in ("lambda-edge", "regional", "web-function"):
        assert name == edge_targets.find(name).NAME


def test_an_unknown_target_is_named_with_those_that_there_are() -> None:
    with pytest.raises(StackError) as caught:
        edge_targets.find("abacus")
    (fault,) = caught.value.faults
    assert "'abacus'" in fault.message
    assert "lambda-edge, regional, web-function" in fault.hint
