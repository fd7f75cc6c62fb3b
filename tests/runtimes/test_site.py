import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtimes import site
from runtimes.site import Redirect, Rewrite
from runtimes.site_rules import Has, HeaderRule, RedirectRule, RewriteRule, Site, from_document


class Subject:
    def __init__(self, headers=(), cookies=(), host="api.example"):
        self.headers, self.cookies, self._host = dict(headers), dict(cookies), host

    def header(self, name):
        return self.headers.get(name)

    def cookie(self, name):
        return self.cookies.get(name)

    def query(self, name):
        raise AssertionError("conditions look at the query that is handed in")

    def host(self):
        return self._host


ANYBODY = Subject()


def redirected(rule, path, query="", subject=ANYBODY, **settings):
    return site.redirect_for(site.compile_site(Site(redirects=(rule,), **settings)), path, query, subject)


def location(source, destination, path, query=""):
    found = redirected(RedirectRule(source, destination, 308), path, query)
    return found and found.location


def headers(*rules, path="/a", query="", subject=ANYBODY):
    return site.headers_for(site.compile_site(Site(headers=rules)), path, query, subject)


def rewritten(source, destination, path, query="", subject=ANYBODY, **settings):
    compiled = site.compile_site(Site(fallback=(RewriteRule(source, destination, **settings),)))
    return next(site.rewrites(compiled, "fallback", path, query, subject), None)


# -- redirects -------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "destination", "path", "query", "expected"),
    [
        ("/old/:slug", "/new/:slug", "/old/a", "", "/new/a"),
        ("/old/:slug", "/new/:slug", "/OLD/a", "", "/new/a"),
        ("/old/:slug", "/new/:slug", "/old/a/", "", "/new/a"),
        ("/old/:slug", "/new/:slug", "/old/a/b", "", None),
        ("/old/:slug", "/new/:slug", "/old/a%2Fb", "", "/new/a%2Fb"),
        ("/old/:path*", "/new/:path*", "/old/a/b", "x=1&x=2", "/new/a/b?x=1&x=2"),
        ("/old/:path*", "/new/:path*", "/old", "", "/new"),
        ("/:id(\\d+)", "/n/:id", "/12", "", "/n/12"),
        ("/:id(\\d+)", "/n/:id", "/1a", "", None),
        ("/a/:b", "/n?q=:b&z=1", "/a/x", "q=0&y=%20", "/n?y=%20&q=x&z=1"),
        ("/a/:b", "/n?t=12:30", "/a/x", "", "/n?t=12:30"),
        ("/a/:b", "/n#:b", "/a/x", "y=1", "/n?y=1#x"),
        ("/a/:b", "https://:b.example.com:81/p", "/a/x", "", "https://x.example.com:81/p"),
        ("/a", "https://example.com", "/a", "y=1", "https://example.com/?y=1"),
        ("/a", "/größe", "/a", "", "/gr%C3%B6%C3%9Fe"),
        ("/", "/home", "/", "", "/home"),
    ],
)
def test_where_a_redirect_leads(source, destination, path, query, expected):
    assert location(source, destination, path, query) == expected


def test_the_first_redirect_that_matches_is_taken_with_its_status():
    rules = (RedirectRule("/a", "/b", 302), RedirectRule("/a", "/c", 301))
    found = site.redirect_for(site.compile_site(Site(redirects=rules)), "/a", "", ANYBODY)
    assert found == Redirect("/b", 302)


def test_groups_and_keys_of_has_fill_the_destination():
    rule = RedirectRule(
        "/a",
        "/:who/:role?h=:host",
        307,
        has=(
            Has("header", "X-User", "id-(?<who>.+)"),
            Has("cookie", "role"),
            Has("host", None, "(?:[a-z]+\\.)?example"),
        ),
    )
    subject = Subject({"x-user": "id-7"}, {"role": "a b"}, "api.example")
    assert redirected(rule, "/a", "", subject) == Redirect("/7/a%20b?h=api.example", 307)
    assert redirected(rule, "/a", "", Subject({"x-user": "7"}, {"role": "a"})) is None


def test_conditions_on_the_query_and_missing_ones():
    rule = RedirectRule(
        "/a", "/b", 307, has=(Has("query", "page", "\\d+"),), missing=(Has("header", "x-no"),)
    )
    assert redirected(rule, "/a", "page=1")
    assert redirected(rule, "/a", "page=x") is None
    assert redirected(rule, "/a", "page=x&page=2")
    assert redirected(rule, "/a", "page=1", Subject({"x-no": "1"})) is None


@pytest.mark.parametrize(
    "value", ["//evil.example", "\\evil.example", "/\\/evil.example", "a\r\nset-cookie: x=1"]
)
def test_a_parameter_never_leads_to_another_host_or_line(value):
    rule = RedirectRule("/a", "/:to", 307, has=(Has("header", "to"),))
    found = redirected(rule, "/a", "", Subject({"to": value})).location
    assert not found.startswith(("//", "/\\"))
    assert found.isprintable()


def test_a_parameter_in_a_host_stays_one_label():
    rule = RedirectRule("/a", "https://:to.example/x", 307, has=(Has("header", "to"),))
    assert (
        redirected(rule, "/a", "", Subject({"to": "evil.test/?"})).location
        == "https://evil.test%2F%3F.example/x"
    )


def test_a_parameter_in_a_query_stays_one_value():
    assert location("/a/:b", "/n?q=:b", "/a/x&admin=1") == "/n?q=x%26admin%3D1"


# -- headers ---------------------------------------------------------------


def test_names_and_values_of_headers_take_parameters():
    rule = HeaderRule(
        "/api/:path*", (("X-:path*", "cfg-:path*"), ("X-Time", "12:30 (*)"), ("X-Path", ":path*"))
    )
    assert headers(rule, path="/api/a") == [(b"x-a", b"cfg-a"), (b"x-time", b"12:30 (*)"), (b"x-path", b"a")]


def test_several_segments_in_a_header():
    assert headers(HeaderRule("/:path*", (("X-Path", ":path*"),)), path="/a/b") == [(b"x-path", b"a/b")]


def test_a_parameter_that_is_absent_is_empty():
    assert headers(HeaderRule("/a/:path*", (("X-Path", ":path*"),)), path="/a") == [(b"x-path", b"")]


def test_later_rules_win_and_cookies_add_up():
    found = headers(
        HeaderRule("/:path*", (("X-A", "1"), ("Set-Cookie", "a=1"))),
        HeaderRule("/a", (("x-a", "2"), ("Set-Cookie", "b=2"))),
    )
    assert found == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-a", b"2")]


def test_a_header_takes_no_line_break_and_no_unfit_name_from_a_request():
    rule = HeaderRule("/a", (("X-To", "v=:to"), (":to", "x")), has=(Has("header", "to"),))
    assert headers(rule, subject=Subject({"to": "a\r\nb ☃"})) == [(b"x-to", b"v=ab ")]


# -- rewrites --------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "destination", "path", "query", "expected"),
    [
        ("/v1/:path*", "/api/:path*", "/v1/a/b", "x=1", Rewrite("/api/a/b", "x=1")),
        ("/v1/:path*", "/api", "/v1/a/b", "x=1", Rewrite("/api", "x=1&path=a&path=b")),
        ("/v1/:a/:b", "/api/:a", "/v1/1/2", "", Rewrite("/api/1", "")),
        ("/v1/:a/:b", "/api?b=:a", "/v1/1/2", "a=0", Rewrite("/api", "b=1&a=1")),
        ("/v1/(.*)", "/api", "/v1/1", "", Rewrite("/api", "")),
        (
            "/v1/:a",
            "http://127.0.0.1:81/:a?k=1",
            "/v1/x",
            "y=2",
            Rewrite("/x", "y=2&k=1", "http://127.0.0.1:81"),
        ),
        ("/v1/:a", "/api", "/v2/x", "", None),
    ],
)
def test_where_a_rewrite_leads(source, destination, path, query, expected):
    assert rewritten(source, destination, path, query) == expected


def test_rewrites_of_a_stage_follow_each_other_up_to_another_host():
    rules = (
        RewriteRule("/a", "/b?x=1"),
        RewriteRule("/never", "/z"),
        RewriteRule("/b", "/c", has=(Has("query", "x", "1"),)),
        RewriteRule("/c", "https://example.com/d"),
        RewriteRule("/:path*", "/e"),
    )
    compiled = site.compile_site(Site(before_files=rules))
    assert list(site.rewrites(compiled, "before_files", "/a", "", ANYBODY)) == [
        Rewrite("/b", "x=1"),
        Rewrite("/c", "x=1"),
        Rewrite("/d", "x=1", "https://example.com"),
    ]


ROUTES = {b"/static": "static", b"/other": "static", b"/dynamic": "dynamic"}


@pytest.mark.parametrize(
    ("rules", "path", "end", "found"),
    [
        ({}, "/static", "/static", "static"),
        ({}, "/nowhere", "/nowhere", None),
        ({"before_files": "/static"}, "/static", "/other", "static"),
        ({"after_files": "/static"}, "/static", "/static", "static"),
        ({"after_files": "/dynamic"}, "/dynamic", "/other", "static"),
        ({"fallback": "/dynamic"}, "/dynamic", "/dynamic", "dynamic"),
        ({"fallback": "/nowhere"}, "/nowhere", "/other", "static"),
    ],
)
def test_the_order_in_which_routes_and_rewrites_are_tried(rules, path, end, found):
    rows = {stage: (RewriteRule(source, "/other"),) for stage, source in rules.items()}
    compiled = site.compile_site(Site(**rows))
    start = Rewrite(path, "")
    result = site.resolve(compiled, start, ANYBODY, ROUTES.get, lambda kind: kind == "static")
    assert result == (Rewrite(end, ""), found)


def test_after_files_stops_at_the_first_rewrite_that_finds_a_route():
    rules = (
        RewriteRule("/x", "/nothing"),
        RewriteRule("/nothing", "/dynamic"),
        RewriteRule("/:path*", "/static"),
    )
    compiled = site.compile_site(Site(after_files=rules))
    found = site.resolve(compiled, Rewrite("/x", ""), ANYBODY, ROUTES.get, lambda kind: kind == "static")
    assert found == (Rewrite("/dynamic", ""), "dynamic")


@pytest.mark.parametrize("stage", ["before_files", "after_files", "fallback"])
def test_a_rewrite_to_another_host_ends_the_search(stage):
    compiled = site.compile_site(Site(**{stage: (RewriteRule("/x", "https://example.com/y"),)}))
    found = site.resolve(compiled, Rewrite("/x", ""), ANYBODY, ROUTES.get, lambda kind: kind == "static")
    assert found == (Rewrite("/y", "", "https://example.com"), None)


# -- base path and trailing slash ------------------------------------------


def test_rules_are_below_the_base_path_unless_they_say_no():
    assert redirected(RedirectRule("/a", "/b", 307), "/shop/a", base_path="/shop") == Redirect("/shop/b", 307)
    assert redirected(RedirectRule("/a", "/b", 307), "/a", base_path="/shop") is None
    assert redirected(RedirectRule("/", "/", 307), "/shop", base_path="/shop") == Redirect("/shop", 307)
    free = RedirectRule("/", "/shop", 307, base_path=False)
    assert redirected(free, "/", base_path="/shop") == Redirect("/shop", 307)
    assert redirected(
        RedirectRule("/a", "https://example.com/b", 307), "/shop/a", base_path="/shop"
    ) == Redirect("https://example.com/b", 307)


def test_routes_are_found_below_the_base_path_only():
    compiled = site.compile_site(Site(base_path="/shop"))
    for path, found in (("/shop/static", "static"), ("/static", None), ("/shopstatic", None)):
        assert site.resolve(compiled, Rewrite(path, ""), ANYBODY, ROUTES.get, bool)[1] == found


@pytest.mark.parametrize(
    ("base", "path", "inside"),
    [
        ("", b"/", b"/"),
        ("", b"/a/", b"/a"),
        ("/shop", b"/shop", b"/"),
        ("/shop", b"/shop/", b"/"),
        ("/shop", b"/shop/a", b"/a"),
        ("/shop", b"/shopping", None),
        ("/shop", b"/Shop/a", None),
        ("/shop", b"/", None),
    ],
)
def test_the_path_as_routes_are_spelled(base, path, inside):
    assert site.strip_base(site.compile_site(Site(base_path=base)), path) == inside


@pytest.mark.parametrize(
    ("base", "slash", "path", "expected"),
    [
        ("", False, b"/a/", b"/a"),
        ("", False, b"//a\\b//", b"/a/b"),
        ("", True, b"/a", b"/a/"),
        ("", True, b"/a/", b"/a/"),
        ("", True, b"//a//b", b"/a/b/"),
        ("", True, b"/", b"/"),
        ("", True, b"/a/b.json", b"/a/b.json"),
        ("", True, b"/a/b.json/", b"/a/b.json"),
        ("", True, b"/a.b/c", b"/a.b/c/"),
        ("", True, b"/a/b.", b"/a/b."),
        ("", True, b"/a/b./", b"/a/b./"),
        ("", True, b"/.well-known/x", b"/.well-known/x"),
        ("", True, b"/.well-known/x/", b"/.well-known/x/"),
        ("/shop", False, b"/shop/", b"/shop"),
        ("/shop", False, b"/shop/a/", b"/shop/a"),
        ("/shop", False, b"/a/", b"/a/"),
        ("/shop", True, b"/shop", b"/shop/"),
        ("/shop", True, b"/shop/a", b"/shop/a/"),
        ("/shop", True, b"/shop/.well-known/x", b"/shop/.well-known/x"),
        ("/shop", True, b"/a", b"/a"),
        ("/shop", True, b"/", b"/"),
    ],
)
def test_the_path_that_a_request_is_redirected_to(base, slash, path, expected):
    assert site.canonical(site.compile_site(Site(base_path=base, trailing_slash=slash)), path) == expected


@given(st.text("ab./\\%", max_size=12), st.booleans(), st.sampled_from(["", "/a"]))
def test_a_canonical_path_is_not_redirected_again(text, slash, base):
    compiled = site.compile_site(Site(base_path=base, trailing_slash=slash))
    once = site.canonical(compiled, b"/" + text.encode())
    assert site.canonical(compiled, once) == once


# -- the way into an artifact ----------------------------------------------


def test_a_site_survives_the_way_through_json():
    has = (Has("header", "x-a", "1"), Has("host", None, "b"))
    rules = Site(
        "/shop",
        True,
        (HeaderRule("/a", (("X-A", "1"),), has, has, False),),
        (RedirectRule("/a", "/b", 308, has),),
        (RewriteRule("/c", "/d"),),
        (RewriteRule("/e", "/f", missing=has),),
        (RewriteRule("/g", "/h"),),
    )
    assert from_document(json.loads(json.dumps(dataclasses.asdict(rules)))) == rules
