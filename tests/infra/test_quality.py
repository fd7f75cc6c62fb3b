"""What a reviewer's tools say of the stacks: cdk-nag, cfn-lint and CDK's own rules for CloudFormation."""

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from manifests import manifest_of, written
from stacks import SHOP, Template, synthesized

from infra import assembly
from infra.acknowledged import LINT, reasons
from infra.errors import StackError
from infra.manifest import Manifest
from infra.stage import Alarms, ApiDomain, Canary, Domain, Permission, Stage

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
ZONE = "Z0123456789ABCDEFGHIJ"
PLAIN = Stage("dev")
FULL = Stage(
    "prod",
    domain=Domain("www.example.com", CERTIFICATE, ZONE),
    api_domain=ApiDomain("api.example.com", CERTIFICATE, ZONE),
    waf=True,
    retain=True,
    concurrency=10,
    alarms=Alarms(email="ops@example.com"),
    canary=Canary(),
)
WEB = dataclasses.replace(PLAIN, code_bucket="code-of-web-functions")


def shop(target: str) -> Manifest:
    return manifest_of(
        SHOP.routes, target=target, values=SHOP.environment.values, references=SHOP.environment.references
    )


VARIANTS = [
    pytest.param("regional", FULL, id="regional-full"),
    pytest.param("lambda-edge", PLAIN, id="lambda-edge-plain"),
    pytest.param("web-function", WEB, id="web-function-plain"),
]


def findings(folder: Path, manifest: Manifest, stage: Stage) -> list[dict[str, Any]]:
    """What cdk-nag finds and nobody has acknowledged."""
    # here, not above: seconds, of every process that collects this file
    import aws_cdk as cdk  # noqa: PLC0415
    import cdk_nag  # noqa: PLC0415

    built = written(manifest, folder / "build")
    out = folder / "out"
    out.mkdir()
    app = assembly.make_app(built, stage, folder / "build", out)
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks(), cdk_nag.ServerlessChecks())
    with contextlib.suppress(RuntimeError):  # raised if something is found; the report has it all
        app.synth()
    report = json.loads((out / "validation-report.json").read_text(encoding="utf-8"))
    rows = report["pluginReports"]
    assert {"AwsSolutions", "Serverless"} <= {row["pluginName"] for row in rows}
    return [violation for row in rows for violation in row["violations"]]


@pytest.mark.parametrize(("target", "stage"), VARIANTS)
def test_cdk_nag_finds_nothing_but_what_is_acknowledged(tmp_path: Path, target: str, stage: Stage) -> None:
    found = findings(tmp_path, shop(target), stage)
    assert [(row["ruleName"], row["violatingConstructs"][0]["constructPath"]) for row in found] == []


def test_cdk_nag_sees_the_stacks(tmp_path: Path) -> None:
    careless = dataclasses.replace(PLAIN, permissions=(Permission(("s3:*",), ("*",)),))
    found = {row["ruleName"] for row in findings(tmp_path, shop("lambda-edge"), careless)}
    assert "AwsSolutions-IAM5[Action::s3:*]" in found


def test_every_acknowledgement_is_explained() -> None:
    for name, reason in {**reasons(shop("lambda-edge"), PLAIN), **LINT}.items():
        assert len(reason) > 20, name
        assert reason.endswith("."), name


def linted(template: Template) -> list[Any]:
    from cfnlint import api  # noqa: PLC0415
    from cfnlint.config import ManualArgs  # noqa: PLC0415

    return api.lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"]))


@pytest.mark.parametrize(("target", "stage"), VARIANTS)
def test_cfn_lint_finds_nothing_but_what_is_acknowledged(tmp_path: Path, target: str, stage: Stage) -> None:
    templates = synthesized(tmp_path, shop(target), stage).templates()
    assert len(templates) == 3
    for name, template in templates.items():
        found = linted(template)
        assert [f"{name}: {row.rule.id} {row.message}" for row in found if row.rule.id not in LINT] == []


def test_cfn_lint_sees_the_templates(tmp_path: Path) -> None:
    template = synthesized(tmp_path).template("shop-dev-api")
    template["Resources"]["ApiFunction"]["Properties"]["MemorySize"] = 1
    assert "E3034" in {row.rule.id for row in linted(template)}


@pytest.mark.parametrize(("target", "stage"), VARIANTS)
def test_cdks_own_rules_find_nothing(tmp_path: Path, target: str, stage: Stage) -> None:
    built = written(shop(target), tmp_path / "build")
    assembly.synth(built, stage, tmp_path / "build", tmp_path / "out", validate=True)


def test_what_cdks_own_rules_find_are_faults(tmp_path: Path) -> None:
    built = written(SHOP, tmp_path / "build")
    odd = dataclasses.replace(PLAIN, log_days=31)
    with pytest.raises(StackError, match="shop-dev-api/ApiLogs"):
        assembly.synth(built, odd, tmp_path / "build", tmp_path / "out", validate=True)
