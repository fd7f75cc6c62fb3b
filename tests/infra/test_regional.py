"""Edge functions behind the HTTP API: CloudFront has nothing but the way there."""

from pathlib import Path

from manifests import manifest_of, route
from stacks import of_type, properties, synthesized

from infra.stage import Stage


def test_the_distribution_leads_to_the_api_and_no_function_is_at_the_edge(tmp_path: Path) -> None:
    manifest = manifest_of([route("/api/hello", "edge", "edge")], target="regional")
    template = synthesized(tmp_path, manifest, Stage("prod")).template("shop-prod-edge")
    config = properties(template, "Distribution")["DistributionConfig"]
    assert [row["Id"] for row in config["Origins"]] == ["api"]
    assert not config.get("CacheBehaviors")
    assert of_type(template, "AWS::Lambda::Function") == {}
    assert of_type(template, "AWS::IAM::Role") == {}
