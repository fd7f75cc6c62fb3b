"""One function of the manifest on Lambda, with all that belongs to it.

Role, log group, function, version and the alias `live` that everything calls. What is particular to the runtimes, to
HTTP API and to CloudFront is in the stacks that use it.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from infra import environment, names, permissions
from infra.manifest import Function, Manifest
from infra.stage import Stage

ALIAS = "live"
NODE = "nodejs24.x"

_PLAIN = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
_EPHEMERAL_STORAGE = 512


@dataclass(frozen=True, slots=True)
class Source:
    """What functions are made of: the build in `build`, the manifest and stage, and `out`, the assembly's folder."""

    manifest: Manifest
    stage: Stage
    build: Path
    out: Path


def resource_id(name: str, kind: str = "") -> str:
    """The logical id of a resource that belongs to something with a name: `api-users` gives `ApiUsers`.

    Different names give different ids; a name that would lose something gets a tail of its hash.
    """
    words = re.findall(r"[A-Za-z0-9]+", name)
    tail = "" if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()[:8]
    return "".join(word[0].upper() + word[1:] for word in words) + tail + kind


def zip_asset(stack: cdk.Stack, out: Path, file: Path, sha256: str) -> cdk.FileAssetLocation:
    """Where a zip lies once it is uploaded. It becomes part of the assembly in `out`, which can then be moved.

    `sha256` is the file's own hash, in hexadecimal digits.
    """
    name = f"asset.{sha256}.zip"
    if not (out / name).exists():
        try:
            os.link(file, out / name)
        except OSError:  # another file system, or one without links
            shutil.copyfile(file, out / name)
    return stack.synthesizer.add_file_asset(
        source_hash=sha256, file_name=name, packaging=cdk.FileAssetPackaging.FILE
    )


def add_function(
    scope: cdk.Stack, source: Source, function: Function, *, origin_key: str | None = None
) -> lambda_.CfnAlias:
    """Add a function and what belongs to it; gives the alias `live`.

    `origin_key` is what requests have to carry, a token. A published version stays when a newer one comes, since a
    rollback has to go back to something.
    """
    stage = source.stage
    name = names.function_name(source.manifest.app.name, stage.name, function.name)
    group = log_group(scope, source, function, name)
    rights = [permissions.logs(resource_id(function.name, "Logs")), *_tracing(stage)]
    settings = _settings(source, function)
    variables = environment.variables(function, source.manifest, stage)
    published = _digest(function.sha256, settings, variables)
    code = zip_asset(scope, source.out, source.build / function.artifact, function.sha256)
    made = lambda_.CfnFunction(
        scope,
        resource_id(function.name, "Function"),
        function_name=name,
        description=f"{source.manifest.app.name}: {function.runtime} routes",
        code={"s3Bucket": code.bucket_name, "s3Key": code.object_key},
        role=role(scope, source, function, ["lambda.amazonaws.com"], rights),
        environment={
            "variables": variables if origin_key is None else {**variables, "PACKAGER_ORIGIN_KEY": origin_key}
        },
        logging_config={"logFormat": "JSON", "logGroup": group.ref},
        **settings,
    )
    made.add_metadata("packager", metadata(source.manifest, function))
    version = lambda_.CfnVersion(
        scope, resource_id(function.name, f"Version{published}"), function_name=made.ref
    )
    version.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
    return lambda_.CfnAlias(
        scope,
        resource_id(function.name, "Alias"),
        name=ALIAS,
        function_name=made.ref,
        function_version=version.attr_version,
    )


def _settings(source: Source, function: Function) -> dict[str, Any]:
    """What the function is configured with, without tokens, so that it can be compared and hashed."""
    stage = source.stage
    python = function.runtime == "nodejs"
    settings: dict[str, Any] = {
        "architectures": [function.architecture or "arm64"],
        "ephemeral_storage": {"size": _EPHEMERAL_STORAGE},
        "handler": function.handler,
        "memory_size": function.memory,
        "runtime": f"python{function.python}" if python else NODE,
        "timeout": function.max_duration,
        "tracing_config": {"mode": "Active" if stage.tracing else "PassThrough"},
    }
    if function.snap_start:
        settings["snap_start"] = {"applyOn": "PublishedVersions"}
    if stage.concurrency is not None:
        settings["reserved_concurrent_executions"] = stage.concurrency
    return settings


def _digest(*parts: Any) -> str:
    """Of code and configuration: a version is published exactly when it changes."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:10]


def role(
    scope: cdk.Stack,
    source: Source,
    function: Function,
    services: Sequence[str],
    rights: Sequence[permissions.Statement],
) -> str:
    """A role of a function for the AWS services that run it: `rights`, its secrets and what the stage allows; its ARN.

    The secrets are in the stage's region, wherever the function runs.
    """
    stage = source.stage
    statements = [
        *rights,
        *permissions.secrets(environment.references(source.manifest, stage), stage.region),
        *permissions.granted(stage, function.name),
    ]
    made = iam.CfnRole(
        scope,
        resource_id(function.name, "Role"),
        assume_role_policy_document=permissions.trust(*services),
        permissions_boundary=stage.permissions_boundary,
        policies=[{"policyName": "function", "policyDocument": permissions.document(statements)}],
    )
    return made.attr_arn


def log_group(scope: cdk.Stack, source: Source, function: Function, name: str) -> logs.CfnLogGroup:
    """The log group of a function that Lambda calls `name`."""
    stage = source.stage
    made = logs.CfnLogGroup(
        scope,
        resource_id(function.name, "Logs"),
        log_group_name=names.log_group(name),
        retention_in_days=stage.log_days,
    )
    made.apply_removal_policy(cdk.RemovalPolicy.RETAIN if stage.retain else cdk.RemovalPolicy.DESTROY)
    return made


def metadata(manifest: Manifest, function: Function) -> dict[str, Any]:
    """For who reads the template: the routes of a function, and the middleware that runs before them."""
    routes = {route.path: route.file for route in manifest.routes if route.function == function.name}
    return {"function": function.name, "routes": routes, "middleware": list(function.middleware)}


def _tracing(stage: Stage) -> list[permissions.Statement]:
    return [permissions.tracing()] if stage.tracing else []
