"""`lambda-edge`: a function of us-east-1 that CloudFront replicates and runs when it is about to ask the origin.

Lambda@Edge has no environment, no tracing, no arm64 and no alias (CloudFront Developer Guide, "Restrictions on
Lambda@Edge"). Variables therefore travel in the package, beside the artifact, whose hash stays that of the build.
"""

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_

from infra import environment, names, permissions
from infra.edge_targets import Reached, Setting
from infra.errors import Fault, StackError
from infra.functions import NODE, Source, log_group, metadata, resource_id, role, zip_asset
from infra.manifest import Function
from infra.stage import EDGE_REGION

NAME = "lambda-edge"
OWN_BUCKET = False

ENVIRONMENT_FILE = "environment.json"
"""The file of a package with the function's variables, an object of strings, which the worker reads when it starts."""

MAX_PACKAGE = 50 * 2**20
"""Bytes of a zip, with its libraries (CloudFront quotas, "Quotas on Lambda@Edge", origin request)."""

_SERVICES = ("lambda.amazonaws.com", "edgelambda.amazonaws.com")
_DATE = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Package:
    """What is uploaded of a Lambda@Edge function: the zip, its SHA-256 in hexadecimal digits, its bytes."""

    path: Path
    sha256: str
    size: int


def reach(setting: Setting, function: Function) -> Reached:
    """Add function, role, log group and version; the version runs before the API is asked.

    Raises `StackError` if the package is larger than Lambda@Edge takes.
    """
    source, stack = setting.source, setting.stack
    manifest, stage = source.manifest, source.stage
    name = names.function_name(manifest.app.name, stage.name, function.name)
    in_logs = f"{EDGE_REGION}.{name}"
    package = _packaged(source, function)
    code = zip_asset(stack, source.out, package.path, package.sha256)
    made = lambda_.CfnFunction(
        stack,
        resource_id(function.name, "Function"),
        function_name=name,
        description=f"{manifest.app.name}: edge routes, at CloudFront",
        architectures=["x86_64"],
        code={"s3Bucket": code.bucket_name, "s3Key": code.object_key},
        handler=function.handler,
        memory_size=function.memory,
        # the replicas write their logs in the region that they run in
        role=role(stack, source, function, _SERVICES, permissions.logs_anywhere(names.log_group(in_logs))),
        runtime=NODE,
        timeout=function.max_duration,
    )
    made.add_metadata("packager", metadata(manifest, function))
    # That of the replica in us-east-1; those of other regions are made when a replica first runs there.
    log_group(stack, source, function, in_logs)
    published = hashlib.sha256(f"{package.sha256} {function.memory} {function.max_duration} {NODE}".encode())
    version = lambda_.CfnVersion(
        stack,
        resource_id(function.name, f"Version{published.hexdigest()[:10]}"),
        function_name=made.ref,
    )
    # Replicas of a version are deleted hours after the distribution has let go of it; and a rollback goes back to it.
    version.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
    return Reached(version=version.ref)


def package(artifact: Path, variables: dict[str, str], folder: Path) -> Package:
    """Write a copy of the zip `artifact` with the variables beside it into `folder`, named after its hash.

    The same artifact and variables give the same bytes. Nothing is packed anew but the variables.
    """
    content = json.dumps(variables, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    handle, name = tempfile.mkstemp(dir=folder, suffix=".zip")
    os.close(handle)
    copy = Path(name)
    try:
        shutil.copyfile(artifact, copy)
        with zipfile.ZipFile(copy, "a") as archive:
            entry = zipfile.ZipInfo(ENVIRONMENT_FILE, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, _REGULAR_FILE
            archive.writestr(entry, content)
        with copy.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        path = copy.replace(folder / f"asset.{sha256}.zip")
    finally:
        copy.unlink(missing_ok=True)
    return Package(path, sha256, path.stat().st_size)


def _packaged(source: Source, function: Function) -> Package:
    variables = environment.variables(function, source.manifest, source.stage)
    made = package(source.build / function.artifact, variables, source.out)
    if made.size > MAX_PACKAGE:
        raise StackError(
            [
                Fault(
                    f"the package of the edge function {function.name} has {made.size:,} bytes with its variables; "
                    f"Lambda@Edge takes {MAX_PACKAGE:,}",
                    hint="`packager analyze` shows what is in it; or choose the target regional or web-function.",
                    place=function.artifact,
                )
            ]
        )
    return made
