"""Cloud assemblies of any templates, written as CDK writes them, and how they are planned and deployed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packager.deploy import assembly, plan, staging, uploads
from packager.deploy.assembly import Assembly
from packager.deploy.aws import Aws
from packager.deploy.deployed import Deployed
from packager.deploy.execute import execute
from packager.deploy.plan import DeployPlan
from packager.deploy.progress import Progress, Silent
from packager.deploy.staging import Bucket

type Template = Mapping[str, Any]

TOPIC = {"Type": "AWS::SNS::Topic"}


def stack_of(
    resources: Mapping[str, Any],
    *,
    outputs: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A template."""
    template: dict[str, Any] = {"Resources": dict(resources)}
    if outputs:
        template["Outputs"] = {name: {"Value": value} for name, value in outputs.items()}
    if parameters:
        template["Parameters"] = dict(parameters)
    return template


def assembly_of(
    folder: Path,
    templates: Mapping[str, Template],
    *,
    depends: Mapping[str, Sequence[str]] | None = None,
    nested: Mapping[str, Template] | None = None,
    region: str = "us-east-1",
    **properties: Any,
) -> Assembly:
    """The assembly with these stacks, by their names; `nested` are files that any of them may name by the key
    `<name>.json`. `properties` are of every stack, such as `terminationProtection`."""
    folder.mkdir(parents=True, exist_ok=True)
    bucket = f"cdk-hnb659fds-assets-${{AWS::AccountId}}-{region}"
    artifacts: dict[str, Any] = {}
    for name, template in templates.items():
        rows = {}
        for key, (file, content) in {
            "": (f"{name}.template.json", template),
            **{key: (f"{key}.nested.template.json", row) for key, row in (nested or {}).items()},
        }.items():
            text = json.dumps(content)
            (folder / file).write_text(text)
            digest = hashlib.sha256(text.encode()).hexdigest()
            there = {"bucketName": bucket, "objectKey": f"{key or digest}.json", "region": region}
            rows[digest] = {
                **({"displayName": "Nested Stack Template"} if key else {}),
                "source": {"path": file, "packaging": "file"},
                "destinations": {"there": there},
            }
        (folder / f"{name}.assets.json").write_text(json.dumps({"version": "55.0.0", "files": rows}))
        artifacts[f"{name}.assets"] = {
            "type": "cdk:asset-manifest",
            "properties": {"file": f"{name}.assets.json"},
        }
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://unknown-account/{region}",
            "properties": {"templateFile": f"{name}.template.json", **properties},
            "dependencies": [f"{name}.assets", *(depends or {}).get(name, ())],
        }
    (folder / "manifest.json").write_text(json.dumps({"version": "55.0.0", "artifacts": artifacts}))
    return assembly.read(folder)


def planned(
    aws: Aws, made: Assembly, *, gone: Sequence[tuple[str, str]] = ()
) -> tuple[DeployPlan, dict[str, Deployed], dict[str, Bucket]]:
    """The plan for an assembly, with the stacks that were there and the buckets that it is uploaded to.

    `gone` are stacks that the assembly does not have, by name and region.
    """
    found = plan.survey(aws, [*((row.name, row.region) for row in made.stacks), *gone])
    staged = staging.buckets(aws, made)
    uploads.upload(aws, [asset for row in made.stacks for asset in row.assets], staged, lambda *_: None)
    return plan.plan(aws, made, found, staged), found, staged


def deployed(aws: Aws, made: Assembly, *, progress: Progress | None = None) -> dict[str, Deployed]:
    """Deploy an assembly; the stacks as they are then."""
    stacks, found, staged = planned(aws, made)
    return execute(aws, stacks, made, found, staged, check=lambda: None, progress=progress or Silent())
