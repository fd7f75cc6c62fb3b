"""The console over a real socket: what its data says, whom it answers."""

import json
import threading
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route as PageRoute

from packager.console.console import Console, Page
from packager.console.pages import POLICY
from packager.dev.faults import Fault
from packager.diagnostics import Diagnostic
from packager.traffic.events import Logged, RequestServed

DATA = "/_packager/data"
SECRET = "hush-hush-9"


def test_the_page_may_load_nothing_but_its_own(stand: Any) -> None:
    answer = stand.ask("GET", "/_packager")
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert answer.text.count("<script") == answer.text.count("<script src") + 1
    for file in ("page/app.mjs", "page/base.css", "page/icon.svg", "library/preact", "library/htm"):
        assert stand.ask("GET", f"/_packager/{file}").status_code == 200, file
    for file in ("page/index.html", "page/..%2fpages.py", "library/left-pad", "data/nothing", "nothing"):
        assert stand.ask("GET", f"/_packager/{file}").status_code == 404, file


def test_requests_of_the_app_are_data_and_the_console_own_are_not(stand: Any) -> None:
    stand.ask(
        "POST", f"/api/orders?key={SECRET}", content=f"a {SECRET}", headers={"authorization": "Bearer t"}
    )
    stand.ask("GET", "/_packagers")
    first, second = stand.ask("GET", f"{DATA}/requests").json()
    assert (first["method"], first["target"], first["status"]) == (
        "POST",
        "/api/orders?key=‹SESSION_KEY›",
        200,
    )
    assert (first["function"], first["runtime"], first["beginning"]) == ("api", "nodejs", "cold")
    assert second["target"] == "/_packagers"
    answer = stand.ask("GET", f"{DATA}/requests/1")
    assert SECRET not in answer.text
    found = answer.json()
    assert found["request"]["body"] == {"size": 13, "kept": 13, "text": "a ‹SESSION_KEY›"}
    headers = {row["name"]: row for row in found["request"]["headers"]}
    assert headers["authorization"] == {"name": "authorization", "value": None, "hidden": True}
    assert found["lines"] == ["INFO looking up the order", "DEBUG the key is ‹SESSION_KEY›"]
    assert [row["name"] for row in found["timeline"]] == ["request", "cold start", "middleware", "handler"]
    assert [event.path for event in stand.told if isinstance(event, RequestServed)] == [
        "/api/orders",
        "/_packagers",
    ]


def test_a_credential_is_given_to_who_asks_for_it(stand: Any) -> None:
    stand.ask("GET", "/api/hello", headers={"authorization": "Bearer t"})
    headers = stand.ask("GET", f"{DATA}/requests/1").json()["request"]["headers"]
    place = [row["name"] for row in headers].index("authorization")
    path = f"{DATA}/requests/1/headers/request/{place}"
    assert stand.ask("GET", path).json() == {"value": "Bearer t"}
    assert stand.ask("GET", path, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert stand.ask("GET", f"{DATA}/requests/1/headers/response/99").status_code == 404
    assert stand.ask("GET", f"{DATA}/requests/99").status_code == 404


def test_a_request_is_made_again_with_what_was_edited_and_what_was_kept(stand: Any) -> None:
    stand.ask("GET", "/api/hello", headers={"authorization": "Bearer t", "x-colour": "red"})
    rows = stand.ask("GET", f"{DATA}/requests/1").json()["request"]["headers"]
    headers = [{**row, "keep": at if row["hidden"] else None} for at, row in enumerate(rows)]
    for row in headers:
        if row["name"] == "x-colour":
            row["value"] = "blue"
    again = {"method": "PUT", "target": "/api/users/7", "headers": headers, "body": "more"}
    answer = stand.ask("POST", f"{DATA}/requests/1/replay", json=again)
    assert (answer.status_code, answer.json()) == (202, {"number": 2})
    while (made := stand.ask("GET", f"{DATA}/requests/2").json())["duration"] is None:
        pass
    assert (made["method"], made["replayOf"], made["status"]) == ("PUT", 1, 200)
    assert made["response"]["body"]["text"] == '{"path":"/api/users/7","colour":"blue","auth":8}more'
    refused = stand.ask("POST", f"{DATA}/requests/1/replay", json={**again, "method": "no method"})
    assert (refused.status_code, refused.json()) == (400, {"error": "the method is not a word"})
    foreign = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    assert stand.ask("POST", f"{DATA}/requests/1/replay", json=again, headers=foreign).status_code == 403
    assert stand.ask("DELETE", f"{DATA}/requests", headers=foreign).status_code == 403
    assert stand.ask("DELETE", f"{DATA}/requests").status_code == 204
    assert stand.ask("GET", f"{DATA}/requests").json() == []


@pytest.mark.parametrize("path", ["", "/page/app.mjs", "/data/requests", "/events"])
def test_another_name_that_leads_here_is_refused(stand: Any, path: str) -> None:
    answer = stand.ask("GET", f"/_packager{path}", headers={"host": "rebound.example"})
    assert answer.status_code == 403
    assert "127.0.0.1" in answer.text
    assert stand.ask("GET", "/api/hello", headers={"host": "rebound.example"}).status_code == 200


def test_what_happens_is_told_while_it_happens(stand: Any) -> None:
    told: list[tuple[str, Any]] = []
    listening, done = threading.Event(), threading.Event()

    def listen() -> None:
        with httpx.stream("GET", f"{stand.url}/_packager/events", timeout=30) as answer:
            listening.set()
            kind = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    told.append((kind, json.loads(line.removeprefix("data: "))))
                    if kind == "problems":
                        done.set()
                        return

    thread = threading.Thread(target=listen)
    thread.start()
    assert listening.wait(10)
    stand.ask("GET", "/api/hello")
    loop = stand.loop
    loop.call_soon_threadsafe(stand.console.tell, Logged("edge", f"a line with {SECRET}"))
    finding = Diagnostic("syntax-error", "a.py", 1, 2, "no", "mend it")
    loop.call_soon_threadsafe(stand.console.found, [finding])
    assert done.wait(10)
    thread.join()
    assert [(kind, row["duration"] is None) for kind, row in told[:2]] == [
        ("exchange", True),
        ("exchange", False),
    ]
    assert told[2] == ("log", {"function": "edge", "text": "a line with ‹SESSION_KEY›"})
    assert stand.ask("GET", f"{DATA}/problems").json()["findings"][0]["place"] == "a.py:1:2"


def test_faults_stay_until_their_request_succeeds_or_the_function_is_loaded_again() -> None:
    console = Console("dev", lambda event: None)
    fault = Fault("ValueError: no", "app/api/x/route.py", 3, "Mend it.")
    for request in ("GET /api/x", "GET /api/y"):
        console.faulty("api", request, fault)
    console.faulty("edge", "GET /api/z", fault)
    console.faulty("api", "GET /api/x", None)
    assert [row["request"] for row in console.problems()["faults"]] == ["GET /api/y", "GET /api/z"]
    console.reloaded("api")
    assert [row["request"] for row in console.problems()["faults"]] == ["GET /api/z"]


@pytest.fixture
def pages() -> tuple[Page, ...]:
    async def hello(request: Any) -> PlainTextResponse:
        return PlainTextResponse("a further page")

    return (Page("/api", "API", Starlette(routes=[PageRoute("/", hello)])),)


def test_further_pages_are_mounted_and_in_the_menu(stand: Any) -> None:
    assert stand.ask("GET", f"{DATA}/project").json()["pages"] == [{"path": "/api", "title": "API"}]
    answer = stand.ask("GET", "/_packager/api/")
    assert answer.text == "a further page"
    assert answer.headers["content-security-policy"] == POLICY
    assert stand.ask("GET", "/_packager/api/", headers={"host": "rebound.example"}).status_code == 403
