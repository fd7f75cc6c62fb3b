"""Tests of what an app tells of its faults while somebody develops it."""

import asyncio
import json
import re

import httpx
import pytest

from runtimes import development, table
from runtimes.app import load
from runtimes.development import MARK
from runtimes.table import MiddlewareEntry, RouteEntry, Table

ROUTE = "app/r/route.py"


@pytest.fixture
def ask(write, monkeypatch):
    """The answer of a route with this source, in development or not."""

    def answer(source, *, development=True):
        routes = Table("api", (RouteEntry("/r", ROUTE, "api", 1000),), development=development)
        root = write({ROUTE: source, table.PATH: table.to_json(routes)})
        monkeypatch.setattr("sys.path", [])
        app = load(root)

        async def request():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
                return await client.get("/r")

        return asyncio.run(request())

    return answer


def test_an_exception_is_described_with_its_frames(ask):
    answer = ask("def GET():\n    return 1 / 0\n")
    assert (answer.status_code, answer.headers[MARK]) == (500, "1")
    document = json.loads(answer.content)
    assert (document["error"], document["importing"]) == ("ZeroDivisionError: division by zero", False)
    assert document["place"] == f"{ROUTE} GET"
    assert document["frames"][-1] == {"file": ROUTE, "line": 2, "function": "GET"}


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\nraise SystemExit\n", 2),
        ("\n\ndef GET(:\n", 3),
        ("x = 1\ndef GET(*, query: 'Missing'): ...\n", 2),
    ],
)
def test_a_module_that_cannot_be_imported_answers_why(source, line, ask):
    document = json.loads(ask(source).content)
    assert document["importing"]
    assert (document["frames"][-1]["file"], document["frames"][-1]["line"]) == (ROUTE, line)


def test_the_log_tells_where_and_the_steps_once(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(development, "_told", set())
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    (tmp_path / "shared_fault.py").write_text("x = 1\nraise LookupError('no such thing')\n")
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("import shared_fault\n")
        development.importer(tmp_path, name)
    (tmp_path / "wrong.py").write_text("def GET(:\n")
    development.importer(tmp_path, "wrong.py")
    fault = "could not be imported: shared_fault.py:2 LookupError: no such thing"
    assert [row.getMessage() for row in caplog.records] == [
        f"one.py {fault}",
        f"two.py {fault}",
        "wrong.py could not be imported: wrong.py:1 SyntaxError: invalid syntax",
    ]
    assert [row.exc_info is not None for row in caplog.records] == [True, False, False]


def test_what_is_deployed_tells_nothing(ask):
    answer = ask("def GET():\n    return 1 / 0\n", development=False)
    assert json.loads(answer.content) == {"error": "Internal Server Error"}
    assert MARK not in answer.headers


def test_a_request_that_meets_a_failed_import_is_told_in_one_line(ask, caplog, monkeypatch):
    monkeypatch.setattr(development, "_told", set())
    ask("x = 1\nraise LookupError('none')\n")
    [first, second] = caplog.records
    assert first.exc_info is not None
    fault = f"{ROUTE} could not be imported: {ROUTE}:2 LookupError: none"
    assert (second.getMessage(), second.exc_info) == (f"{ROUTE} GET failed: GET /r: {fault}", None)


def test_middleware_tells_when_it_ran_in_development_alone(write, monkeypatch):
    monkeypatch.setattr("sys.path", [])
    inner = "app/r/middleware.py"

    def headers(*, development):
        entries = (MiddlewareEntry("middleware.py", "/", None), MiddlewareEntry(inner, "/r", None))
        routes = Table("api", (RouteEntry("/r", ROUTE, "api", 1000),), entries, development=development)
        source = "def middleware(request):\n    pass\n"
        files = {ROUTE: "def GET():\n    return {}\n", "middleware.py": source, inner: source}
        app = load(write({**files, table.PATH: table.to_json(routes)}))

        async def request():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
                return (await client.get("/r")).headers

        return asyncio.run(request())

    told = headers(development=True)[development.SPANS]
    number = r"\d+\.\d{3}"
    assert re.fullmatch(
        rf"middleware\.py;start={number};dur={number}, app/r/middleware\.py;start={number};dur={number}", told
    )
    assert development.SPANS not in headers(development=False)
