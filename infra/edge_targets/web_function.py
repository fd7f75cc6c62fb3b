"""`web-function`: an HTTP server on Lambda, in several regions under one name that leads to the nearest.

Its host is an origin of the distribution. The library has L1 constructs only, and CDK's own validation does not know
the types. Sources: AWS Lambda Developer Guide, "Lambda Web Functions": "Deploying Web Function code from Amazon S3",
"Lambda Web Function endpoints", "Multi-Region deployment", "Web Function logs in Amazon CloudWatch Logs".
"""

import hashlib
import json

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as assets

from infra import environment, names, permissions
from infra.edge_targets import Reached, Setting
from infra.errors import Fault, StackError
from infra.functions import NODE, log_group, resource_id, role
from infra.manifest import Function
from infra.stage import EDGE_REGION, Stage

NAME = "web-function"
OWN_BUCKET = True


def reach(setting: Setting, function: Function) -> Reached:
    """Add web function, revision, endpoint, role and log group; the endpoint is the host.

    Raises `StackError` if the stage has no bucket for the code.
    """
    source, stack, stage = setting.source, setting.stack, setting.source.stage
    if stage.code_bucket is None:
        raise StackError([_no_bucket(function)])
    name = names.function_name(source.manifest.app.name, stage.name, function.name)
    in_logs = f"web/{name}"
    rights = permissions.logs_anywhere(names.log_group(in_logs))
    made = lambda_.CfnWebFunction(stack, resource_id(function.name, "WebFunction"), function_name=name)
    variables = environment.variables(function, source.manifest, stage)
    published = hashlib.sha256(json.dumps([function.sha256, variables, function.max_duration, NODE]).encode())
    code = assets.Asset(stack, resource_id(function.name, "Code"), path=str(source.build / function.artifact))
    revision = lambda_.CfnWebFunctionRevision(
        stack,
        resource_id(function.name, f"Revision{published.hexdigest()[:10]}"),
        function_name=name,
        build_config={
            "codeConfig": {"s3Object": {"bucket": code.s3_bucket_name, "key": code.s3_object_key}},
            "runtimeConfig": {"runtime": NODE},
        },
        service_config={
            # it writes its logs in every region that it runs in; Lambda brings them together
            "executionRoleArn": role(stack, source, function, ["lambda.amazonaws.com"], rights),
            "environmentVariables": {**variables, **_origin_key(setting)},
            "timeoutSeconds": function.max_duration,
            "telemetryConfig": {
                "loggingConfig": {"logGroup": log_group(stack, source, function, in_logs).ref}
            },
        },
    )
    revision.add_resource_dependency(made)
    return Reached(host=_endpoint(setting, function, name, revision).attr_domain_name)


def regions(stage: Stage) -> list[str]:
    """Where the function runs besides us-east-1, sorted."""
    return sorted({*(stage.edge_regions or (stage.region,))} - {EDGE_REGION})


def _endpoint(
    setting: Setting, function: Function, name: str, revision: lambda_.CfnWebFunctionRevision
) -> lambda_.CfnWebFunctionEndpoint:
    others = regions(setting.source.stage)
    # Type and regions of an endpoint cannot be changed: other regions are another endpoint, with another name.
    mark = hashlib.sha256(" ".join(others).encode()).hexdigest()[:6]
    return lambda_.CfnWebFunctionEndpoint(
        setting.stack,
        resource_id(function.name, f"Endpoint{mark}"),
        endpoint_name=f"live-{mark}",
        endpoint_type="MultiRegion" if others else "HomeRegion",
        # Requests without CloudFront's key are refused by the function itself.
        auth_type="ApplicationManaged",
        function_name=name,
        regions=others or None,
        revision_weights=[{"revisionId": revision.attr_revision_id, "weight": 100}],
    )


def _origin_key(setting: Setting) -> dict[str, str]:
    key = setting.api.origin_key
    return {} if key is None else {"PACKAGER_ORIGIN_KEY": key}


def _no_bucket(function: Function) -> Fault:
    return Fault(
        f"the code of the edge function {function.name} has no bucket that the target {NAME} can read",
        hint="Set code_bucket for the stage: a bucket of us-east-1 with versioning, whose policy lets "
        "lambda.amazonaws.com use s3:GetObject and s3:GetObjectVersion, and encrypted without the key aws/s3.",
        place="tool.packager.stages",
    )
