import pytest
from front_doors import behaviour_of
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import manifest_of, route
from trees import URLS, paths

from infra.behaviours import MAX_BEHAVIOURS, behaviours, kept_from_cache
from infra.errors import StackError
from infra.manifest import Middleware, Site
from runtimes.routing import Router


def edge(path, name="edge", *methods, **more):
    return route(path, name, "edge", *methods, **more)


def patterns(manifest):
    return {row.pattern: row.function for row in behaviours(manifest)}


def test_edge_routes_have_behaviours_and_nodejs_routes_have_none():
    manifest = manifest_of([edge("/api/geo"), edge("/api/[id]/where"), route("/api/users/[id]")])
    assert patterns(manifest) == {"/api/geo": "edge", "/api/*/where": "edge"}


def test_an_optional_catch_all_has_two():
    assert set(patterns(manifest_of([edge("/d/[[...rest]]"), route("/n")]))) == {"/d", "/d/*"}


def test_where_urls_end_with_a_slash_the_patterns_do_as_well():
    manifest = manifest_of([edge("/a"), route("/n")], site=Site(trailing_slash=True))
    assert set(patterns(manifest)) == {"/a", "/a/"}


def test_the_base_path_is_in_front():
    manifest = manifest_of([edge("/"), edge("/a"), route("/n")], site=Site(base_path="/shop"))
    assert set(patterns(manifest)) == {"/shop", "/shop/a"}


def test_an_app_of_edge_routes_alone_sends_everything_to_its_worker():
    assert patterns(manifest_of([edge("/a"), edge("/b/[id]")])) == {"/*": "edge"}


def test_a_catch_all_beside_a_parameter_of_another_worker_has_a_pattern_of_two_segments():
    manifest = manifest_of([edge("/a/[id]", "one"), edge("/a/[...rest]", "two"), route("/n")])
    assert list(patterns(manifest).items()) == [("/a/*/*", "two"), ("/a/*", "one")]


def test_a_web_function_cannot_hand_on_so_nodejs_routes_come_first():
    manifest = manifest_of([edge("/api/[...rest]"), route("/api/users/[id]")], target="web-function")
    assert list(patterns(manifest).items()) == [
        ("/api/users/*/*", "edge"),
        ("/api/users/*", None),
        ("/api/*", "edge"),
    ]
    at_edge = manifest_of([edge("/api/[...rest]"), route("/api/users/[id]")])
    assert patterns(at_edge) == {"/api/*": "edge"}


def test_behind_the_api_only_answers_that_are_kept_need_behaviours():
    manifest = manifest_of(
        [edge("/a"), edge("/b", revalidate=60), route("/c", revalidate=5)], target="regional"
    )
    rows = behaviours(manifest)
    assert [(row.pattern, row.function, row.revalidate) for row in rows] == [
        ("/b", None, 60),
        ("/c", None, 5),
    ]


def test_what_patterns_cannot_express_is_a_fault_that_names_both_routes():
    # `?` stands for the comma, which patterns do not take, and so for the dash as well
    manifest = manifest_of([edge("/a,b", "one"), edge("/a;b", "two"), route("/n")])
    with pytest.raises(StackError) as caught:
        behaviours(manifest)
    (fault,) = caught.value.faults
    assert "/a,b" in fault.message
    assert "/a;b" in fault.message
    assert "regional" in fault.hint


@pytest.mark.parametrize(
    ("matcher", "kept"),
    [
        (None, False),
        ("/api/:path*", False),
        ("/admin/:path*", True),
        ("/((?!api).*)", True),
        ({"source": "/api/news", "has": [{"type": "header", "key": "x"}]}, False),
    ],
)
def test_answers_are_kept_only_where_no_middleware_can_match(matcher, kept):
    guard = Middleware("middleware.py", "/", None if matcher is None else (matcher,))
    manifest = manifest_of([route("/api/news", revalidate=60), route("/api/x")], middleware=[guard])
    assert [row.revalidate for row in behaviours(manifest)] == ([60] if kept else [])
    assert ("/api/news" in kept_from_cache(manifest)) is not kept


def test_middleware_of_another_folder_leaves_the_cache_alone():
    guard = Middleware("app/admin/middleware.py", "/admin", None)
    rows = [route("/api/news/[id]", revalidate=60), route("/admin/x", revalidate=60)]
    found = behaviours(manifest_of(rows, middleware=[guard]))
    assert [(row.pattern, row.paths) for row in found] == [("/api/news/*", ("/api/news/[id]",))]


def test_a_redirect_that_can_match_keeps_a_route_out_of_the_cache():
    rule = {
        "source": "/News",
        "destination": "/x",
        "status": 307,
        "has": [],
        "missing": [],
        "base_path": True,
    }
    manifest = manifest_of([route("/news", revalidate=60)], site=Site(redirects=(rule,)))
    assert behaviours(manifest) == ()
    assert "/News" in kept_from_cache(manifest)["/news"]


def test_the_reason_of_an_edge_route_says_why_it_is_not_kept():
    guard = Middleware("middleware.py", "/", None)
    (row,) = behaviours(manifest_of([edge("/a", revalidate=60), route("/n")], middleware=[guard]))
    assert row.revalidate is None
    assert "middleware.py can match it" in row.reason


def test_a_route_that_another_hides_from_patterns_is_not_kept():
    # /p/* is also /p/1/2, whose answers must not be kept
    manifest = manifest_of([route("/p/[id]", revalidate=60), route("/p/[id]/[more]")])
    rows = behaviours(manifest)
    assert [(row.pattern, row.revalidate) for row in rows] == [("/p/*/*", None), ("/p/*", 60)]


def test_many_edge_routes_become_subtrees():
    rows = [edge(f"/api/g{index % 5}/x{index}") for index in range(200)]
    found = behaviours(manifest_of([*rows, route("/n")]))
    assert len(found) < MAX_BEHAVIOURS
    assert {path for row in found for path in row.paths} == {row.path for row in rows}


def test_a_worker_hands_on_the_nodejs_routes_of_a_merged_subtree():
    rows = [row for index in range(100) for row in (edge(f"/api/e{index}"), route(f"/api/n{index}"))]
    assert patterns(manifest_of(rows)) == {"/api/*": "edge"}
    with pytest.raises(StackError, match="75"):
        behaviours(manifest_of(rows, target="web-function"))


def test_too_many_kept_routes_are_a_fault_with_the_limit():
    with pytest.raises(StackError, match=r"90 CloudFront behaviours.*75"):
        behaviours(manifest_of([route(f"/r{index}", revalidate=index + 1) for index in range(89)]))


@st.composite
def rows_of(draw):
    """Rows of path, function, runtime and revalidate."""
    rows = []
    for path in draw(paths()):
        runtime, name = draw(st.sampled_from(["edge", "nodejs"])), draw(st.sampled_from(["f", "g"]))
        kept = draw(st.sampled_from([None, None, None, 60, 5]))
        rows.append((path, name if runtime == "edge" else f"n{name}", runtime, kept))
    return rows


def app(rows, target, **site):
    made = [route(path, name, runtime, revalidate=kept) for path, name, runtime, kept in rows]
    return manifest_of(made, target=target, site=Site(**site))


@settings(deadline=None, max_examples=50)
@given(
    rows_of(), st.sampled_from(["lambda-edge", "web-function"]), st.booleans(), st.lists(URLS, min_size=20)
)
def test_every_url_of_a_route_comes_to_its_function_through_cloudfront(rows, target, slash, urls):
    manifest = app(rows, target, trailing_slash=slash)
    try:
        found = behaviours(manifest)
    except StackError:
        return
    check(manifest, found, urls)


@settings(deadline=None, max_examples=50)
@given(rows_of(), st.booleans(), st.lists(URLS, min_size=20))
def test_behind_the_api_nothing_is_a_fault(rows, slash, urls):
    manifest = app(rows, "regional", trailing_slash=slash)
    check(manifest, behaviours(manifest), urls)


@settings(deadline=None, max_examples=50)
@given(rows_of(), st.booleans(), st.lists(URLS, min_size=20))
def test_one_worker_at_the_edge_is_never_a_fault(rows, slash, urls):
    one = [(path, "f" if runtime == "edge" else name, runtime, kept) for path, name, runtime, kept in rows]
    manifest = app(one, "lambda-edge", trailing_slash=slash)
    check(manifest, behaviours(manifest), urls)


def check(manifest, rows, urls):
    """Every URL of a route comes to its function, and only its answers are kept as it says."""
    target = next((row.target for row in manifest.functions if row.runtime == "edge"), "regional")
    router = Router((row.path, row) for row in manifest.routes)
    for url in urls:
        found = router.match(url.encode())
        if found is None:
            continue
        own = found.value
        for spelling in {url, f"{url.rstrip('/')}/"} if manifest.site.trailing_slash else {url}:
            behaviour = behaviour_of(rows, spelling)
            got = behaviour.function if behaviour else None
            shown = (spelling, own.path, [(row.pattern, row.function, row.revalidate) for row in rows])
            if behaviour:
                assert behaviour.revalidate in (None, own.revalidate), shown
            if own.runtime == "edge" and target != "regional":
                assert got == own.function, shown
            else:
                assert got is None or target == "lambda-edge", shown
