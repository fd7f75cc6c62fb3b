"""The topology that templates of CDK's make, and what is wrong with those that nothing could be made of."""

from collections.abc import Callable
from pathlib import Path

import pytest
from golden_cloud import API, EDGE, Templates, behaviours, distribution, kept, write

from packager.errors import ToolError
from packager.preview.deployed_topology import from_assembly
from packager.preview.template import Place
from packager.preview.topology import Chosen


def test_the_golden_stacks_are_read_whole(tmp_path: Path) -> None:
    found = from_assembly(write(tmp_path / "out"))
    functions = {row.label: row for row in found.functions}
    assert {(row.label, row.runtime, row.memory, row.timeout) for row in found.functions} == {
        ("api", "python3.13", 512, 30),
        ("api-1024mb-30s", "python3.13", 512, 30),
        ("edge", "nodejs24.x", 256, 30),
    }
    assert found.api is not None
    routes = {row.key: row.function for row in found.api.routes}
    assert routes["ANY /api/users/{id}"] == routes["$default"] == Place(API, "ApiFunction")
    assert routes["ANY /api/node-example"] == functions["api-1024mb-30s"].place
    assert found.distribution is not None
    (origin,) = found.distribution.origins
    ((name, key),) = origin.headers
    assert (origin.host, name) == (found.api.host, "x-packager-origin-key")
    assert functions["api"].environment["PACKAGER_ORIGIN_KEY"] == key
    *_, default = found.distribution.behaviours
    edge = found.distribution.behaviours[0]
    assert (edge.pattern, edge.origin, default.pattern) == ("/api/products/*", "api", "*")
    assert edge.origin_function is not None
    assert (edge.origin_function.function, edge.origin_function.include_body) == (
        Place(EDGE, "EdgeFunction"),
        True,
    )
    assert default.origin_function is None
    assert not edge.cache.keeps
    assert edge.origin_request.headers == Chosen("all")
    assert "cloudfront-viewer-city" in edge.origin_request.added
    assert edge.viewer_function is not None
    assert f'const ORIGIN_HOST = "{found.api.host}";' in edge.viewer_function.code
    assert found.distribution.error_ttl[404] == 0


def test_a_cache_policy_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "out", lambda templates: kept(templates, behaviours(templates)[0], MinTTL=5))
    found = from_assembly(folder)
    assert found.distribution is not None
    policy = found.distribution.behaviours[0].cache
    assert (policy.min_ttl, policy.default_ttl, policy.max_ttl) == (5, 60, 3600)
    assert (policy.headers, policy.query) == (
        Chosen("whitelist", frozenset({"x-packager-host"})),
        Chosen("all"),
    )
    assert policy.encodings == ("gzip",)


def _without_policy(templates: Templates) -> None:
    behaviours(templates)[0]["CachePolicyId"] = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def _other_integration(templates: Templates) -> None:
    templates[API]["Resources"]["ApiHello8a32a984Route"]["Properties"]["Target"] = "integrations/other"


def _old_payload(templates: Templates) -> None:
    templates[API]["Resources"]["ApiIntegration"]["Properties"]["PayloadFormatVersion"] = "1.0"


def _latest(templates: Templates) -> None:
    templates[API]["Resources"]["ApiIntegration"]["Properties"]["IntegrationUri"] = {"Ref": "ApiFunction"}


def _foreign_version(templates: Templates) -> None:
    alias = templates[API]["Resources"]["ApiAlias"]["Properties"]
    alias["FunctionVersion"] = {"Fn::GetAtt": ["Api1024mb30sa4a60c4bVersionHASH", "Version"]}


def _viewer_response(templates: Templates) -> None:
    behaviours(templates)[0]["FunctionAssociations"][0]["EventType"] = "viewer-response"


def _elsewhere(templates: Templates) -> None:
    distribution(templates)["Origins"][0]["DomainName"] = "example.com"


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (_without_policy, f"{EDGE}/Distribution: CachePolicyId"),
        (_other_integration, f"{API}/ApiHello8a32a984Route: Target"),
        (_old_payload, f"{API}/ApiIntegration: PayloadFormatVersion"),
        (_latest, f"{API}/ApiIntegration: IntegrationUri"),
        (_foreign_version, f"{API}/ApiAlias: FunctionVersion is a version of another function"),
        (_viewer_response, f"{EDGE}/Distribution: FunctionAssociations"),
        (_elsewhere, f"{EDGE}/Distribution: Origins"),
    ],
)
def test_what_cannot_be_emulated_names_its_place(
    tmp_path: Path, edit: Callable[[Templates], None], told: str
) -> None:
    with pytest.raises(ToolError) as caught:
        from_assembly(write(tmp_path / "out", edit))
    assert caught.value.message.startswith(told)
