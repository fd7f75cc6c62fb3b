"""Alarms, the topic that they go to, and the dashboard."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from stacks import SHOP, Template, of_type, properties, synthesized

from infra.stage import Alarms, Stage

DEV = Stage("dev", region="eu-central-1", cdn=False)


def ops(folder: Path, stage: Stage = DEV) -> Template:
    return synthesized(folder, SHOP, stage).template("shop-dev-ops")


def dashboard(template: Template) -> list[dict[str, Any]]:
    body = properties(template, "Dashboard")["DashboardBody"]
    if not isinstance(body, str):
        body = "".join(part if isinstance(part, str) else "TOKEN" for part in body["Fn::Join"][1])
    return json.loads(body)["widgets"]


def test_every_function_has_alarms_for_errors_throttles_and_slowness(tmp_path: Path) -> None:
    template = ops(tmp_path, dataclasses.replace(DEV, alarms=Alarms(errors=3, throttles=4, p95=0.5)))
    names = {"Errors", "Throttles", "Duration"}
    assert {f"{name}{kind}" for name in ("Api", "Edge", "Files") for kind in names} < set(
        of_type(template, "AWS::CloudWatch::Alarm")
    )
    assert properties(template, "ApiErrors")["Threshold"] == 3
    assert properties(template, "ApiThrottles")["Threshold"] == 4
    slow = properties(template, "ApiDuration")
    assert slow["ExtendedStatistic"] == "p95"
    assert slow["Threshold"] == 15_000
    assert slow["Dimensions"] == [{"Name": "FunctionName", "Value": "shop-dev-api"}]
    assert slow["Period"] == 300
    assert slow["TreatMissingData"] == "notBreaching"


def test_the_share_of_server_errors_is_of_all_answers_of_the_api(tmp_path: Path) -> None:
    template = ops(tmp_path, dataclasses.replace(DEV, alarms=Alarms(server_errors=2.5)))
    row = properties(template, "ApiServerErrors")
    assert row["Threshold"] == 0.025
    assert (row["MetricName"], row["Statistic"]) == ("5xx", "Average")
    assert {"Name": "Stage", "Value": "$default"} in row["Dimensions"]


def test_the_api_is_known_by_a_weak_reference(tmp_path: Path) -> None:
    text = json.dumps(ops(tmp_path))
    reference = {"StackName": "shop-dev-api", "Region": "eu-central-1", "OutputName": "ApiId"}
    assert json.dumps({"Fn::GetStackOutput": reference}) in text
    assert "Fn::ImportValue" not in text
    assert "Custom::" not in text


def test_every_alarm_is_told_when_it_goes_off_and_when_it_ends(tmp_path: Path) -> None:
    for row in of_type(ops(tmp_path), "AWS::CloudWatch::Alarm").values():
        assert row["Properties"]["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        assert row["Properties"]["OKActions"] == [{"Ref": "AlarmTopic"}]


def test_the_topic_is_encrypted_with_a_key_that_cloudwatch_may_use(tmp_path: Path) -> None:
    template = ops(tmp_path)
    assert properties(template, "AlarmTopic")["KmsMasterKeyId"] == {"Ref": "AlarmKey"}
    key = properties(template, "AlarmKey")
    assert key["EnableKeyRotation"] is True
    (_, alarms) = key["KeyPolicy"]["Statement"]
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    statements = properties(template, "AlarmTopicPolicy")["PolicyDocument"]["Statement"]
    assert [row["Effect"] for row in statements] == ["Allow", "Deny"]


def test_mail_is_sent_if_the_stage_has_an_address(tmp_path: Path) -> None:
    assert not of_type(ops(tmp_path / "1"), "AWS::SNS::Subscription")
    template = ops(tmp_path / "2", dataclasses.replace(DEV, alarms=Alarms(email="ops@example.com")))
    assert properties(template, "AlarmMail")["Endpoint"] == "ops@example.com"


def test_the_dashboard_shows_the_api_and_both_runtimes(tmp_path: Path) -> None:
    widgets = dashboard(ops(tmp_path))
    titles = [row["properties"]["title"] for row in widgets]
    assert "API: requests and errors" in titles
    for runtime in ("nodejs", "edge"):
        for what in (
            "requests",
            "errors",
            "duration p50, ms",
            "duration p95, ms",
            "throttles",
            "concurrency",
        ):
            assert f"{runtime}: {what}" in titles
    assert {row["properties"]["region"] for row in widgets} == {"eu-central-1"}
    places = {(row["x"], row["y"]) for row in widgets}
    assert len(places) == len(widgets)
    assert {x for x, _ in places} == {0, 12}


def test_behind_the_cdn_the_dashboard_shows_it_too(tmp_path: Path) -> None:
    (requests, errors, *_) = dashboard(ops(tmp_path, dataclasses.replace(DEV, cdn=True)))
    assert requests["properties"]["title"] == "CDN: requests"
    assert errors["properties"]["region"] == "us-east-1"
