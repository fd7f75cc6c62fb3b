"""The edge stack, in us-east-1: the CloudFront distribution before the API, and the edge functions.

Every request goes through one CloudFront Function, which tells the origin what the viewer asked for and drops what
only CloudFront may say. Logical ids do not depend on routes, so that a change of the tree changes the distribution
in place.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_s3 as s3

from infra import edge_targets, names, policies
from infra.api_stack import Api
from infra.behaviours import Behaviour, behaviours
from infra.edge_targets import Reached, Setting
from infra.firewall import firewall
from infra.functions import Source, resource_id
from infra.manifest import Function
from infra.ops_stack import add_topic
from infra.stage import EDGE_REGION, Domain, Stage

ORIGIN_KEY_HEADER = "x-packager-origin-key"
"""The request header with what CloudFront is let in for."""

VIEWER_REQUEST = "viewer_request.js"
MAX_VIEWER_REQUEST = 10 * 1024
"""Bytes of a CloudFront Function (CloudFront quotas)."""

DISTRIBUTION_ID = "DistributionId"
DISTRIBUTION_DOMAIN = "DistributionDomain"
URL = "Url"

_METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
_ERRORS = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)
"""All statuses of errors that CloudFront keeps unless it is told not to (DistributionConfig, CustomErrorResponses)."""
_MAX_READ_SECONDS = 120
"""CloudFront quotas, "Response timeout per origin"."""
_GATEWAY_SECONDS = 30
_GRACE_SECONDS = 5
"""So that a function's own end is what the viewer is told, and not CloudFront's 504."""
_ALARM_SECONDS = 300
_ZONE_OF_CLOUDFRONT = "Z2FDTNDATAQYW2"
"""The hosted zone of every distribution (Route 53, AliasTarget)."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all behaviours have in common: ids of policies, and of the viewer-request function for each origin."""

    cache: Mapping[policies.CacheKey | None, str]
    origin_request: str
    response_headers: str
    viewer_request: Mapping[str | None, str]


def edge_stack(app: cdk.App, source: Source, api: Api) -> str:
    """Make the edge stack; gives the distribution's id as a token that other stacks may use.

    Raises `StackError` if an edge function cannot be made or reached.
    """
    manifest, stage = source.manifest, source.stage
    planned = behaviours(manifest)
    stack = cdk.Stack(
        app,
        names.stack_name(manifest.app.name, stage.name, "edge"),
        description=f"{manifest.app.name} {stage.name}: CloudFront and edge functions",
        env=cdk.Environment(region=EDGE_REGION),
        synthesizer=_synthesizer(source),
        termination_protection=stage.termination_protection,
    )
    stack.add_stack_dependency(api.stack)
    setting = Setting(stack, source, api)
    found = {row.name: _reach(setting, row) for row in manifest.functions if row.runtime == "edge"}
    # By the function that is at the host; None: the API.
    hosts: dict[str | None, str] = {None: api.host}
    hosts |= {name: row.host for name, row in found.items() if row.host}
    shared = _Shared(
        policies.cache_policies(stack, planned),
        policies.origin_request_policy(stack),
        policies.response_headers_policy(stack),
        {name: _viewer_request(setting, name, host) for name, host in hosts.items()},
    )
    made = cloudfront.CfnDistribution(
        stack,
        "Distribution",
        distribution_config={
            "enabled": True,
            "comment": f"{manifest.app.name} {stage.name}"[:128],
            "httpVersion": "http2and3",
            "ipv6Enabled": True,
            "priceClass": "PriceClass_All",
            "origins": [_origin(setting, name, host) for name, host in hosts.items()],
            "defaultCacheBehavior": _behaviour(shared, None, None, None),
            "cacheBehaviors": [_planned(shared, found, row) for row in planned],
            "customErrorResponses": [{"errorCode": code, "errorCachingMinTtl": 0} for code in _ERRORS],
            "logging": {"bucket": _log_bucket(stack, stage), "includeCookies": False},
            **_names(stage.domain),
            **({"webAclId": firewall(stack, stage.waf_rate)} if stage.waf else {}),
        },
    )
    made.add_metadata("packager", _metadata(planned))
    if stage.domain and stage.domain.zone_id:
        _records(stack, stage.domain, stage.domain.zone_id, made)
    _alarm(stack, source, made)
    url = f"https://{stage.domain.name if stage.domain else made.attr_domain_name}"
    outputs = {DISTRIBUTION_ID: made.ref, DISTRIBUTION_DOMAIN: made.attr_domain_name, URL: url}
    for name, value in outputs.items():
        cdk.CfnOutput(stack, name, value=value)
    return made.ref


def viewer_request_code(host: str) -> str:
    """The code of the viewer-request function for the origin at `host`, which may be a token."""
    code = files("infra").joinpath(VIEWER_REQUEST).read_text(encoding="utf-8")
    return code.replace("{{ORIGIN_HOST}}", host)


def _synthesizer(source: Source) -> cdk.IStackSynthesizer | None:
    """What uploads into the stage's own bucket, if the edge target reads its code from there."""
    edge = [row for row in source.manifest.functions if row.runtime == "edge"]
    if not any(edge_targets.find(row.target).OWN_BUCKET for row in edge):
        return None
    return cdk.DefaultStackSynthesizer(file_assets_bucket_name=source.stage.code_bucket)


def _reach(setting: Setting, function: Function) -> Reached:
    return edge_targets.find(function.target).reach(setting, function)


def _origin_id(function: str | None) -> str:
    return "api" if function is None else f"web-{function}"


def _viewer_request(setting: Setting, function: str | None, host: str) -> str:
    """One function for each origin, since it has to know the host; gives its ARN."""
    source = setting.source
    kind = "viewer-request" if function is None else f"viewer-request-{function}"
    made = cloudfront.CfnFunction(
        setting.stack,
        "ViewerRequest" if function is None else resource_id(function, "ViewerRequest"),
        name=names.function_name(source.manifest.app.name, source.stage.name, kind),
        auto_publish=True,
        function_code=viewer_request_code(host),
        function_config={
            "comment": f"Host, path and viewer, for {_origin_id(function)}",
            "runtime": "cloudfront-js-2.0",
        },
    )
    return made.attr_function_arn


def _origin(setting: Setting, function: str | None, host: str) -> dict[str, Any]:
    key = setting.api.origin_key
    return {
        "id": _origin_id(function),
        "domainName": host,
        "customOriginConfig": {
            # the defaults, spelled out: a change of the distribution by its API has to name them
            "httpPort": 80,
            "httpsPort": 443,
            "originProtocolPolicy": "https-only",
            "originSslProtocols": ["TLSv1.2"],
            "originReadTimeout": _read_seconds(setting.source.manifest.functions, function),
        },
        "originCustomHeaders": [{"headerName": ORIGIN_KEY_HEADER, "headerValue": key}] if key else None,
    }


def _read_seconds(functions: Iterable[Function], function: str | None) -> int:
    """How long CloudFront waits for an answer: a little longer than the slowest function that is behind the origin."""
    if function is None:
        slowest = max((row.max_duration for row in functions), default=_GATEWAY_SECONDS)
        return min(slowest, _GATEWAY_SECONDS) + _GRACE_SECONDS
    slowest = max(row.max_duration for row in functions if row.name == function)
    return min(slowest + _GRACE_SECONDS, _MAX_READ_SECONDS)


def _planned(shared: _Shared, found: Mapping[str, Reached], row: Behaviour) -> dict[str, Any]:
    reached = found[row.function] if row.function else Reached()
    at_host = row.function if reached.host else None
    return {
        "pathPattern": row.pattern,
        **_behaviour(shared, at_host, policies.cache_key(row), reached.version),
    }


def _behaviour(
    shared: _Shared,
    function: str | None,
    key: policies.CacheKey | None,
    version: str | None,
) -> dict[str, Any]:
    behaviour: dict[str, Any] = {
        "targetOriginId": _origin_id(function),
        "viewerProtocolPolicy": "redirect-to-https",
        "allowedMethods": _METHODS,
        "cachedMethods": ["GET", "HEAD"],
        "compress": True,
        "cachePolicyId": shared.cache[key],
        "originRequestPolicyId": shared.origin_request,
        "responseHeadersPolicyId": shared.response_headers,
        "functionAssociations": [
            {"eventType": "viewer-request", "functionArn": shared.viewer_request[function]}
        ],
    }
    if version:
        behaviour["lambdaFunctionAssociations"] = [
            {"eventType": "origin-request", "includeBody": True, "lambdaFunctionArn": version}
        ]
    return behaviour


def _names(domain: Domain | None) -> dict[str, Any]:
    """Under CloudFront's own name its own certificate is all there is, with TLS versions that it chooses."""
    if domain is None:
        return {"viewerCertificate": {"cloudFrontDefaultCertificate": True}}
    certificate = {
        "acmCertificateArn": domain.certificate,
        "minimumProtocolVersion": "TLSv1.2_2021",
        "sslSupportMethod": "sni-only",
    }
    return {"aliases": [domain.name], "viewerCertificate": certificate}


def _log_bucket(stack: cdk.Stack, stage: Stage) -> str:
    """A bucket for access logs; gives its domain name.

    It outlives the stack, because a bucket with logs in it cannot be deleted, and empties itself.
    """
    bucket = s3.CfnBucket(
        stack,
        "AccessLogs",
        bucket_encryption={
            "serverSideEncryptionConfiguration": [
                {"serverSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
            ]
        },
        lifecycle_configuration={
            "rules": [
                {
                    "id": "expire",
                    "status": "Enabled",
                    "expirationInDays": stage.log_days,
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 1},
                }
            ]
        },
        # CloudFront writes its standard logs by a grant in the bucket's ACL.
        ownership_controls={"rules": [{"objectOwnership": "BucketOwnerPreferred"}]},
        public_access_block_configuration={
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
    )
    bucket.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
    policy = s3.CfnBucketPolicy(
        stack,
        "AccessLogsPolicy",
        bucket=bucket.ref,
        policy_document={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "EncryptedTransportOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [bucket.attr_arn, cdk.Fn.sub("${AccessLogs.Arn}/*")],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        },
    )
    policy.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
    return bucket.attr_domain_name


def _records(stack: cdk.Stack, domain: Domain, zone: str, made: cloudfront.CfnDistribution) -> None:
    for type_ in ("A", "AAAA"):
        route53.CfnRecordSet(
            stack,
            f"Record{type_}",
            name=domain.name,
            type=type_,
            hosted_zone_id=zone,
            alias_target={"dnsName": made.attr_domain_name, "hostedZoneId": _ZONE_OF_CLOUDFRONT},
        )


def _alarm(stack: cdk.Stack, source: Source, made: cloudfront.CfnDistribution) -> None:
    """An alarm on the share of 5xx answers, whose metrics are in us-east-1 alone; it is told if there is a mail."""
    alarms = source.stage.alarms
    actions = [add_topic(stack, source)] if alarms.email else None
    cloudwatch.CfnAlarm(
        stack,
        "ServerErrors",
        alarm_name=names.alarm_name(source.manifest.app.name, source.stage.name, "cloudfront", "5xx"),
        alarm_description="Share of CloudFront's answers that are server errors, in percent",
        namespace="AWS/CloudFront",
        metric_name="5xxErrorRate",
        dimensions=[{"name": "DistributionId", "value": made.ref}, {"name": "Region", "value": "Global"}],
        statistic="Average",
        period=_ALARM_SECONDS,
        evaluation_periods=1,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=alarms.server_errors,
        treat_missing_data="notBreaching",
        alarm_actions=actions,
        ok_actions=actions,
    )


def _metadata(planned: Sequence[Behaviour]) -> dict[str, Any]:
    """For who reads the template: why each behaviour is there."""
    return {row.pattern: {"paths": list(row.paths), "reason": row.reason} for row in planned}
