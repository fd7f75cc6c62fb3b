import pytest
from starlette.datastructures import Headers

from runtimes.cors import apply
from runtimes.responses import Response
from runtimes.table import Cors

ROUTE = "def GET():\n    return {}\n\ndef PUT():\n    raise ValueError\n"
NAMED = Cors(origins=("https://a.example",), headers=("X-A",), credentials=True, max_age=60)


@pytest.fixture
def ask(make_app):
    return lambda cors: make_app({"app/x/route.py": ROUTE}, {"app/x/route.py": {"cors": cors}})


def preflight(origin):
    return [("origin", origin), ("access-control-request-method", "PUT")]


def test_a_named_origin_gets_its_name_and_every_answer_varies(ask):
    answer = ask(NAMED)("GET", "/x", [("origin", "https://a.example")])
    assert answer.header("access-control-allow-origin") == "https://a.example"
    assert answer.header("access-control-allow-credentials") == "true"
    assert ask(NAMED)("GET", "/x").header("vary") == "Origin"


def test_an_answer_that_varies_with_the_origin_says_so_once():
    response = Response.json({}, headers={"vary": "Cookie, Origin"})
    apply(NAMED, Headers({"origin": "https://a.example"}), response)
    assert response.headers.getlist("vary") == ["Cookie, Origin"]


def test_another_origin_is_served_without_permission(ask):
    answer = ask(NAMED)("GET", "/x", [("origin", "https://a.example.evil")])
    assert (answer.status, answer.header("access-control-allow-origin")) == (200, None)


def test_an_error_carries_the_permission(ask):
    answer = ask(NAMED)("PUT", "/x", [("origin", "https://a.example")])
    assert (answer.status, answer.header("access-control-allow-origin")) == (500, "https://a.example")


def test_a_preflight_lists_what_is_configured_or_else_the_routes_methods(ask):
    answer = ask(NAMED)("OPTIONS", "/x", preflight("https://a.example"))
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-methods") == "GET, HEAD, OPTIONS, PUT"
    assert answer.header("access-control-allow-headers") == "X-A"
    assert answer.header("access-control-max-age") == "60"


def test_a_preflight_of_another_origin_gets_nothing(ask):
    answer = ask(NAMED)("OPTIONS", "/x", preflight("https://evil.example"))
    assert [name for name, _ in answer.headers if name.startswith("access-control")] == []


def test_any_origin_is_a_star_and_asked_headers_are_granted_where_none_are_listed(ask):
    headers = [*preflight("https://b.example"), ("access-control-request-headers", "x-b")]
    answer = ask(Cors(origins=("*",)))("OPTIONS", "/x", headers)
    assert answer.header("access-control-allow-origin") == "*"
    assert answer.header("access-control-allow-headers") == "x-b"


@pytest.mark.parametrize(
    "origin", ["https://eu.shop.example", "https://a-1.shop.example", "https://other.example:8443"]
)
def test_an_origin_that_fits_a_pattern_is_named(ask, origin):
    cors = Cors(("https://*.shop.example", "https://*.example:8443"), credentials=True)
    answer = ask(cors)("GET", "/x", [("origin", origin)])
    assert answer.header("access-control-allow-origin") == origin
    assert (answer.header("access-control-allow-credentials"), answer.header("vary")) == ("true", "Origin")
    assert ask(cors)("OPTIONS", "/x", preflight(origin)).header("access-control-allow-origin") == origin


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "https://shop.example",
            "https://.shop.example",
            "https://a.b.shop.example",
            "https://evilshop.example",
        ),
        *("http://eu.shop.example", "https://eu.shop.example:8443", "https://eu.shop.example.evil", "null"),
        *("https://evil/.shop.example", "https://euxshop.example", "https://evil:1@.shop.example"),
        *("https://*.shop.example.", "xhttps://eu.shop.example", "https://eu.shop.example\n", ""),
    ],
)
def test_an_origin_beside_the_pattern_gets_nothing(ask, origin):
    answer = ask(Cors(("https://*.shop.example",)))("GET", "/x", [("origin", origin)])
    assert (answer.header("access-control-allow-origin"), answer.header("vary")) == (None, "Origin")
