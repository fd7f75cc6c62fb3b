"""Many functions and many routes: nested stacks, each within CloudFormation's limits."""

from collections import Counter
from pathlib import Path

from manifests import manifest_of, route
from stacks import Stacks, of_type, synthesized

from infra.api_stack import group_of
from infra.manifest import Manifest
from infra.stage import Canary, Stage

MAX_RESOURCES = 500
"""Resources of one stack (CloudFormation quotas)."""


def many(functions: int, routes: int) -> Manifest:
    return manifest_of(
        [route(f"/g{index % functions}/r{index}", f"f{index % functions}") for index in range(routes)]
    )


def counts(stacks: Stacks) -> dict[str, int]:
    return {name: len(template["Resources"]) for name, template in stacks.templates().items()}


def test_sixty_functions_are_in_one_stack(tmp_path: Path) -> None:
    stacks = synthesized(tmp_path, many(60, 60), Stage("dev", cdn=False, tracing=False))
    # 60 functions with seven resources each and their routes do not fit; the alarms do.
    assert not of_type(stacks.template("shop-dev-ops"), "AWS::CloudFormation::Stack")
    assert max(counts(stacks).values()) <= MAX_RESOURCES


def test_forty_functions_are_not_nested(tmp_path: Path) -> None:
    stacks = synthesized(tmp_path, many(40, 40))
    assert list(stacks.nested()) == []
    assert len(of_type(stacks.template("shop-dev-api"), "AWS::Lambda::Function")) == 40


def test_no_stack_of_130_functions_is_too_large(tmp_path: Path) -> None:
    stage = Stage("dev", cdn=True, canary=Canary())
    stacks = synthesized(tmp_path, many(130, 300), stage)
    assert max(counts(stacks).values()) <= MAX_RESOURCES
    kinds = Counter(row["Type"] for nested in stacks.nested() for row in nested["Resources"].values())
    assert kinds["AWS::Lambda::Function"] == 130
    assert kinds["AWS::Lambda::Alias"] == 130
    assert kinds["AWS::ApiGatewayV2::Integration"] == 130
    assert kinds["AWS::CodeDeploy::DeploymentGroup"] == 130
    assert not of_type(stacks.template("shop-dev-api"), "AWS::Lambda::Function")


def test_nested_stacks_know_api_and_origin_key_by_parameters(tmp_path: Path) -> None:
    stacks = synthesized(tmp_path, many(70, 70), Stage("dev", cdn=True))
    parent = of_type(stacks.template("shop-dev-api"), "AWS::CloudFormation::Stack")
    for row in parent.values():
        assert row["Properties"]["Parameters"]["ApiId"] == {"Ref": "Api"}
        assert "Fn::If" in row["Properties"]["Parameters"]["OriginKey"]
    nested = [row for row in stacks.nested() if "ApiId" in row["Parameters"]]
    assert len(nested) == len(parent)
    for template in nested:
        assert template["Parameters"]["OriginKey"]["NoEcho"] is True
        for row in of_type(template, "AWS::Lambda::Function").values():
            assert row["Properties"]["Environment"]["Variables"]["PACKAGER_ORIGIN_KEY"] == {
                "Ref": "OriginKey"
            }
        for row in of_type(template, "AWS::ApiGatewayV2::Route").values():
            assert row["Properties"]["ApiId"] == {"Ref": "ApiId"}


def test_300_routes_of_grouped_functions_are_few_keys(tmp_path: Path) -> None:
    template = synthesized(tmp_path, many(30, 300)).template("shop-dev-api")
    keys = {row["Properties"]["RouteKey"] for row in of_type(template, "AWS::ApiGatewayV2::Route").values()}
    assert "ANY /g7/{proxy+}" in keys
    assert len(template["Resources"]) <= MAX_RESOURCES


def test_a_function_that_comes_moves_no_other(tmp_path: Path) -> None:
    def homes(stacks: Stacks) -> dict[str, str]:
        return {
            function: name
            for name, template in stacks.templates().items()
            for function in of_type(template, "AWS::Lambda::Function")
        }

    before = homes(synthesized(tmp_path / "1", many(61, 61)))
    after = homes(synthesized(tmp_path / "2", many(62, 62)))
    assert len(after) == 62
    assert before.items() < after.items()


def test_groups_of_300_functions_fit_into_a_stack_each() -> None:
    sizes = Counter(group_of(f"f{index}") for index in range(300))
    assert set(sizes) <= set(range(1, 17))
    assert max(sizes.values()) < 40
