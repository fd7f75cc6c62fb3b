"""`headers`, `redirects`, `rewrites`, `base_path` and `trailing_slash` of a built project, asked over preview.

The project has the same routes on both runtimes: below `/n` on nodejs, below `/e` on edge.
"""

import json

import pytest
from serving import serving

pytestmark = pytest.mark.e2e

ROUTE = """
from runtimes import Request, Response

runtime = "{runtime}"


async def GET(request: Request, params: dict) -> Response:
    seen = {{"route": "{path}", "params": params, "query": dict(request.query_params)}}
    return Response.json(seen, headers={{"x-config": "handler", "x-both": "handler", "set-cookie": "own=1"}})
"""

MIDDLEWARE = """
from runtimes import Request, Response


async def middleware(request: Request) -> Response:
    if "stop" in request.query_params:
        return Response.json({"stopped": request.url.path}, 401)
    return Response.next(headers={"x-seen": request.url.path, "x-both": "middleware"})
"""

GUARD = """
from runtimes import Response


def middleware(request):
    return None if request.headers.get("x-key") else Response.json({"error": "guarded"}, 403)
"""

ROUTES = {
    f"/{short}/{path}": runtime
    for short, runtime in (("n", "nodejs"), ("e", "edge"))
    for path in ("static", "other", "guarded", "[id]", "deep/[...rest]", "file.json")
}

RULES = """
headers = [
  { source = "/:kind(n|e)/:path*", headers = { X-Config = "site", X-Path = ":path*", Set-Cookie = "site=1" } },
  { source = "/:path*", has = [{ type = "query", key = "who", value = "(?<name>.+)" }], headers = { X-Who = ":name" } },
]
redirects = [
  { source = "/:kind(n|e)/old/:slug", destination = "/:kind/:slug", permanent = true },
  { source = "/:kind(n|e)/static", destination = "/:kind/other", permanent = false, has = [
    { type = "header", key = "x-move" },
  ] },
  { source = "/away/:path*", destination = "https://example.com/:path*", status_code = 301 },
]
[tool.packager.rewrites]
before_files = [
  { source = "/:kind(n|e)/static", has = [{ type = "query", key = "before" }], destination = "/:kind/other" },
]
after_files = [
  { source = "/:kind(n|e)/static", destination = "/:kind/other" },
  { source = "/v1/:kind/:path*", destination = "/:kind/:path*" },
  { source = "/tagged/:kind/:tag", destination = "/:kind/static?from=rewrite" },
  { source = "/unused/:tag", destination = "/n/static" },
  { source = "/:kind(n|e)/late", destination = "/:kind/static" },
]
fallback = [
  { source = "/:kind(n|e)/known", destination = "/:kind/static" },
  { source = "/:kind(n|e)/:a/:b", destination = "/:kind/other" },
]
"""


def project(folder, settings):
    files = {
        "pyproject.toml": f'[project]\nname = "site"\nversion = "0"\n[tool.packager]\n{settings}',
        "middleware.py": MIDDLEWARE,
        **{
            f"app{path}/route.py": ROUTE.format(runtime=runtime, path=path)
            for path, runtime in ROUTES.items()
        },
        "app/n/guarded/middleware.py": GUARD,
        "app/e/guarded/middleware.py": GUARD,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    with serving(project(tmp_path_factory.mktemp("rules"), RULES)) as server:
        yield server


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    outside = '{ source = "/", destination = "/shop/n/static/", permanent = false, base_path = false }'
    settings = RULES.replace("redirects = [", f"redirects = [\n  {outside},")
    folder = project(
        tmp_path_factory.mktemp("below"), f'base_path = "/shop"\ntrailing_slash = true\n{settings}'
    )
    with serving(folder) as server:
        yield server


both = pytest.mark.parametrize("kind", ["n", "e"])


def seen(answer):
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


# -- order of execution ----------------------------------------------------


@both
def test_headers_of_the_site_win_over_the_handlers_and_lose_to_middlewares(rules, kind):
    answer = rules.ask("GET", f"/{kind}/static")
    assert answer.header("x-config") == "site"
    assert answer.header("x-both") == "middleware"
    assert answer.header("x-path") == "static"
    assert sorted(answer.all("set-cookie")) == ["own=1", "site=1"]


@both
def test_headers_are_on_what_middleware_answers_and_on_404(rules, kind):
    stopped = rules.ask("GET", f"/{kind}/static?stop")
    assert (stopped.status, stopped.header("x-config")) == (401, "site")
    missing = rules.ask("GET", f"/{kind}/a/b/c")
    assert (missing.status, missing.header("x-config"), missing.header("x-path")) == (404, "site", "a/b/c")


def test_a_header_from_a_condition(rules):
    assert rules.ask("GET", "/nowhere?who=me").header("x-who") == "me"
    assert rules.ask("GET", "/nowhere?who=").header("x-who") is None


@both
def test_redirects_go_before_middleware_and_carry_the_query(rules, kind):
    answer = rules.ask("GET", f"/{kind}/old/a%2Fb?stop&x=1")
    assert (answer.status, answer.header("location")) == (308, f"/{kind}/a%2Fb?stop&x=1")
    assert answer.body.decode() == f"/{kind}/a%2Fb?stop&x=1"
    assert answer.header("x-config") is None
    assert answer.header("x-seen") is None


@both
def test_a_redirect_with_a_condition_goes_before_the_route(rules, kind):
    answer = rules.ask("GET", f"/{kind}/static", {"x-move": "1"})
    assert (answer.status, answer.header("location")) == (307, f"/{kind}/other")


def test_a_redirect_to_another_host(rules):
    answer = rules.ask("GET", "/away/a/b")
    assert (answer.status, answer.header("location")) == (301, "https://example.com/a/b")


@both
def test_before_files_goes_before_a_static_route_and_after_files_does_not(rules, kind):
    assert seen(rules.ask("GET", f"/{kind}/static"))["route"] == f"/{kind}/static"
    assert seen(rules.ask("GET", f"/{kind}/static?before=1"))["route"] == f"/{kind}/other"


@both
def test_after_files_goes_before_a_dynamic_route_and_fallback_does_not(rules, kind):
    assert seen(rules.ask("GET", f"/{kind}/late"))["route"] == f"/{kind}/static"
    found = seen(rules.ask("GET", f"/{kind}/known"))
    assert (found["route"], found["params"]) == (f"/{kind}/[id]", {"id": "known"})


@both
def test_after_files_leads_from_a_path_without_a_route_to_one_of_any_function(rules, kind):
    found = seen(rules.ask("GET", f"/v1/{kind}/deep/a%2Fb/c?x=1"))
    assert found == {
        "route": f"/{kind}/deep/[...rest]",
        "params": {"rest": ["a/b", "c"]},
        "query": {"x": "1"},
    }


@both
def test_fallback_is_last(rules, kind):
    found = seen(rules.ask("GET", f"/{kind}/no/route"))
    assert found["route"] == f"/{kind}/other"


@both
def test_the_query_of_a_destination_is_added(rules, kind):
    found = seen(rules.ask("GET", f"/tagged/{kind}/a?from=client&x=1"))
    assert found["query"] == {"x": "1", "from": "rewrite"}


def test_parameters_that_no_path_takes_are_in_the_query(rules):
    assert seen(rules.ask("GET", "/unused/a%20b?x=1"))["query"] == {"x": "1", "tag": "a b"}


@both
def test_middleware_sees_the_url_before_the_rewrites(rules, kind):
    assert rules.ask("GET", f"/v1/{kind}/static").header("x-seen") == f"/v1/{kind}/static"


@both
def test_a_rewrite_does_not_lead_around_the_middleware_of_a_folder(rules, kind):
    for path in (f"/{kind}/guarded", f"/v1/{kind}/guarded"):
        assert rules.ask("GET", path).status == 403
        assert seen(rules.ask("GET", path, {"x-key": "1"}))["route"] == f"/{kind}/guarded"


# -- base path and trailing slash ------------------------------------------


@both
@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/shop/{}/static?x=1", "/shop/{}/static/?x=1"),
        ("/shop//{}/static/", "/shop/{}/static/"),
        ("/shop/{}/file.json/", "/shop/{}/file.json"),
        ("/shop", "/shop/"),
    ],
)
def test_the_slash_at_the_end_is_asked_for(below, kind, path, location):
    answer = below.ask("GET", path.format(kind))
    assert (answer.status, answer.header("location")) == (308, location.format(kind))


@both
def test_routes_are_below_the_base_path(below, kind):
    assert seen(below.ask("GET", f"/shop/{kind}/static/"))["route"] == f"/{kind}/static"
    assert seen(below.ask("GET", f"/shop/{kind}/x/"))["params"] == {"id": "x"}
    assert seen(below.ask("GET", f"/shop/{kind}/file.json"))["route"] == f"/{kind}/file.json"
    for path in (f"/{kind}/static/", f"/{kind}/static", f"/shopping/{kind}/static/"):
        assert below.ask("GET", path).status == 404


@both
def test_rules_are_below_the_base_path(below, kind):
    moved = below.ask("GET", f"/shop/{kind}/old/a/")
    assert (moved.status, moved.header("location")) == (308, f"/shop/{kind}/a")
    assert below.ask("GET", f"/{kind}/old/a").status == 404
    found = below.ask("GET", f"/shop/v1/{kind}/static/")
    assert seen(found)["route"] == f"/{kind}/static"
    assert below.ask("GET", f"/shop/{kind}/static/").header("x-config") == "site"


def test_a_rule_outside_the_base_path(below):
    answer = below.ask("GET", "/")
    assert (answer.status, answer.header("location")) == (307, "/shop/n/static/")
