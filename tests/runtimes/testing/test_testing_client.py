"""Routes asked through `runtimes.testing.Client`: projects of files, both runtimes, what a client leaves behind."""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from runtimes import Geo
from runtimes.testing import Client, ProjectFaultError

ECHO = """\
import os
import sys
import threading
from runtimes import Request, after, cookies
{head}
done = []


def GET(request: Request):
    after(lambda: done.append("after"))
    here = threading.current_thread() is threading.main_thread()
    return {{
        "url": str(request.url), "ip": request.ip, "country": request.geo.country, "city": request.geo.city,
        "here": here, "theme": request.cookies.get("theme"), "greeting": os.environ.get("GREETING"),
        "done": done, "folder": os.path.basename(os.getcwd()), "agent": request.headers.get("x-agent"),
    }}


async def POST(request: Request):
    form = await request.json()
    cookies().set("seen", form["name"], secure=True, httponly=True)
    return {{"length": len(form["name"])}}
"""
PROJECT = {
    "pyproject.toml": '[project]\nname = "shop"\n[tool.packager.environment]\nvariables = { GREETING = "settings" }\n',
    "app/api/node/route.py": ECHO.format(head=""),
    "app/api/edge/route.py": ECHO.format(head='runtime = "edge"'),
}


@pytest.fixture
def shop(write):
    return write(PROJECT)


@pytest.mark.parametrize(("path", "thread"), [("/api/node", False), ("/api/edge", True)])
def test_a_route_runs_as_on_its_runtime(shop, path, thread):
    with Client(shop, geo=Geo("DE", city="Köln"), ip="192.0.2.7", cookies={"theme": "dark"}) as client:
        first = client.get(f"{path}?a=%2F&b=1", headers={"x-agent": "me", "cloudfront-viewer-city": "Rome"})
        assert first.json() == {
            "url": f"https://app.test{path}?a=%2F&b=1",
            "ip": "192.0.2.7",
            "country": "DE",
            "city": "Köln",
            "here": thread,
            "theme": "dark",
            "greeting": "settings",
            "done": [],
            "folder": "project",
            "agent": "me",
        }
        assert client.get(path).json()["done"] == ["after"]
        assert client.get(path, geo=None, ip="192.0.2.8").json()["country"] is None


@pytest.mark.parametrize("path", ["/api/node", "/api/edge"])
def test_cookies_are_kept_as_a_browser_keeps_them(shop, path):
    with Client(shop) as client:
        answer = client.post(path, json={"name": "ada"})
        assert answer.headers["set-cookie"] == "seen=ada; Path=/; Secure; HttpOnly"
        assert client.cookies["seen"] == "ada"
        assert client.get(path, cookies={"theme": "light"}).json()["theme"] == "light"
        assert client.get(path).json()["theme"] is None


def test_every_route_can_be_put_on_one_runtime(shop):
    with Client(shop, runtime="nodejs") as client:
        assert client.get("/api/edge").json()["here"] is False
    with Client(shop, runtime="edge") as client:
        assert client.get("/api/node").json()["here"] is True


def test_the_environment_is_the_projects_and_ends_with_the_client(shop, write, monkeypatch):
    monkeypatch.delenv("GREETING", raising=False)
    write({".env": "GREETING=file\n", ".env.local": "GREETING=local\n"})
    before = dict(os.environ)

    def greeting(**options):
        with Client(shop, **options) as client:
            return client.get("/api/node").json()["greeting"]

    assert greeting() == "file"
    write({".env.test": "GREETING=test\n"})
    assert greeting() == "test"
    assert greeting(env={"GREETING": "given"}) == "given"
    assert os.environ == before
    monkeypatch.setenv("GREETING", "process")
    assert greeting() == "process"
    assert greeting(env={"GREETING": "given"}) == "given"
    assert os.environ["GREETING"] == "process"


def test_modules_are_imported_anew_by_each_client_and_forgotten(write):
    counter = (
        "from lib import counter\n\ndef GET():\n    counter.calls += 1\n    return {'calls': counter.calls}\n"
    )
    root = write(
        {
            "pyproject.toml": "",
            "app/api/n/route.py": counter,
            "lib/__init__.py": "",
            "lib/counter.py": "calls = 0\n",
        }
    )
    modules, path = set(sys.modules), list(sys.path)
    for _ in range(2):
        with Client(root) as client:
            assert [client.get("/api/n").json()["calls"] for _ in range(2)] == [1, 2]
        assert "lib" not in sys.modules
        assert "lib.counter" not in sys.modules
    assert not {name for name in set(sys.modules) - modules if name.startswith(("app", "lib"))}
    assert sys.path == path


def test_what_the_test_imported_itself_is_shared_with_the_routes(write, monkeypatch):
    root = write(
        {
            "pyproject.toml": "",
            "app/api/n/route.py": "from lib_of_shop import prices\n\ndef GET():\n    return {'p': prices.find()}\n",
            "lib_of_shop/prices.py": "def find():\n    return 1\n",
        }
    )
    with Client(root) as client:
        monkeypatch.setattr("lib_of_shop.prices.find", lambda: 2)
        assert client.get("/api/n").json() == {"p": 2}
    monkeypatch.syspath_prepend(root)
    from lib_of_shop import prices  # type: ignore[import-not-found]  # noqa: PLC0415

    monkeypatch.setattr(prices, "find", lambda: 3)
    with Client(root) as client:
        assert client.get("/api/n").json() == {"p": 3}
    assert sys.modules["lib_of_shop.prices"] is prices


FAULTY = {
    "pyproject.toml": "",
    "app/api/fails/route.py": "def GET():\n    raise LookupError('the shelf is empty')\n",
    "app/api/broken/route.py": "import no_such_module_anywhere\n\ndef GET():\n    return {}\n",
    "app/api/escapes/route.py": 'import subprocess\n\nruntime = "edge"\n\ndef GET():\n    return {}\n',
    "app/api/none/route.py": 'runtime = "edge"\n\ndef GET():\n    pass\n',
    "app/api/gone/route.py": "from runtimes import not_found\n\ndef GET():\n    not_found()\n",
}


def test_faults_of_a_handler_are_raised_or_answered_as_in_production(write, caplog):
    root = write(FAULTY)
    with Client(root) as client:
        with pytest.raises(LookupError, match="the shelf is empty") as raised:
            client.get("/api/fails")
        assert raised.traceback[-1].path.name == "route.py"
        with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
            client.get("/api/broken")
        with pytest.raises(
            ProjectFaultError, match=r"app/api/escapes/route.py:1: banned-import: .*subprocess"
        ):
            client.get("/api/escapes")
        with pytest.raises(TypeError, match="returned NoneType"):
            client.get("/api/none")
        assert client.get("/api/gone").status_code == 404
    with Client(root, raise_errors=False) as client:
        for path in ("/api/fails", "/api/broken", "/api/escapes", "/api/none"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()) == (500, {"error": "Internal Server Error"})


def test_a_project_that_cannot_be_built_is_refused_with_its_places(write, tmp_path, monkeypatch):
    root = write(
        {"pyproject.toml": "", "app/api/x/route.py": 'runtime = "cloud"\n\ndef GET():\n    return {}\n'}
    )
    with pytest.raises(ProjectFaultError, match=r"app/api/x/route.py:1: invalid-config"):
        Client(root)
    with pytest.raises(ProjectFaultError, match="has no route tree"):
        Client(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProjectFaultError, match="no project in"):
        Client()
    with pytest.raises(ValueError, match="runtime is"):
        Client(root, runtime="deno")


RULES = """\
[tool.packager]
public_url = "https://shop.example"
redirects = [{ source = "/old/:slug", destination = "/api/:slug", permanent = true }]
headers = [{ source = "/api/:path*", headers = { X-Site = "shop" } }]
"""
GUARDED = {
    "pyproject.toml": RULES,
    "middleware.py": """\
from runtimes import Request, Response

config = {"matcher": "/api/:path*"}


async def middleware(request: Request):
    if request.url.path == "/api/guarded":
        return Response.json({"error": "who are you?"}, 401)
    if request.url.path == "/api/moved":
        return Response.rewrite(str(request.url.replace(path="/api/edge", query="moved=yes")))
    request.state.user = "ada"
    return Response.next(headers={"x-middle": "ware"})
""",
    "app/api/node/route.py": """\
from starlette.responses import StreamingResponse

cors = {"origins": ["https://other.example"]}
max_body_size = "1kb"


def GET(request):
    return {"user": request.state.user, "url": str(request.url)}


async def POST(request):
    return StreamingResponse(iter(["a", "b"]))
""",
    "app/api/edge/route.py": """\
from starlette.responses import StreamingResponse

runtime = "edge"


def ticks():
    yield "tick"
    yield "tock"


def GET(request):
    if "moved" in request.query_params:
        return {"url": str(request.url)}
    return StreamingResponse(ticks())
""",
}


def test_the_site_its_middleware_and_cors_are_those_of_production(write):
    with Client(write(GUARDED)) as client:
        assert client.get("/api/guarded").status_code == 401
        answer = client.get("/api/node", headers={"origin": "https://other.example"})
        assert answer.json() == {"user": "ada", "url": "https://shop.example/api/node"}
        assert answer.headers["x-middle"] == "ware"
        assert answer.headers["x-site"] == "shop"
        assert answer.headers["access-control-allow-origin"] == "https://other.example"
        asked = {"origin": "https://other.example", "access-control-request-method": "GET"}
        assert client.options("/api/node", headers=asked).status_code == 204
        assert client.post("/api/node", content=b"x" * 2000).status_code == 413
        assert client.post("/api/node").text == "ab"
        assert client.get("/api/edge").text == "ticktock"
        assert client.put("/api/edge").headers["allow"] == "GET, HEAD, OPTIONS"
        assert client.head("/api/edge").content == b""
        moved = client.get("/old/node")
        assert (moved.status_code, moved.headers["location"]) == (308, "/api/node")
        assert client.get("/old/node", follow_redirects=True).json()["user"] == "ada"
        assert client.get("/nowhere").json() == {"error": "Not Found"}


def test_a_rewrite_to_a_route_of_the_other_runtime_stays_in_the_process(write):
    with Client(write(GUARDED)) as client:
        assert client.get("/api/moved").json()["url"] == "https://shop.example/api/edge?moved=yes"


FETCHES = """\
from runtimes import fetch


async def GET():
    answer = await fetch("https://api.example/users?a=1", method="POST", json={"n": 1})
    return {"status": answer.status, "body": await answer.json()}
"""


@pytest.mark.parametrize("runtime", ["edge", "nodejs"])
def test_requests_to_other_hosts_can_be_answered_by_the_test(write, runtime):
    asked = []

    def outside(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, str(request.url), request.read()))
        return httpx.Response(201, json={"id": 7})

    root = write({"pyproject.toml": "", "app/api/x/route.py": FETCHES})
    with Client(root, runtime=runtime, outside=outside) as client:
        assert client.get("/api/x").json() == {"status": 201, "body": {"id": 7}}
    assert asked == [("POST", "https://api.example/users?a=1", b'{"n":1}')]


def test_what_lambda_cannot_carry_is_refused_as_the_gateway_does(write):
    big = "def GET():\n    return {'x': 'a' * 7_000_000}\n\ndef POST(request):\n    return {}\n"
    root = write({"pyproject.toml": "", "app/api/big/route.py": big})
    with Client(root) as client:
        answer = client.get("/api/big")
        assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
        assert client.post("/api/big", content=b"x" * 6_000_000).status_code == 413


def test_threads_of_a_test_take_turns(shop):
    with Client(shop) as client, ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(client.get, ["/api/node", "/api/edge"] * 10))
    assert [answer.status_code for answer in answers] == [200] * 20


def test_the_scheme_is_that_of_the_url(shop):
    with Client(shop) as client:
        for url in ("http://shop.example/api/node", "http://shop.example/api/edge"):
            assert client.get(url).json()["url"] == url


def test_a_client_works_within_an_asynchronous_test(shop):
    async def story():
        with Client(shop) as client:
            return client.get("/api/node").status_code, client.get("/api/edge").status_code

    assert asyncio.run(story()) == (200, 200)


def test_a_client_says_how_it_is_used(shop):
    client = Client(shop)
    with pytest.raises(RuntimeError, match="with Client"):
        client.get("/api/node")
    with client, pytest.raises(RuntimeError, match="in use already"):
        client.__enter__()


def test_functions_for_the_start_and_the_end_of_a_process_run(write):
    life = """\
import os
from runtimes import after_restore, on_shutdown

state = []


@after_restore
def begin():
    state.append(os.environ["GREETING"])


@on_shutdown
def end():
    os.environ["ENDED"] = "yes"


def GET():
    return state
"""
    root = write({"pyproject.toml": "", "app/api/x/route.py": life})
    with Client(root, env={"GREETING": "hi", "ENDED": "no"}) as client:
        assert client.get("/api/x").json() == ["hi"]
        assert os.environ["ENDED"] == "no"
    assert "ENDED" not in os.environ


def test_a_client_is_used_once(shop):
    client = Client(shop)
    with client:
        assert client.get("/api/node").status_code == 200
    with pytest.raises(RuntimeError, match="make another one"):
        client.__enter__()
    with pytest.raises(RuntimeError, match="in a with block"):
        client.get("/api/node")


TYPED = """
from typing import Annotated

from pydantic import BaseModel
from runtimes import status


class Order(BaseModel):
    item: str
    count: int = 1


def POST(*, body: Order, query: dict[str, int]) -> Annotated[Order, status(201)]:
    return Order(item=body.item, count=body.count * query["times"])
"""


@pytest.mark.parametrize("runtime", ["edge", "nodejs"])
def test_typed_handlers_are_typed(write, runtime):
    settings = '[project]\nname = "shop"\ndependencies = ["pydantic"]\n'
    with Client(write({"pyproject.toml": settings, "app/api/x/route.py": TYPED}), runtime=runtime) as client:
        answer = client.post("/api/x", json={"item": "tea", "count": "2"}, params={"times": 3})
        assert (answer.status_code, answer.json()) == (201, {"item": "tea", "count": 6})
        refused = client.post("/api/x", json={"count": "x"}, params={"times": 3})
        assert refused.status_code == 422
        assert "count" in refused.text
