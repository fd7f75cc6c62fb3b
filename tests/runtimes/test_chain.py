import json

import pytest

ECHO = """
from runtimes import cookies, headers

async def GET(request, params):
    return {
        "path": request.url.path,
        "query": request.url.query,
        "params": params,
        "cookies": request.cookies,
        "store": {cookie.name: cookie.value for cookie in cookies().get_all()},
        "x": headers().get("x-a"),
        "state": getattr(request.state, "who", None),
        "original": getattr(request.state, "original_url", None),
    }
"""


def asked(answer):
    return json.loads(answer.body)


def test_state_cookies_and_headers_reach_the_handler(make_app):
    middleware = """
from runtimes import Response

async def middleware(request):
    request.state.who = "eve"
    response = Response.next(headers={"X-Out": "1"}, request_headers={**request.headers, "x-a": "2"})
    response.cookies.set("added", "a b")
    response.cookies.delete("old")
    return response
"""
    ask = make_app({"app/api/x/route.py": ECHO, "middleware.py": middleware})
    answer = ask("GET", "/api/x", [("cookie", "old=1; kept=1"), ("x-a", "1")])
    seen = asked(answer)
    assert (seen["state"], seen["x"]) == ("eve", "2")
    assert seen["cookies"] == seen["store"] == {"kept": "1", "added": "a b"}
    assert answer.header("x-out") == "1"
    assert answer.all("set-cookie")[0] == "added=a%20b; Path=/"


def test_middleware_wins_over_the_handlers_headers_but_both_cookies_stay(make_app):
    handler = """
from runtimes import Response

def GET():
    response = Response.json({}, headers={"X-Both": "handler", "Vary": "Accept"})
    response.cookies.set("h", "1")
    return response
"""
    middleware = """
from runtimes import Response

def middleware(request):
    response = Response.next(headers={"X-Both": "middleware", "Vary": "Cookie"})
    response.cookies.set("m", "1")
    return response
"""
    answer = make_app({"app/api/x/route.py": handler, "middleware.py": middleware})("GET", "/api/x")
    assert (answer.header("x-both"), answer.header("vary")) == ("middleware", "Cookie, Accept")
    assert answer.all("set-cookie") == ["m=1; Path=/", "h=1; Path=/"]


def trail(name):
    return f"""
from runtimes import Response

def middleware(request):
    return Response.next(request_headers={{**request.headers, "x-a": request.headers.get("x-a", "") + "{name}"}})
"""


def test_folders_run_from_outside_in_and_siblings_do_not(make_app):
    ask = make_app(
        {
            "app/a/b/route.py": ECHO,
            "app/c/route.py": ECHO,
            "middleware.py": trail("0"),
            "app/a/middleware.py": trail("1"),
            "app/a/b/middleware.py": trail("2"),
        }
    )
    assert asked(ask("GET", "/a/b"))["x"] == "012"
    assert asked(ask("GET", "/c"))["x"] == "0"


STOP = "from runtimes import Response\n\ndef middleware(request):\n    return Response.json({}, 401)\n"


@pytest.mark.parametrize("path", ["/a", "/a/b", "/a/nothing", "/a/b/../b", "/x/../a/b"])
def test_a_folders_guard_holds_for_urls_below_it_with_and_without_a_route(make_app, path):
    ask = make_app({"app/a/route.py": ECHO, "app/a/b/route.py": ECHO, "app/a/middleware.py": STOP})
    assert ask("GET", path).status == 401


def test_a_matcher_guards_the_decoded_path_too(make_app):
    ask = make_app(
        {"app/a/[id]/route.py": ECHO, "middleware.py": STOP}, matchers={"middleware.py": ("/a/:path*",)}
    )
    assert ask("GET", "/%61/1").status == 401
    assert ask("GET", "/b").status == 404


def test_no_header_of_a_client_skips_middleware_or_reaches_the_handler(make_app):
    ask = make_app({"app/a/route.py": ECHO, "middleware.py": STOP})
    assert (
        ask("GET", "/a", [("x-middleware-subrequest", "middleware"), ("x-middleware-next", "1")]).status
        == 401
    )


def rewriting(target):
    return f"""
from runtimes import Response

def middleware(request):
    return Response.rewrite("http://site.example{target}")
"""


def test_a_rewrite_goes_to_another_route_and_merges_the_query(make_app):
    ask = make_app({"app/new/route.py": ECHO, "middleware.py": rewriting("/new?b=3&c=%20")})
    seen = asked(ask("GET", "/old?a=1&b=2", [("host", "site.example")]))
    assert (seen["path"], seen["query"]) == ("/new", "a=1&b=3&c=%20")
    assert seen["original"] == "http://site.example/old?a=1&b=2"


def test_a_rewrite_into_a_guarded_folder_is_guarded(make_app):
    ask = make_app({"app/in/route.py": ECHO, "app/in/middleware.py": STOP, "middleware.py": rewriting("/in")})
    assert ask("GET", "/out", [("host", "site.example")]).status == 401


def test_a_rewrite_to_a_route_with_a_smaller_limit_is_held_to_it(make_app):
    ask = make_app(
        {"app/small/route.py": ECHO, "middleware.py": rewriting("/small")},
        {"app/small/route.py": {"max_body_size": 2}},
    )
    assert ask("GET", "/old", [("host", "site.example")], b"123").status == 413


def test_an_answer_that_is_no_response_is_a_500_that_says_so(make_app, caplog):
    ask = make_app({"app/a/route.py": ECHO, "middleware.py": "def middleware(request):\n    return 'no'\n"})
    assert ask("GET", "/a").status == 500
    assert "middleware.py returned str" in caplog.text


def test_a_middleware_file_without_the_function_stops_the_start(make_app):
    with pytest.raises(TypeError, match=r"middleware\.py has no function"):
        make_app({"app/a/route.py": ECHO, "middleware.py": "x = 1\n"})
