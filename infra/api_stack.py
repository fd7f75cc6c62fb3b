"""The API stack, in the stage's region: the HTTP API and the functions behind it.

Many functions go into nested stacks, since CloudFormation allows 500 resources in one. Which one a function is in
follows from its name alone: a function that comes or goes moves no other, whose name would be taken while it moves.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53

from infra import canary, functions, names
from infra.functions import Source, resource_id
from infra.manifest import Function, Manifest
from infra.routes import ApiRoute, api_routes, on_api
from infra.stage import ApiDomain, Stage

API_URL = "ApiUrl"
API_ID = "ApiId"
API_DOMAIN = "ApiDomain"
ORIGIN_KEY = "OriginKey"

NEST_ABOVE = 60
"""Functions that one stack holds."""
NEST_RESOURCES = 450
"""Planned resources that one stack holds; CloudFormation's limit is 500, and domain, stage and logs come on top."""
GROUPS = 16
"""Nested stacks. Of 300 functions, which is as many as an HTTP API has integrations for, none gets 40."""

_INTEGRATION_TIMEOUT = 30_000
_ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "route": "$context.routeKey",
    "protocol": "$context.protocol",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "integrationStatus": "$context.integrationStatus",
    "integrationError": "$context.integrationErrorMessage",
}


@dataclass(frozen=True, slots=True)
class Api:
    """What the other stacks know of the API. The strings hold tokens, for use outside of the API stack only.

    `host` is the name that answers: the execute-api endpoint's or the stage's own `api_domain`. `origin_key` is what
    CloudFront sends along to be let in; None without CDN.
    """

    stack: cdk.Stack
    id: str
    host: str
    origin_key: str | None


@dataclass(frozen=True, slots=True)
class _Home:
    """Where functions go, and what they need there: tokens, made once since each costs a call of CDK.

    `api` is the API's id, `callers` the ARN of whoever calls functions for it.
    """

    scope: cdk.Stack
    api: str
    callers: str
    origin_key: str | None


def api_functions(manifest: Manifest) -> tuple[Function, ...]:
    """The functions behind the HTTP API."""
    behind = on_api(manifest)
    return tuple(row for row in manifest.functions if row.name in behind)


def group_of(function: str) -> int:
    """The nested stack of a function, from 1."""
    return hashlib.sha256(function.encode()).digest()[0] % GROUPS + 1


def nests(manifest: Manifest, stage: Stage) -> bool:
    """Whether the functions go into nested stacks."""
    count = len(api_functions(manifest))
    # Role, log group, function, version, alias, permission, integration; a canary's group and its two alarms.
    planned = count * (7 if stage.canary is None else 10) + len(api_routes(manifest))
    return count > NEST_ABOVE or planned > NEST_RESOURCES


def api_stack(app: cdk.App, source: Source) -> Api:
    """Make the API stack."""
    manifest, stage = source.manifest, source.stage
    stack = cdk.Stack(
        app,
        names.stack_name(manifest.app.name, stage.name, "api"),
        description=f"{manifest.app.name} {stage.name}: HTTP API and functions",
        env=cdk.Environment(region=stage.region),
        termination_protection=stage.termination_protection,
    )
    api = apigateway.CfnApi(
        stack,
        "Api",
        name=stack.stack_name,
        description=f"{manifest.app.name} {stage.name}",
        protocol_type="HTTP",
        disable_execute_api_endpoint=stage.api_domain is not None,
    )
    live = _stage(stack, source, api)
    origin_key = _origin_key(stack) if stage.cdn else None
    host = f"{api.ref}.execute-api.{stage.region}.{cdk.Aws.URL_SUFFIX}"
    if stage.api_domain:
        _domain(stack, stage.api_domain, api, live)
        host = stage.api_domain.name
    _functions(_home(stack, "Api", origin_key), source)
    outputs = {API_URL: f"https://{host}", API_ID: api.ref, API_DOMAIN: host}
    if origin_key is not None:
        outputs[ORIGIN_KEY] = origin_key
    for name, value in outputs.items():
        # The parameter has the construct's name already; in templates the two may be called alike.
        cdk.CfnOutput(stack, f"{name}Output", value=value).override_logical_id(name)
    return _seen_from_outside(stack, stage)


def _seen_from_outside(stack: cdk.Stack, stage: Stage) -> Api:
    def output(name: str) -> str:
        return cdk.Fn.get_stack_output(stack.stack_name, name, stage.region)

    host = stage.api_domain.name if stage.api_domain else output(API_DOMAIN)
    return Api(stack, output(API_ID), host, output(ORIGIN_KEY) if stage.cdn else None)


def _stage(stack: cdk.Stack, source: Source, api: apigateway.CfnApi) -> apigateway.CfnStage:
    stage = source.stage
    access = logs.CfnLogGroup(
        stack,
        "AccessLogs",
        # Under this prefix API Gateway's right to write needs no line of its own in the account's log policy,
        # which is full after some twenty groups.
        log_group_name=f"/aws/vendedlogs/{stack.stack_name}",
        retention_in_days=stage.log_days,
    )
    access.apply_removal_policy(cdk.RemovalPolicy.RETAIN if stage.retain else cdk.RemovalPolicy.DESTROY)
    return apigateway.CfnStage(
        stack,
        "Stage",
        api_id=api.ref,
        stage_name="$default",
        auto_deploy=True,
        access_log_settings={
            "destinationArn": access.attr_arn,
            "format": json.dumps(_ACCESS_LOG, separators=(",", ":")),
        },
        default_route_settings={
            "detailedMetricsEnabled": True,
            "throttlingBurstLimit": stage.throttle.burst,
            "throttlingRateLimit": stage.throttle.rate,
        },
    )


def _origin_key(stack: cdk.Stack) -> str:
    """What only the CDN knows. Without a given one it is the stack's own id, so that no template holds a secret."""
    given = cdk.CfnParameter(
        stack,
        "OriginKey",
        type="String",
        default="",
        no_echo=True,
        description="What CloudFront sends to the API to be let in; keep it from one deployment to the next",
    )
    condition = cdk.CfnCondition(
        stack,
        "OriginKeyGiven",
        expression=cdk.Fn.condition_not(cdk.Fn.condition_equals(given.value_as_string, "")),
    )
    fallback = cdk.Fn.select(2, cdk.Fn.split("/", cdk.Aws.STACK_ID))
    return cdk.Token.as_string(cdk.Fn.condition_if(condition.logical_id, given.value_as_string, fallback))


def _domain(stack: cdk.Stack, domain: ApiDomain, api: apigateway.CfnApi, live: apigateway.CfnStage) -> None:
    made = apigateway.CfnDomainName(
        stack,
        "Domain",
        domain_name=domain.name,
        domain_name_configurations=[
            {
                "certificateArn": domain.certificate,
                "endpointType": "REGIONAL",
                "securityPolicy": "TLS_1_2",
            }
        ],
    )
    apigateway.CfnApiMapping(stack, "DomainMapping", api_id=api.ref, domain_name=made.ref, stage=live.ref)
    if domain.zone_id:
        route53.CfnRecordSet(
            stack,
            "DomainRecord",
            name=domain.name,
            type="A",
            hosted_zone_id=domain.zone_id,
            alias_target={
                "dnsName": made.attr_regional_domain_name,
                "hostedZoneId": made.attr_regional_hosted_zone_id,
            },
        )


def _functions(home: _Home, source: Source) -> None:
    found = api_functions(source.manifest)
    routes = api_routes(source.manifest)
    if not nests(source.manifest, source.stage):
        _group(home, source, found, routes)
        return
    for number in range(1, GROUPS + 1):
        members = [function for function in found if group_of(function.name) == number]
        if members:
            _group(_nested(home, number), source, members, routes)


def _home(scope: cdk.Stack, api: str, origin_key: str | None) -> _Home:
    """`api` is the logical id, in this stack, of the API or of the parameter with its id."""
    callers = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${" + api + "}/*/*"
    return _Home(scope, cdk.Fn.ref(api), cdk.Fn.sub(callers), origin_key)


def _nested(home: _Home, number: int) -> _Home:
    given = {"ApiId": home.api}
    if home.origin_key is not None:
        given["OriginKey"] = home.origin_key
    scope = cdk.NestedStack(home.scope, f"Functions{number}", parameters=given)
    for name in given:
        cdk.CfnParameter(scope, name, type="String", no_echo=name == "OriginKey")
    return _home(scope, "ApiId", None if home.origin_key is None else cdk.Fn.ref("OriginKey"))


def _group(home: _Home, source: Source, members: Sequence[Function], routes: Sequence[ApiRoute]) -> None:
    rollout = canary.add_rollout(home.scope, source.stage) if source.stage.canary else None
    for function in members:
        alias = functions.add_function(home.scope, source, function, origin_key=home.origin_key)
        if rollout:
            canary.add_deployment_group(home.scope, rollout, source, function, alias)
        keys = [route.key for route in routes if route.function == function.name]
        _attach(home, function, alias.ref, keys)


def _attach(home: _Home, function: Function, alias: str, keys: Sequence[str]) -> None:
    """Let the API call the function, and send it what its route keys match."""
    if not keys:
        return
    lambda_.CfnPermission(
        home.scope,
        resource_id(function.name, "Permission"),
        action="lambda:InvokeFunction",
        function_name=alias,
        principal="apigateway.amazonaws.com",
        source_arn=home.callers,
    )
    integration = apigateway.CfnIntegration(
        home.scope,
        resource_id(function.name, "Integration"),
        api_id=home.api,
        integration_type="AWS_PROXY",
        integration_uri=alias,
        payload_format_version="2.0",
        timeout_in_millis=_INTEGRATION_TIMEOUT,
    )
    target = f"integrations/{integration.ref}"
    for key in keys:
        apigateway.CfnRoute(
            home.scope,
            resource_id(key.removeprefix("ANY "), "Route"),
            api_id=home.api,
            route_key=key,
            authorization_type="NONE",
            target=target,
        )
