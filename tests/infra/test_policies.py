"""What reaches the functions, what CloudFront keeps, and what it adds to answers."""

from pathlib import Path
from typing import Any

from manifests import manifest_of, route
from stacks import Template, of_type, properties, synthesized

from infra.manifest import Route
from infra.policies import VIEWER_HEADERS
from infra.stage import Stage


def edge(folder: Path, *routes: Route) -> Template:
    rows = routes or (route("/api/a", "api"),)
    return synthesized(folder, manifest_of(rows), Stage("prod")).template("shop-prod-edge")


def cache(template: Template, logical_id: str) -> dict[str, Any]:
    return properties(template, logical_id)["CachePolicyConfig"]


def test_all_that_the_viewer_sent_reaches_the_origin(tmp_path: Path) -> None:
    policy = properties(edge(tmp_path), "OriginRequestPolicy")["OriginRequestPolicyConfig"]
    assert policy["CookiesConfig"] == {"CookieBehavior": "all"}
    assert policy["QueryStringsConfig"] == {"QueryStringBehavior": "all"}
    assert policy["HeadersConfig"]["HeaderBehavior"] == "allViewerAndWhitelistCloudFront"


def test_the_origin_is_told_where_the_viewer_is(tmp_path: Path) -> None:
    policy = properties(edge(tmp_path), "OriginRequestPolicy")["OriginRequestPolicyConfig"]
    told = {name.lower() for name in policy["HeadersConfig"]["Headers"]}
    fields = ("address", "country", "country-region", "city", "latitude", "longitude")
    assert told == {f"cloudfront-viewer-{name}" for name in (*fields, "header-order")}
    assert len(VIEWER_HEADERS) <= 10


def test_answers_are_kept_as_long_as_the_route_says_and_no_shorter_than_the_app_says(tmp_path: Path) -> None:
    policy = cache(edge(tmp_path, route("/news", "api", revalidate=60)), "CachePolicy60")
    assert (policy["MinTTL"], policy["DefaultTTL"], policy["MaxTTL"]) == (0, 60, 31_536_000)


def test_answers_are_told_apart_by_query_host_and_encoding_not_by_cookies(tmp_path: Path) -> None:
    policy = cache(edge(tmp_path, route("/news", "api", revalidate=60)), "CachePolicy60")
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    assert key["QueryStringsConfig"] == {"QueryStringBehavior": "all"}
    assert key["CookiesConfig"] == {"CookieBehavior": "none"}
    assert key["HeadersConfig"] == {"HeaderBehavior": "whitelist", "Headers": ["x-packager-host"]}
    assert key["EnableAcceptEncodingGzip"] is key["EnableAcceptEncodingBrotli"] is True


def test_answers_with_cors_are_kept_for_each_origin_apart(tmp_path: Path) -> None:
    policy = cache(edge(tmp_path, route("/news", "api", revalidate=60, cors=True)), "CachePolicy60Cors")
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
    assert "Origin" in key["HeadersConfig"]["Headers"]


def test_a_policy_is_made_once_for_all_routes_that_need_it(tmp_path: Path) -> None:
    template = edge(
        tmp_path,
        route("/a", "api", revalidate=60),
        route("/b/[id]", "other", revalidate=60),
        route("/c", "api", revalidate=60, cors=True),
        route("/d", "api", revalidate=3600),
        route("/e", "api"),
    )
    assert set(of_type(template, "AWS::CloudFront::CachePolicy")) == {
        "CachePolicy60",
        "CachePolicy60Cors",
        "CachePolicy3600",
    }
    assert len(of_type(template, "AWS::CloudFront::OriginRequestPolicy")) == 1
    assert len(of_type(template, "AWS::CloudFront::ResponseHeadersPolicy")) == 1


def test_without_kept_answers_there_is_no_cache_policy(tmp_path: Path) -> None:
    assert of_type(edge(tmp_path), "AWS::CloudFront::CachePolicy") == {}


def test_names_of_policies_tell_the_stage_since_they_belong_to_the_account(tmp_path: Path) -> None:
    template = edge(tmp_path, route("/news", "api", revalidate=60))
    policy = properties(template, "OriginRequestPolicy")["OriginRequestPolicyConfig"]
    assert policy["Name"] == "shop-prod-edge-viewer"
    assert cache(template, "CachePolicy60")["Name"] == "shop-prod-edge-revalidate-60"


def test_security_headers_are_added_unless_the_app_sets_them(tmp_path: Path) -> None:
    policy = properties(edge(tmp_path), "ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
    headers = policy["SecurityHeadersConfig"]
    assert set(headers) == {
        "ContentTypeOptions",
        "FrameOptions",
        "ReferrerPolicy",
        "StrictTransportSecurity",
    }
    assert all(row["Override"] is False for row in headers.values())
    assert headers["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31_536_000
