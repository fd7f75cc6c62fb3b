import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HELLO = """
from runtimes import Response

async def GET(request):
    return Response.json({"query": dict(request.query_params)})

async def POST(request):
    return {"got": await request.json()}
"""


def test_a_handler_answers(make_app):
    ask = make_app({"app/api/hello/route.py": HELLO})
    answer = ask("GET", "/api/hello?a=1")
    assert (answer.status, answer.header("content-type"), answer.body) == (
        200,
        "application/json",
        b'{"query":{"a":"1"}}',
    )


def test_head_comes_from_get_without_its_body(make_app):
    answer = make_app({"app/api/hello/route.py": HELLO})("HEAD", "/api/hello")
    assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "12")


def test_options_and_405_list_the_methods(make_app):
    ask = make_app({"app/api/hello/route.py": HELLO})
    assert (ask("OPTIONS", "/api/hello").status, ask("OPTIONS", "/api/hello").header("allow")) == (
        204,
        "GET, HEAD, OPTIONS, POST",
    )
    assert (ask("DELETE", "/api/hello").status, ask("DELETE", "/api/hello").header("allow")) == (
        405,
        "GET, HEAD, OPTIONS, POST",
    )


def test_an_unknown_path_is_json_and_an_unknown_method_is_400(make_app):
    ask = make_app({"app/api/hello/route.py": HELLO})
    assert (ask("GET", "/nowhere").status, ask("GET", "/nowhere").body) == (404, b'{"error":"Not Found"}')
    assert (ask("BREW", "/api/hello").status, ask("BREW", "/api/hello").body) == (400, b"")


def test_a_path_that_is_not_canonical_is_redirected_with_its_query(make_app):
    answer = make_app({"app/api/hello/route.py": HELLO})("GET", "//api/hello/?x=%20")
    assert (answer.status, answer.header("location")) == (308, "/api/hello?x=%20")


def test_bad_json_is_the_clients_fault(make_app):
    answer = make_app({"app/api/hello/route.py": HELLO})("POST", "/api/hello", body=b'{"a":')
    assert answer.status == 400
    assert json.loads(answer.body)["error"].startswith("Invalid JSON: ")


@pytest.mark.parametrize(
    ("headers", "body"),
    [([("content-length", "11")], b""), ([], [b"x" * 6, b"x" * 6])],
    ids=["declared", "in chunks"],
)
def test_a_body_above_the_limit_is_refused_before_the_handler(make_app, headers, body):
    ask = make_app(
        {"app/api/hello/route.py": "def POST(request):\n    raise SystemError\n"},
        {"app/api/hello/route.py": {"max_body_size": 10}},
    )
    assert ask("POST", "/api/hello", headers, body).status == 413


def test_an_uncaught_error_leaks_nothing_and_is_logged_with_its_file(make_app, caplog):
    answer = make_app({"app/api/x/route.py": 'def GET():\n    raise ValueError("secret")\n'})("GET", "/api/x")
    assert (answer.status, answer.body) == (500, b'{"error":"Internal Server Error"}')
    assert "app/api/x/route.py GET failed" in caplog.text
    assert "secret" in caplog.text


def test_nothing_returned_is_a_500_that_names_file_and_type(make_app, caplog):
    assert make_app({"app/api/x/route.py": "def GET():\n    pass\n"})("GET", "/api/x").status == 500
    assert "app/api/x/route.py GET returned NoneType, not a response" in caplog.text


def test_a_redirect_passes_through_except_exception_and_keeps_cookies(make_app):
    source = """
from runtimes import cookies, redirect

async def GET():
    cookies().set("seen", "1")
    try:
        redirect("/there")
    except Exception:
        return {}
"""
    answer = make_app({"app/api/x/route.py": source})("GET", "/api/x")
    assert (answer.status, answer.header("location"), answer.all("set-cookie")) == (
        307,
        "/there",
        ["seen=1; Path=/"],
    )


def test_a_stream_goes_out_in_chunks(make_app):
    source = """
from starlette.responses import StreamingResponse

async def GET():
    async def parts():
        yield "a"
        yield "b"
    return StreamingResponse(parts())
"""
    assert make_app({"app/api/x/route.py": source})("GET", "/api/x").chunks == [b"a", b"b"]


def test_after_runs_when_the_answer_is_out(make_app, tmp_path):
    source = f"""
from pathlib import Path
from runtimes import after

def GET():
    after(lambda: Path({str(tmp_path / "log")!r}).write_text("ran"))
    return {{"there": Path({str(tmp_path / "log")!r}).exists()}}
"""
    answer = make_app({"app/api/x/route.py": source})("GET", "/api/x")
    assert answer.body == b'{"there":false}'
    assert (tmp_path / "log").read_text() == "ran"


def test_a_route_of_another_function_is_not_imported_nor_owned_but_forwarded(make_app, caplog, monkeypatch):
    ask = make_app(
        {"app/api/a/route.py": HELLO, "app/api/b/route.py": "raise SystemError"},
        {"app/api/b/route.py": {"function": "other"}},
    )
    assert ask.app.owns(b"/api/a")
    assert ask.app.owns(b"/nowhere")
    assert not ask.app.owns(b"/api/b/")
    # never to what the client calls the app
    assert ask("GET", "/api/b", [("host", "127.0.0.1:9")]).status == 502
    assert "no origin to forward to is known" in caplog.text
    monkeypatch.setenv("PACKAGER_ORIGIN", "http://127.0.0.1:9")
    assert ask("GET", "/api/b").status == 502
    assert "forwarding to http://127.0.0.1:9 failed" in caplog.text


@pytest.mark.parametrize(
    ("revalidate", "value"),
    [
        (60, "s-maxage=60, stale-while-revalidate=31535940"),
        (0, "private, no-cache, no-store, max-age=0, must-revalidate"),
        (False, "s-maxage=31536000"),
        (None, None),
    ],
)
def test_revalidate_becomes_a_cache_header(make_app, revalidate, value):
    ask = make_app({"app/api/x/route.py": HELLO}, {"app/api/x/route.py": {"revalidate": revalidate}})
    assert ask("GET", "/api/x").header("cache-control") == value
    assert ask("POST", "/api/x", body=b"1").header("cache-control") is None


def test_lifespan_is_answered(make_app):
    app = make_app({"app/api/x/route.py": HELLO}).app
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message["type"])

    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    method=st.sampled_from(["GET", "POST", "OPTIONS", "HEAD", "X"]),
    path=st.text(st.characters(max_codepoint=255), max_size=20),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["host", "cookie", "content-length", "content-type", "origin", "x-a"]),
            st.text(st.characters(max_codepoint=255), max_size=15),
        ),
        max_size=4,
    ),
    body=st.binary(max_size=20),
)
def test_no_request_breaks_the_dispatcher(shared_app, method, path, headers, body):
    assert 200 <= shared_app(method, "/" + path, headers, body).status <= 500


@pytest.fixture
def shared_app(make_app):
    return make_app(
        {
            "app/api/hello/route.py": HELLO,
            "app/[...rest]/route.py": "def GET(request, params):\n    return [params, request.cookies]\n",
            "middleware.py": "def middleware(request):\n    return None\n",
        },
        matchers={"middleware.py": ("/:path*", {"source": "/x", "has": [{"type": "query", "key": "a"}]})},
    )


def test_repeated_headers_are_one_value_on_the_way_in_and_one_row_on_the_way_out(make_app):
    source = """
from starlette.responses import JSONResponse

def GET(request):
    response = JSONResponse([request.headers["x-a"], request.cookies])
    response.headers.append("link", "<a>")
    response.headers.append("link", "<b>")
    response.set_cookie("c", "1")
    response.set_cookie("d", "2")
    return response
"""
    headers = [("X-A", "1"), ("Cookie", "a=1"), ("x-a", "2"), ("cookie", "b=2")]
    answer = make_app({"app/x/route.py": source})("GET", "/x", headers)
    assert answer.body == b'["1,2",{"a":"1","b":"2"}]'
    assert answer.all("link") == ["<a>, <b>"]
    assert len(answer.all("set-cookie")) == 2
