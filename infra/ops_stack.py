"""The ops stack, in the stage's region: who is told when something goes wrong, and all functions at a glance.

Alarms of CloudFront are in the edge stack, since its metrics are in us-east-1 only.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns

from infra import names, permissions
from infra.api_stack import GROUPS, NEST_ABOVE, Api, api_functions, group_of
from infra.functions import Source, resource_id
from infra.manifest import Function
from infra.stage import EDGE_REGION

_PERIOD = 300
"""Seconds that an alarm looks at."""

_WIDTH, _HEIGHT = 12, 6
_WHOLE_WIDTH = 24
_PERCENTILES = ("p50", "p95", "p99")


def ops_stack(app: cdk.App, source: Source, api: Api, distribution: str | None) -> cdk.Stack:
    """Make the ops stack. `distribution` is the id of CloudFront's distribution as a token, if there is one."""
    manifest, stage = source.manifest, source.stage
    stack = cdk.Stack(
        app,
        names.stack_name(manifest.app.name, stage.name, "ops"),
        description=f"{manifest.app.name} {stage.name}: alarms and dashboard",
        env=cdk.Environment(region=stage.region),
        termination_protection=stage.termination_protection,
    )
    stack.add_stack_dependency(api.stack)
    topic = add_topic(stack, source)
    _api_alarm(stack, source, api, topic)
    _function_alarms(stack, source, topic)
    cloudwatch.CfnDashboard(
        stack,
        "Dashboard",
        dashboard_name=stack.stack_name,
        dashboard_body=json.dumps({"widgets": _placed(_widgets(source, api, distribution))}),
    )
    cdk.CfnOutput(stack, "AlarmTopicArn", value=topic)
    return stack


def add_topic(stack: cdk.Stack, source: Source) -> str:
    """The topic that alarms go to, encrypted with a key of its own: CloudWatch may not use AWS's key for SNS."""
    account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    alarms = {"Principal": {"Service": "cloudwatch.amazonaws.com"}, "Condition": account}
    root = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    key = kms.CfnKey(
        stack,
        "AlarmKey",
        description=f"Messages of the alarms of {source.manifest.app.name} {source.stage.name}",
        enable_key_rotation=True,
        pending_window_in_days=7,
        key_policy=permissions.document(
            [
                {**permissions.allow(["kms:*"], ["*"]), "Principal": root},
                {**permissions.allow(["kms:Decrypt", "kms:GenerateDataKey*"], ["*"]), **alarms},
            ]
        ),
    )
    key.apply_removal_policy(cdk.RemovalPolicy.DESTROY)
    topic = sns.CfnTopic(stack, "AlarmTopic", kms_master_key_id=key.ref)
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    sns.CfnTopicPolicy(
        stack,
        "AlarmTopicPolicy",
        topics=[topic.ref],
        policy_document=permissions.document(
            [
                {**permissions.allow(["sns:Publish"], [{"Ref": "AlarmTopic"}]), **alarms},
                {
                    **permissions.allow(["sns:Publish"], [{"Ref": "AlarmTopic"}]),
                    "Effect": "Deny",
                    "Principal": "*",
                    "Condition": plain,
                },
            ]
        ),
    )
    if source.stage.alarms.email:
        sns.CfnSubscription(
            stack, "AlarmMail", topic_arn=topic.ref, protocol="email", endpoint=source.stage.alarms.email
        )
    return topic.ref


def _api_alarm(stack: cdk.Stack, source: Source, api: Api, topic: str) -> None:
    """Of all answers of the API, the share that are 5xx.

    Every request counts as 0 or 1, so that the average is the share (CloudWatch User Guide, "Recommended alarms").
    """
    cloudwatch.CfnAlarm(
        stack,
        "ApiServerErrors",
        alarm_name=_alarm_name(source, "api-gateway", "5xx"),
        alarm_description="Share of the HTTP API's answers that are server errors",
        namespace="AWS/ApiGateway",
        metric_name="5xx",
        dimensions=[{"name": "ApiId", "value": api.id}, {"name": "Stage", "value": "$default"}],
        statistic="Average",
        period=_PERIOD,
        **_alarm(topic, source.stage.alarms.server_errors / 100),
    )


def _function_alarms(stack: cdk.Stack, source: Source, topic: str) -> None:
    found = api_functions(source.manifest)
    if len(found) <= NEST_ABOVE:
        _alarms(stack, source, topic, found)
        return
    for number in range(1, GROUPS + 1):
        members = [function for function in found if group_of(function.name) == number]
        if members:
            scope = cdk.NestedStack(stack, f"Alarms{number}", parameters={"Topic": topic})
            cdk.CfnParameter(scope, "Topic", type="String")
            _alarms(scope, source, cdk.Fn.ref("Topic"), members)


def _alarms(scope: cdk.Stack, source: Source, topic: str, members: Iterable[Function]) -> None:
    limit = source.stage.alarms
    for function in members:
        slow = function.max_duration * 1000 * limit.p95
        for metric, threshold, what in (
            ("Errors", limit.errors, "failed invocations"),
            ("Throttles", limit.throttles, "refused invocations"),
            ("Duration", slow, "95th percentile of the duration, in ms"),
        ):
            statistic: dict[str, Any] = (
                {"extended_statistic": "p95"} if metric == "Duration" else {"statistic": "Sum"}
            )
            cloudwatch.CfnAlarm(
                scope,
                resource_id(function.name, metric),
                alarm_name=_alarm_name(source, function.name, metric.lower()),
                alarm_description=f"{function.name}: {what}",
                namespace="AWS/Lambda",
                metric_name=metric,
                dimensions=[{"name": "FunctionName", "value": _deployed(source, function)}],
                period=_PERIOD,
                **statistic,
                **_alarm(topic, threshold),
            )


def _alarm(topic: str, threshold: float) -> dict[str, Any]:
    return {
        "alarm_actions": [topic],
        "ok_actions": [topic],
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "evaluation_periods": 1,
        "threshold": threshold,
        "treat_missing_data": "notBreaching",
    }


def _alarm_name(source: Source, subject: str, metric: str) -> str:
    return names.alarm_name(source.manifest.app.name, source.stage.name, subject, metric)


def _deployed(source: Source, function: Function) -> str:
    return names.function_name(source.manifest.app.name, source.stage.name, function.name)


def _widgets(source: Source, api: Api, distribution: str | None) -> list[dict[str, Any]]:
    """What the dashboard shows, from the outside in."""
    region = source.stage.region
    of_api = ["AWS/ApiGateway", "ApiId", api.id]
    widgets = []
    if distribution is not None:
        of_cdn = ["AWS/CloudFront", "DistributionId", distribution, "Region", "Global"]
        shares = [_line(of_cdn, name) for name in ("4xxErrorRate", "5xxErrorRate")]
        widgets += [
            _graph("CDN: requests", EDGE_REGION, [_line(of_cdn, "Requests")]),
            _graph("CDN: errors, percent", EDGE_REGION, shares, stat="Average"),
        ]
    latencies = [[*_line(of_api, "Latency"), {"stat": stat, "label": stat}] for stat in _PERCENTILES]
    widgets += [
        _graph("API: requests and errors", region, [_line(of_api, name) for name in ("Count", "4xx", "5xx")]),
        _graph("API: latency, ms", region, latencies),
    ]
    found = api_functions(source.manifest)
    for runtime in ("nodejs", "edge"):
        widgets += _runtime_widgets(source, runtime, [row for row in found if row.runtime == runtime])
    return widgets


def _runtime_widgets(source: Source, runtime: str, members: Sequence[Function]) -> list[dict[str, Any]]:
    if not members:
        return []
    region = source.stage.region

    def lines(metric: str, **more: str) -> list[Any]:
        return [
            [
                *_line(["AWS/Lambda", "FunctionName", _deployed(source, row)], metric),
                {"label": row.name, **more},
            ]
            for row in members
        ]

    slow = [lines("Duration", stat=stat) for stat in _PERCENTILES]
    return [
        _graph(f"{runtime}: requests", region, lines("Invocations")),
        _graph(f"{runtime}: errors", region, lines("Errors")),
        *(
            _graph(f"{runtime}: duration {stat}, ms", region, rows)
            for stat, rows in zip(_PERCENTILES, slow, strict=True)
        ),
        _graph(f"{runtime}: throttles", region, lines("Throttles")),
        _graph(f"{runtime}: concurrency", region, lines("ConcurrentExecutions"), stat="Maximum"),
    ]


def _line(where: Sequence[str], metric: str) -> list[Any]:
    """A metric as dashboards spell it: namespace, name, then dimensions."""
    return [where[0], metric, *where[1:]]


def _graph(title: str, region: str, metrics: list[Any], stat: str = "Sum") -> dict[str, Any]:
    properties = {"title": title, "region": region, "stat": stat, "period": _PERIOD, "metrics": metrics}
    return {"type": "metric", "properties": {**properties, "view": "timeSeries"}}


def _placed(widgets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two in a row, top to bottom."""
    return [
        {
            **widget,
            "x": index * _WIDTH % _WHOLE_WIDTH,
            "y": index * _WIDTH // _WHOLE_WIDTH * _HEIGHT,
            "width": _WIDTH,
            "height": _HEIGHT,
        }
        for index, widget in enumerate(widgets)
    ]
