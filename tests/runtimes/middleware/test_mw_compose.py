import json
import subprocess
import sys

import pytest

from runtimes.middleware import compose

HEAD = "from runtimes import Response, cookies, redirect, unauthorized\n"

PARTS = {
    "nothing": "def middleware(request):\n    request.state.seen = True",
    "headers": """
async def middleware(request):
    response = Response.next(headers={"X-Who": "first", "Vary": "Cookie", "X-One": "1"})
    response.cookies.set("a", "1").set("both", "first")
    return response
""",
    "others": """
def middleware(request):
    response = Response.next(headers={"X-Who": "second", "Vary": "Accept"})
    response.cookies.set("b", request.cookies.get("a", "none")).set("both", "second")
    return response
""",
    "request_headers": """
def middleware(request):
    return Response.next(request_headers={**request.headers, "x-a": request.headers.get("x-a", "") + "1"})
""",
    "store": 'def middleware(request):\n    cookies().set("stored", "yes").delete("old")',
    "rewrite": """
def middleware(request):
    url = request.url.replace(path="/api/v1/w/y", query="new=1")
    return Response.rewrite(url, headers={"X-Rewritten": request.url.path})
""",
    "elsewhere": 'def middleware(request):\n    return Response.rewrite("http://127.0.0.1:1/?a=1")',
    "answer": """
def middleware(request):
    response = Response.json({"error": "no"}, 403, {"X-Who": "answer", "Vary": "Origin"})
    response.cookies.set("denied", "1")
    return response
""",
    "redirect": 'def middleware(request):\n    cookies().set("back", "1")\n    redirect("/api/y")',
    "unauthorized": "def middleware(request):\n    unauthorized()",
    "crash": "async def middleware(request):\n    raise ValueError('boom')",
    "json": "async def middleware(request):\n    await request.json()",
}
FOLDERS = ("middleware.py", *(f"app/{name}/middleware.py" for name in ("api", "api/v1", "api/v1/w")))
ROUTE = """
def POST(request):
    return {"url": str(request.url), "cookies": request.cookies, "a": request.headers.get("x-a"),
            "original": getattr(request.state, "original_url", None)}
"""


def answered(answer):
    rows = [(name, value) for name, value in answer.headers if name != "set-cookie"]
    return answer.status, answer.body, sorted(rows), sorted(answer.all("set-cookie"))


@pytest.mark.parametrize(
    "names",
    [
        ("nothing",),
        ("headers", "others"),
        ("headers", "nothing", "store", "others"),
        ("request_headers", "request_headers", "headers"),
        ("headers", "rewrite", "others", "request_headers"),
        ("rewrite", "rewrite"),
        ("headers", "elsewhere", "crash"),
        ("headers", "others", "answer", "crash"),
        ("headers", "others", "redirect"),
        ("store", "headers", "unauthorized"),
        ("headers", "crash", "others"),
        ("headers", "json"),
    ],
    ids="-".join,
)
def test_parts_do_what_the_same_files_in_nested_folders_do(make_app, names):
    routes = {f"app/api/v1/w/{name}/route.py": ROUTE for name in "xy"}
    nested = {file: HEAD + PARTS[name] for file, name in zip(FOLDERS, names, strict=False)}
    parts = [PARTS[name].replace("def middleware", f"def part{index}") for index, name in enumerate(names)]
    called = ", ".join(f"part{index}" for index in range(len(names)))
    compose = f"\nfrom runtimes.middleware import compose\nmiddleware = compose({called})\n"
    composed = {"middleware.py": "\n".join([HEAD, *parts, compose])}
    request = ("POST", "/api/v1/w/x?old=1", [("cookie", "old=1; kept=2"), ("x-a", "0")], b"no json")
    expected = answered(make_app({**routes, **nested})(*request))
    assert answered(make_app({**routes, **composed})(*request)) == expected


def test_a_composition_is_a_part_too(guarded):
    code = "async def leave(request):\n    request.state.seen = True\n"
    answer = guarded("request_log()", "compose(leave, rate_limit(5, per=60))", code=code)("GET", "/api/x")
    assert (answer.status, answer.header("ratelimit-remaining")) == (200, "4")


def test_what_is_no_function_stops_the_start():
    with pytest.raises(TypeError, match=r"compose\(\) takes middleware functions, not 'guard'"):
        compose("guard")


def test_an_answer_that_is_no_response_names_the_part(guarded, caplog):
    answer = guarded("wrong", code="def wrong(request):\n    return 'no'\n")("GET", "/api/x")
    assert answer.status == 500
    assert "middleware.wrong returned str: return a Response or None" in caplog.text


def test_only_the_modules_of_the_parts_that_are_used_are_imported():
    code = (
        "import sys\nfrom runtimes.middleware import compose, cors\n"
        "assert not {'itsdangerous', 'boto3', 'runtimes.middleware.limits'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_name_stays_a_function_after_its_module_was_imported():
    code = (
        "import runtimes.middleware.sessions, runtimes.middleware.limits\n"
        "from runtimes.middleware import rate_limit, session\n"
        "assert callable(rate_limit) and callable(session)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_part_at_all_lets_everything_through(guarded):
    assert json.loads(guarded()("GET", "/api/x").body)["path"] == "/api/x"
