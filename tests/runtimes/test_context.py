import pytest

from runtimes import after, cookies, headers
from runtimes.context import on_response, route

NOTING = """
from runtimes.context import on_response, route

def middleware(request):
    def note(response):
        response.headers["x-seen"] = f"{response.status_code} {route()}"
        response.headers["x-order"] = response.headers.get("x-order", "") + "NAME"
    on_response(note)
"""

ROUTES = {
    "app/a/[id]/route.py": "def GET():\n    return {}\n\ndef PUT():\n    raise ValueError\n",
    "middleware.py": NOTING.replace("NAME", "outer"),
    "app/a/[id]/middleware.py": NOTING.replace("NAME", "inner"),
}


@pytest.mark.parametrize(
    ("method", "path", "seen"),
    [
        ("GET", "/a/1", "200 /a/[id]"),
        ("PUT", "/a/1", "500 /a/[id]"),
        ("POST", "/a/1", "405 /a/[id]"),
        ("GET", "/nowhere", "404 None"),
    ],
)
def test_on_response_sees_every_final_response_and_its_route(make_app, method, path, seen):
    assert make_app(ROUTES)(method, path).header("x-seen") == seen


def test_the_last_one_given_goes_first(make_app):
    assert make_app(ROUTES)("GET", "/a/1").header("x-order") == "innerouter"


def test_a_fault_in_on_response_is_a_500(make_app, caplog):
    failing = NOTING.replace('f"{response.status_code} {route()}"', "1 / 0")
    answer = make_app({"app/a/route.py": "def GET():\n    return {}\n", "middleware.py": failing})(
        "GET", "/a"
    )
    assert (answer.status, answer.body) == (500, b'{"error":"Internal Server Error"}')
    assert "on_response() failed" in caplog.text


@pytest.mark.parametrize(
    "call", [headers, cookies, route, lambda: after(print), lambda: on_response(print)], ids=range(5)
)
def test_outside_a_request_each_says_so(call):
    with pytest.raises(RuntimeError, match="outside a request"):
        call()
