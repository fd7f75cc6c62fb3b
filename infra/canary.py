"""Gradual roll-out by CodeDeploy: some of the requests go to a new version first, and back if an alarm goes off.

The alarms live beside the functions, since a deployment waits for them; those that tell people are in the ops stack.
"""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from infra import names, permissions
from infra.functions import ALIAS, Source, resource_id
from infra.manifest import Function
from infra.stage import Canary, Stage

_PREDEFINED_PERCENT = 10
_PREDEFINED_MINUTES = (5, 10, 15, 30)
_ROLE_POLICY = "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited"


@dataclass(frozen=True, slots=True)
class Rollout:
    """What the deployment groups of one stack share; tokens. `settings` names the deployment configuration."""

    application: str
    role: str
    settings: str


def add_rollout(scope: cdk.Stack, stage: Stage) -> Rollout:
    """Add the application, the role and, where AWS has none with these numbers, the deployment configuration."""
    application = codedeploy.CfnApplication(scope, "Rollout", compute_platform="Lambda")
    role = iam.CfnRole(
        scope,
        "RolloutRole",
        assume_role_policy_document=permissions.trust("codedeploy.amazonaws.com"),
        managed_policy_arns=[cdk.Fn.sub(_ROLE_POLICY)],
        permissions_boundary=stage.permissions_boundary,
    )
    return Rollout(application.ref, role.attr_arn, _settings(scope, stage.canary or Canary()))


def add_deployment_group(
    scope: cdk.Stack, rollout: Rollout, source: Source, function: Function, alias: lambda_.CfnAlias
) -> None:
    """Let CodeDeploy move the alias of a function to its new versions."""
    name = names.function_name(source.manifest.app.name, source.stage.name, function.name)
    alarms = [
        _alarm(scope, function, name, "Errors", source.stage.alarms.errors),
        _alarm(scope, function, name, "Duration", function.max_duration * 1000 * source.stage.alarms.p95),
    ]
    group = codedeploy.CfnDeploymentGroup(
        scope,
        resource_id(function.name, "DeploymentGroup"),
        application_name=rollout.application,
        service_role_arn=rollout.role,
        deployment_config_name=rollout.settings,
        deployment_style={"deploymentOption": "WITH_TRAFFIC_CONTROL", "deploymentType": "BLUE_GREEN"},
        alarm_configuration={"enabled": True, "alarms": [{"name": alarm.ref} for alarm in alarms]},
        auto_rollback_configuration={
            "enabled": True,
            "events": [
                "DEPLOYMENT_FAILURE",
                "DEPLOYMENT_STOP_ON_ALARM",
                "DEPLOYMENT_STOP_ON_REQUEST",
            ],
        },
    )
    alias.cfn_options.update_policy = cdk.CfnUpdatePolicy(
        code_deploy_lambda_alias_update=cdk.CfnCodeDeployLambdaAliasUpdate(
            application_name=rollout.application, deployment_group_name=group.ref
        )
    )


def _settings(scope: cdk.Stack, canary: Canary) -> str:
    if canary.percent == _PREDEFINED_PERCENT and canary.minutes in _PREDEFINED_MINUTES:
        return f"CodeDeployDefault.LambdaCanary{canary.percent}Percent{canary.minutes}Minutes"
    made = codedeploy.CfnDeploymentConfig(
        scope,
        "RolloutSettings",
        compute_platform="Lambda",
        traffic_routing_config={
            "type": "TimeBasedCanary",
            "timeBasedCanary": {
                "canaryInterval": canary.minutes,
                "canaryPercentage": canary.percent,
            },
        },
    )
    return made.ref


def _alarm(
    scope: cdk.Stack, function: Function, name: str, metric: str, threshold: float
) -> cloudwatch.CfnAlarm:
    percentile = metric == "Duration"
    return cloudwatch.CfnAlarm(
        scope,
        resource_id(function.name, f"Rollback{metric}"),
        alarm_description=f"{function.name}: {metric.lower()} while a new version is rolled out",
        namespace="AWS/Lambda",
        metric_name=metric,
        dimensions=[
            {"name": "FunctionName", "value": name},
            {"name": "Resource", "value": f"{name}:{ALIAS}"},
        ],
        statistic=None if percentile else "Sum",
        extended_statistic="p95" if percentile else None,
        period=60,
        evaluation_periods=1,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=threshold,
        treat_missing_data="notBreaching",
    )
