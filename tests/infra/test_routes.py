import time

import pytest
from front_doors import api_functions
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import function, manifest_of, route
from trees import URLS, paths

from infra.manifest import Middleware, Site
from infra.routes import (
    DEFAULT_KEY,
    MAX_ROUTES,
    api_routes,
    default_function,
    full_path,
    on_api,
)
from runtimes.routing import Router


def keys(manifest):
    return {row.key: row.function for row in api_routes(manifest)}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ["ANY /"]),
        ("/api/users/[id]", ["ANY /api/users/{id}"]),
        ("/api/[...slug]", ["ANY /api/{slug+}"]),
        ("/api/[[...slug]]", ["ANY /api", "ANY /api/{slug+}"]),
    ],
)
def test_a_path_becomes_keys_for_any_method(path, expected):
    assert keys(manifest_of([route(path)])) == {DEFAULT_KEY: "api", **dict.fromkeys(expected, "api")}


def test_the_base_path_is_in_front_of_every_key():
    manifest = manifest_of([route("/"), route("/a/[id]")], site=Site(base_path="/shop"))
    assert set(keys(manifest)) == {DEFAULT_KEY, "ANY /shop", "ANY /shop/a/{id}"}


def test_urls_without_a_route_go_to_the_first_nodejs_function():
    manifest = manifest_of([route("/e", "a-edge", "edge"), route("/x", "x"), route("/b", "b")])
    assert default_function(manifest) == "b"
    assert keys(manifest)[DEFAULT_KEY] == "b"


@pytest.mark.parametrize("target", ["lambda-edge", "web-function"])
def test_edge_routes_are_not_behind_the_api(target):
    rows = [route("/e", runtime="edge"), route("/n")]
    assert set(keys(manifest_of(rows, target=target))) == {DEFAULT_KEY, "ANY /n"}
    assert api_routes(manifest_of(rows[:1], target=target)) == ()


def test_regional_edge_routes_are():
    manifest = manifest_of([route("/e", runtime="edge")], target="regional")
    assert keys(manifest) == {DEFAULT_KEY: "edge", "ANY /e": "edge"}


def test_where_no_key_is_the_more_specific_one_is_added_for_the_urls_of_both():
    manifest = manifest_of([route("/a/[...rest]", "one"), route("/[x]/b", "two")])
    assert keys(manifest)["ANY /a/b"] == "one"
    (added,) = [row for row in api_routes(manifest) if row.key == "ANY /a/b"]
    assert added.paths == ("/[x]/b", "/a/[...rest]")


def many(count, name="api", **more):
    return [route(f"/api/v{index % 7}/x{index}", name, **more) for index in range(count)]


def test_many_routes_of_one_function_are_merged_to_subtrees():
    rows = api_routes(manifest_of([*many(200), route("/other/[id]", "other")]))
    assert len(rows) <= 150
    merged = [row for row in rows if row.key.endswith("{proxy+}")]
    assert merged
    assert {path for row in rows for path in row.paths} == {*(row.path for row in many(200)), "/other/[id]"}


def test_a_subtree_with_a_route_of_another_function_is_not_merged():
    found = keys(manifest_of([*many(200), route("/api/[v]/mine", "other")]))
    assert not any(key.endswith("{proxy+}") for key in found)


def test_a_function_without_all_middleware_gets_no_urls_without_a_route():
    guard = Middleware("middleware.py", "/", ("/gone/:path*",))
    rows = [*many(200, "late"), route("/first", "early")]
    made = manifest_of(rows, functions=[function("late")], middleware=[guard])
    assert not any(key.endswith("{proxy+}") for key in keys(made))
    assert len(api_routes(made)) == 202


def test_three_hundred_routes_are_planned_quickly_enough_and_fit():
    rows = [route(f"/s{index % 10}/[id]/p{index}", f"f{index % 3}") for index in range(299)]
    started = time.process_time()
    assert len(api_routes(manifest_of(rows))) <= MAX_ROUTES
    assert time.process_time() - started < 5


FUNCTIONS = st.sampled_from(["f", "g", "h"])


@st.composite
def manifests(draw, target, most=8, site=None):
    rows = []
    for path in draw(paths(most)):
        name = draw(FUNCTIONS)
        rows.append(route(path, name, "edge") if draw(st.booleans()) else route(path, f"n{name}"))
    return manifest_of(rows, target=target, site=site)


@settings(deadline=None)
@given(
    st.sampled_from(["lambda-edge", "regional"]).flatmap(manifests), st.lists(URLS, min_size=5, max_size=30)
)
def test_every_url_of_a_route_comes_to_its_function(manifest, urls):
    rows = api_routes(manifest)
    assert len({row.key for row in rows}) == len(rows)
    router = Router((full_path(manifest, row.path), row) for row in manifest.routes)
    for url in urls:
        found = router.match(url.encode())
        if found and found.value.function in on_api(manifest):
            assert api_functions(rows, url) == {found.value.function}, (url, found.value.path)


@settings(deadline=None)
@given(manifests("regional"), st.lists(URLS, min_size=5, max_size=30))
def test_merging_changes_no_function(manifest, urls):
    router = Router((full_path(manifest, row.path), row) for row in manifest.routes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.routes._MERGE_ABOVE", 1)
        rows = api_routes(manifest)
    for url in urls:
        found = router.match(url.encode())
        if found:
            assert api_functions(rows, url) == {found.value.function}, (url, found.value.path)
