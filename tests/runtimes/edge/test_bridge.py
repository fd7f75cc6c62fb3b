"""The bridge alone, in this Python, with ASGI apps that no route can be."""

import asyncio
import json
from typing import Any

import pytest

from runtimes.edge.bridge import Bridge, scope_of
from runtimes.proxy import forward
from runtimes.requests import Request


class Content(bytes):
    """A buffer as the host gives it."""

    def to_bytes(self) -> bytes:
        return bytes(self)


class Recorder:
    """Takes what the bridge tells the worker."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def start(self, number: int, head: str, body: bytes | None, more: bool) -> None:
        status, headers = json.loads(head)
        self.calls.append(("start", status, headers, body, more))

    def chunk(self, number: int, body: bytes | None, more: bool) -> None:
        self.calls.append(("chunk", body, more))

    def done(self, number: int, failed: bool) -> None:
        self.calls.append(("done", failed))

    async def fetch(self, head: str, body: bytes | None) -> tuple[str, Any]:
        """Answer as the request's path says: `/error`, or what was asked."""
        asked = json.loads(head)
        if asked["url"].endswith("/error"):
            return json.dumps({"error": "ECONNREFUSED"}), None
        return json.dumps({"status": 201, "headers": ["x-asked", asked["method"]]}), Content(body or b"")


def request(**changed: Any) -> dict[str, Any]:
    return {
        "method": "GET",
        "target": "/a",
        "scheme": "http",
        "http_version": "1.1",
        "headers": ["Host", "x"],
        "client": ["127.0.0.1", 1],
        "server": ["127.0.0.1", 80],
        "cdn": False,
        "oversized": False,
        **changed,
    }


def answers(app: Any, **changed: Any) -> list[tuple[Any, ...]]:
    """What the worker is told when `app` gets one request, up to the app's first real wait."""
    recorder = Recorder()

    async def run() -> None:
        Bridge(app, recorder, bytes).handle(1, json.dumps(request(**changed)), None)

    asyncio.run(run())
    return recorder.calls


def test_the_scope_is_asgi_and_keeps_the_raw_bytes() -> None:
    scope = scope_of(request(target="/a%2Fb/\xe4?c=%zz", headers=["X-A", "\xe4"], cdn=True))
    assert scope["path"] == "/a/b/\ufffd"
    assert (scope["raw_path"], scope["query_string"]) == (b"/a%2Fb/\xe4", b"c=%zz")
    assert scope["headers"] == [(b"x-a", b"\xe4")]
    assert (scope["client"], scope["packager.cdn"]) == (("127.0.0.1", 1), True)
    assert "packager.cdn" not in scope_of(request())


def test_the_head_waits_for_the_first_part_of_the_body() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"\xe4")]})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body", "body": b"2"})

    assert answers(app) == [
        ("start", 200, ["a", "\xe4"], b"1", True),
        ("chunk", b"2", False),
        ("done", False),
    ]
    assert answers(app, method="HEAD") == [
        ("start", 200, ["a", "\xe4"], None, True),
        ("chunk", None, False),
        ("done", False),
    ]


def test_an_app_without_a_response_is_a_500(capsys: pytest.CaptureFixture[str]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    headers = ["content-type", "application/json", "content-length", "33"]
    body = b'{"error":"Internal Server Error"}'
    assert answers(app) == [("start", 500, headers, body, False), ("done", False)]
    assert "GET /a: the app ended without a whole response" in capsys.readouterr().err


def test_an_error_after_the_response_does_not_change_it(capsys: pytest.CaptureFixture[str]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body", "body": b"no content"})
        raise RuntimeError("too-late")

    assert answers(app) == [("start", 204, [], None, False), ("done", False)]
    assert "too-late" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "status", "headers", "body"),
    [
        ("/other", 201, ["content-length", "4", "x-asked", "PUT"], b"body"),
        (
            "/error",
            502,
            ["content-length", "23", "content-type", "application/json"],
            b'{"error":"Bad Gateway"}',
        ),
    ],
)
def test_a_request_is_forwarded_by_the_host(path: str, status: int, headers: list[str], body: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        response = await forward(Request(scope, receive), "http://site.example" + path, [])
        await response(scope, receive, send)

    recorder = Recorder()

    async def run() -> None:
        bridge = Bridge(app, recorder, bytes)
        bridge.handle(1, json.dumps(request(method="PUT")), Content(b"body"))

    asyncio.run(run())
    assert recorder.calls == [("start", status, headers, body, False), ("done", False)]
