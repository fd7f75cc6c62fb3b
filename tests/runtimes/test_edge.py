"""The bridge alone, in this Python, with ASGI apps that no route can be."""

import asyncio
import json
from typing import Any

import pytest

from runtimes.edge import Bridge, scope_of


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
