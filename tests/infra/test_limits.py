import dataclasses
from functools import partial

import pytest
from manifests import function, manifest_of, route, written

from infra.errors import StackError
from infra.limits import check
from infra.manifest import Site
from infra.regions import REGIONS
from infra.stage import ApiDomain, Domain, Stage

edge = partial(route, runtime="edge")


def faults(tmp_path, manifest, stage=None, *, write=True):
    made = written(manifest, tmp_path) if write else manifest
    try:
        check(made, stage or Stage("prod"), tmp_path)
    except StackError as error:
        return list(error.faults)
    return []


def only(tmp_path, manifest, stage=None, **more):
    (fault,) = faults(tmp_path, manifest, stage, **more)
    return fault


APP = manifest_of([route("/n"), edge("/e")])


def test_an_ordinary_app_has_no_fault(tmp_path):
    assert faults(tmp_path, APP) == []


def test_the_regions_are_those_that_the_sdk_knows_for_lambda_and_http_apis():
    import botocore.session  # noqa: PLC0415

    session = botocore.session.get_session()
    for service in ("lambda", "apigatewayv2"):
        assert set(session.get_available_regions(service)) == REGIONS


def test_an_unknown_region_is_named_with_the_nearest(tmp_path):
    fault = only(tmp_path, APP, Stage("prod", region="us-east1"))
    assert "us-east1" in fault.message
    assert "us-east-1" in fault.hint
    assert fault.place == "tool.packager.stages.prod.region"


@pytest.mark.parametrize("target", ["lambda-edge", "web-function"])
def test_edge_targets_behind_cloudfront_need_it(tmp_path, target):
    rows = [route("/n"), edge("/e")]
    assert "regional" in only(tmp_path, manifest_of(rows, target=target), Stage("prod", cdn=False)).hint
    assert faults(tmp_path, manifest_of(rows, target="regional"), Stage("prod", cdn=False)) == []


def test_what_belongs_to_the_distribution_needs_it(tmp_path):
    domain = Domain("x.example", "arn:aws:acm:us-east-1:123456789012:certificate/ab-1")
    stage = Stage("prod", cdn=False, waf=True, domain=domain)
    found = faults(tmp_path, manifest_of([route("/n")]), stage)
    assert [fault.place for fault in found] == [
        "tool.packager.stages.prod.domain",
        "tool.packager.stages.prod.waf",
    ]


def test_a_certificate_is_in_the_region_of_what_uses_it(tmp_path):
    arn = "arn:aws:acm:eu-west-1:123456789012:certificate/ab-1"
    stage = Stage("prod", region="eu-west-1", domain=Domain("x", arn), api_domain=ApiDomain("y", arn))
    fault = only(tmp_path, APP, stage)
    assert "us-east-1" in fault.message
    assert fault.place == "tool.packager.stages.prod.domain.certificate"
    assert "no ARN" in only(tmp_path, APP, Stage("prod", domain=Domain("x", "arn:aws:iam::1:x"))).message


def test_names_of_which_nothing_can_stay_and_names_that_meet_are_faults(tmp_path):
    assert "'…'" in only(tmp_path, APP, Stage("…")).message
    fault = only(tmp_path, manifest_of([route("/a", "a.b"), route("/b", "a-b")]))
    assert "shop-prod-a-b" in fault.message


def test_a_runtime_that_lambda_does_not_have(tmp_path):
    row = function("api", python="3.11", architecture="riscv")
    found = faults(tmp_path, manifest_of([route("/n")], functions=[row]))
    assert [fault.place for fault in found] == [
        "tool.packager.lambda.python",
        "tool.packager.lambda.architecture",
    ]
    assert "3.12, 3.13, 3.14" in found[0].hint


def test_an_unknown_edge_target(tmp_path):
    assert (
        "lambda-edge, regional, web-function" in only(tmp_path, manifest_of([edge("/e")], target="moon")).hint
    )


@pytest.mark.parametrize(
    ("runtime", "target", "seconds", "limit"),
    [
        ("nodejs", "lambda-edge", 60, "30"),
        ("edge", "lambda-edge", 31, "30"),
        ("edge", "regional", 31, "30"),
        ("edge", "web-function", 901, "900"),
        ("edge", "web-function", 2, "3"),
    ],
)
def test_a_duration_that_nobody_waits_for_is_told_with_the_route(tmp_path, runtime, target, seconds, limit):
    row = function("f", runtime, target, max_duration=seconds)
    rows = [route("/x", "f", runtime), route("/y", "f", runtime, max_duration=seconds)]
    fault = only(tmp_path, manifest_of(rows, functions=[row]))
    assert limit in fault.message
    assert fault.place == "app/y/route.py"


@pytest.mark.parametrize(
    ("target", "memory"), [("lambda-edge", 64), ("lambda-edge", 10241), ("web-function", 4096)]
)
def test_memory_has_bounds(tmp_path, target, memory):
    row = function("f", "edge", target, memory=memory)
    assert f"{memory} MB" in only(tmp_path, manifest_of([edge("/x", "f")], functions=[row])).message


def test_an_artifact_that_is_missing_or_another_one(tmp_path):
    found = faults(tmp_path, APP, write=False)
    assert [fault.place for fault in found] == ["functions/api.zip", "edge/edge.zip"]
    made = written(APP, tmp_path)
    (tmp_path / "functions/api.zip").write_bytes(b"other")
    assert "not the one that was built" in only(tmp_path, made, write=False).message


def test_an_artifact_that_is_too_large_for_its_target(tmp_path):
    made = written(APP, tmp_path)
    with (tmp_path / "edge/edge.zip").open("r+b") as stream:
        stream.truncate(50 * 2**20 + 1)
    found = faults(tmp_path, made, write=False)
    assert any("50 MB" in fault.message for fault in found)
    big = function("api", unpacked_bytes=250 * 2**20 + 1)
    assert "250 MB" in only(tmp_path, manifest_of([route("/n")], functions=[big])).message


def test_too_many_routes_of_the_api(tmp_path):
    rows = [route(f"/r{index}", f"f{index % 2}") for index in range(301)]
    fault = only(tmp_path, manifest_of(rows))
    assert "302" in fault.message
    assert "300" in fault.message


def test_too_many_functions_behind_the_api(tmp_path):
    rows = [route(f"/r{index}", f"f{index}") for index in range(301)]
    assert any("functions" in fault.message for fault in faults(tmp_path, manifest_of(rows)))


def test_too_many_behaviours_and_a_pattern_that_is_too_long(tmp_path):
    kept = [route(f"/r{index}", revalidate=index + 1) for index in range(80)]
    assert "75" in only(tmp_path, manifest_of(kept)).message
    assert faults(tmp_path, manifest_of(kept), Stage("prod", cdn=False)) == []
    long = [route("/n"), edge("/" + "x" * 255)]
    assert "255" in only(tmp_path, manifest_of(long)).message


@pytest.mark.parametrize("name", ["A", "1A", "A-B", "AWS_REGION", "LAMBDA_X", "_HANDLER", "PACKAGER_SECRETS"])
def test_a_variable_that_lambda_refuses(tmp_path, name):
    fault = only(tmp_path, APP, Stage("prod", variables={name: "x"}))
    assert fault.place == f"tool.packager.stages.prod.variables.{name}"


def test_a_secret_is_no_variable_of_a_stage(tmp_path):
    made = manifest_of([route("/n")], references={"KEY": "ssm:/k"})
    assert "secret" in only(tmp_path, made, Stage("prod", variables={"KEY": "x"})).message


def test_variables_have_room_in_bytes_and_the_largest_is_named(tmp_path):
    values = {"SMALL": "x", "LARGE": "ü" * 2100}
    fault = only(tmp_path, manifest_of([route("/n"), edge("/e")], values=values))
    assert "4096" in fault.message
    assert "LARGE with 4205" in fault.message
    assert faults(tmp_path, manifest_of([edge("/e")], values=values, target="web-function")) == []


def test_the_tools_own_variables_count(tmp_path):
    values = {"LARGE": "x" * (4096 - 5 - 30)}
    made = manifest_of([route("/n")], values=values)
    assert faults(tmp_path, made, Stage("prod", cdn=False)) == []
    assert "4096" in only(tmp_path, made).message


def test_web_functions_take_no_empty_variable(tmp_path):
    made = manifest_of([edge("/e")], values={"EMPTY": ""}, target="web-function")
    assert "EMPTY" in only(tmp_path, made).message


def test_bad_references_are_faults(tmp_path):
    assert "vault" in only(tmp_path, manifest_of([route("/n")], references={"KEY": "vault:x"})).message


def test_all_faults_are_told_at_once(tmp_path):
    row = function("api", max_duration=60, memory=64)
    made = manifest_of([route("/n")], functions=[row], site=Site(base_path="/shop"))
    stage = Stage("prod", region="mars", variables={"A": "x"})
    made = dataclasses.replace(written(made, tmp_path), functions=(row,))
    assert len(faults(tmp_path, made, stage, write=False)) == 5
