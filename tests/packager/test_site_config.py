import pytest

from packager.errors import ProjectError
from packager.project import load
from runtimes.site import compile_site
from runtimes.site_rules import Has, HeaderRule, RedirectRule, RewriteRule, Site

ROUTE = {"app/route.py": ""}


def site_of(write, text):
    return load(write({**ROUTE, "pyproject.toml": text})).settings.site


def refused(write, text):
    with pytest.raises(ProjectError) as caught:
        site_of(write, text)
    return caught.value


def test_a_project_without_rules_has_no_site(write):
    assert site_of(write, "[tool.packager]\ninclude = []\n") is None


def test_every_setting(write):
    text = """
[tool.packager]
base_path = "/shop"
trailing_slash = true
headers = [
  { source = "/api/:path*", headers = { X-Frame-Options = "DENY", Set-Cookie = ["a=1", "b=2"] }, base_path = false },
]
redirects = [
  { source = "/a/:b", destination = "/c/:b", permanent = true },
  { source = "/d", destination = "https://example.com:81/:who", permanent = false, has = [
    { type = "header", key = "X-A", value = "(?<who>.+)" },
  ] },
  { source = "/e", destination = "/f", status_code = 303, missing = [{ type = "host", value = "x" }] },
]
rewrites = [{ source = "/v1/:path*", destination = "/api/:path*" }]
"""
    site = site_of(write, text)
    assert site == Site(
        base_path="/shop",
        trailing_slash=True,
        headers=(
            HeaderRule(
                "/api/:path*",
                (("X-Frame-Options", "DENY"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")),
                base_path=False,
            ),
        ),
        redirects=(
            RedirectRule("/a/:b", "/c/:b", 308),
            RedirectRule("/d", "https://example.com:81/:who", 307, has=(Has("header", "X-A", "(?<who>.+)"),)),
            RedirectRule("/e", "/f", 303, missing=(Has("host", None, "x"),)),
        ),
        after_files=(RewriteRule("/v1/:path*", "/api/:path*"),),
    )
    compile_site(site)


def test_the_stages_of_rewrites(write):
    text = """
[tool.packager.rewrites]
before_files = [{ source = "/a", destination = "/b" }]
fallback = [{ source = "/c", destination = "https://example.com/", base_path = false }]
"""
    site = site_of(write, text)
    assert (site.before_files, site.after_files) == ((RewriteRule("/a", "/b"),), ())
    assert site.fallback == (RewriteRule("/c", "https://example.com/", base_path=False),)


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('base_path = "shop"', "base_path is no path prefix: 'shop'", 'base_path = "/shop"'),
        ('base_path = "/shop/"', "no path prefix", "none at the end"),
        ('base_path = "/"', "no path prefix", ""),
        ("base_path = 1", "no path prefix", ""),
        ('trailing_slash = "yes"', "must be true or false", "trailing_slash = true"),
        ("headers = 1", "headers must be a list of tables", "headers = [{"),
        ("redirects = [1]", "redirects[0]: 1 is no table", "source"),
        ("rewrites = { after = [] }", "has no setting 'after'", "after_files"),
        ("rewrites = { fallback = 1 }", "rewrites.fallback must be a list", "["),
    ],
)
def test_a_bad_setting_is_named_with_its_line(write, line, message, hint):
    error = refused(write, f"[tool.packager]\n\n{line}\n")
    assert message in error.message
    assert hint in error.hint
    assert error.place == "pyproject.toml:3"


REDIRECT = 'source = "/a/:b", destination = "/c", permanent = true'


@pytest.mark.parametrize(
    ("rule", "message", "hint"),
    [
        ('destination = "/b", permanent = true', "`source` is missing", "source ="),
        ('source = "a", destination = "/b", permanent = true', "`source` does not start with /", "/old"),
        ('source = 1, destination = "/b", permanent = true', "`source` does not start with /", ""),
        ('source = "/größe", destination = "/b", permanent = true', "escaped", "/gr%C3%B6%C3%9Fe"),
        (
            'source = "/a/(:b", destination = "/b", permanent = true',
            "`source` is no valid pattern",
            "path-to",
        ),
        ('source = "/*", destination = "/b", permanent = true', "`source` is no valid pattern", ""),
        (f'source = "/{"a" * 4096}", destination = "/b", permanent = true', "longer than 4096", ""),
        ('source = "/a", destination = "/b"', "`permanent` is neither true nor false", "status_code"),
        ('source = "/a", destination = "/b", permanent = 1', "`permanent` is neither", ""),
        ('source = "/a", destination = "/b", status_code = 304', "304 is no redirect", "301, 302, 303"),
        ('source = "/a", destination = "/b", status_code = true', "is no redirect", ""),
        ('source = "/a", destination = "/b", permanent = true, status_code = 301', "exclude each other", ""),
        ('source = "/a", permanent = true', "`destination` is missing", ""),
        ('source = "/a", destination = 1, permanent = true', "`destination` must be a text", ""),
        ('source = "/a", destination = "b", permanent = true', "neither with a slash nor", ""),
        ('source = "/a", destination = "/b/:c", permanent = true', "not in `source` or `has` (c)", "none"),
        ('source = "/a/:b", destination = "/:c/:d", permanent = true', "(c, d)", ":b"),
        ('source = "/a", destination = "https://:c.x/", permanent = true', "(c)", "backslash"),
        ('source = "/a/(.*)", destination = "/b/:0", permanent = true', "unnamed params :0", "/:rest(.*)"),
        ('source = "/a/:b*", destination = "/b/:b", permanent = true', "several segments", ":b*"),
        ('source = "/a", destination = "/b/(", permanent = true', "`destination` is no valid pattern", ""),
        (f"{REDIRECT}, statusCode = 301", "no 'statusCode' here", "Did you mean 'status_code'?"),
        (f"{REDIRECT}, locale = false", "no 'locale' here", "Known settings: source"),
        (f"{REDIRECT}, base_path = true", "can only be false", ""),
        (f"{REDIRECT}, has = 1", "`has` must be a list", ""),
        (f'{REDIRECT}, has = [{{ type = "ip", key = "a" }}]', "`has[0].type` must be one of", "header"),
        (f'{REDIRECT}, missing = [{{ type = "cookie" }}]', "`missing[0].key` must be a string", ""),
        (f'{REDIRECT}, has = [{{ type = "host", value = "(" }}]', "invalid value at `has[0]`", ""),
    ],
)
def test_a_bad_redirect_is_named_with_its_line(write, rule, message, hint):
    good = '  { source = "/good", destination = "/b", permanent = true },'
    error = refused(write, f"[tool.packager]\nredirects = [\n{good}\n  {{ {rule} }},\n]\n")
    assert error.message.startswith("redirects[1]: ")
    assert message in error.message
    assert hint in error.hint
    has_source = rule.startswith("source = ") and "source = 1" not in rule
    assert error.place == f"pyproject.toml:{4 if has_source else 2}"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ('source = "/a", destination = "ftp://x/"', "neither a path nor an http(s) URL"),
        ('source = "/a", destination = "/b", base_path = false', "outside the base path"),
        ('source = "/a", destination = "/b", permanent = true', "no 'permanent' here"),
    ],
)
def test_a_bad_rewrite_is_named_with_its_line(write, rule, message):
    error = refused(write, f"[tool.packager.rewrites]\nfallback = [\n  {{ {rule} }},\n]\n")
    assert error.message.startswith("rewrites.fallback[0]: ")
    assert message in error.message
    assert error.place == "pyproject.toml:3"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ("{}", "at least one header"),
        ('[{ key = "X-A", value = "1" }]', "must be a table"),
        ("{ X-A = 1 }", "X-A must be a text of one line"),
        ('{ X-A = ["1"] }', "X-A must be a text of one line"),
        ('{ X-A = "a\\nb" }', "X-A must be a text of one line"),
        ('{ "X A" = "1" }', "'X A' is no name of a header"),
        ('{ X-A = ":b:c" }', "`headers` is no valid pattern"),
    ],
)
def test_bad_headers_are_named_with_their_line(write, headers, message):
    rule = f'{{ source = "/:b/:c", headers = {headers} }}'
    error = refused(write, f"[tool.packager]\nheaders = [\n  {rule},\n]\n")
    assert error.message.startswith("headers[0]: ")
    assert message in error.message
    assert error.place == "pyproject.toml:3"


def test_rules_of_several_lines_and_equal_sources_keep_their_own_lines(write):
    text = """
[[tool.packager.redirects]]
source = "/a"
destination = "/b"
permanent = true

[[tool.packager.redirects]]
source = "/a"
destination = "/b/:c"
permanent = true
"""
    error = refused(write, text)
    assert error.message.startswith("redirects[1]: ")
    assert error.place == "pyproject.toml:9"
