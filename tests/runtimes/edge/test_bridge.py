"""The bridge alone, in this Python, with ASGI apps that no route can be."""

import asyncio
import json
from typing import Any

import pytest

from runtimes.edge.bridge import MAX_HEAD, SHARED_BYTES, Bridge
from runtimes.proxy import forward
from runtimes.requests import Request

type Pairs = list[tuple[str, str]]

LINES = "GET\nhttp\n1.1\n\n127.0.0.1\n1\n127.0.0.1\n80"


class Content(bytes):
    """A buffer as the host gives it."""

    def to_bytes(self) -> bytes:
        return bytes(self)


class Worker:
    """The other side: puts requests into the buffer, and reads what the bridge tells it."""

    def __init__(self, app: Any) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.aborted: list[int] = []
        self.last_large: bytes | None = None
        self.bridge = Bridge(app)

    def ask(
        self, lines: str = LINES, target: str = "/a", headers: Pairs | None = None, body: bytes = b""
    ) -> tuple[Any, ...] | None:
        """The answer that one request gets at once: status, headers, body, and whether the app has ended."""
        fields = [lines, target, *(text for pair in headers or [("host", "x")] for text in pair)]
        head = "\0".join(fields).encode("latin-1")
        message = head + body
        large = None
        if len(message) > SHARED_BYTES:
            large = Content(message)
        else:
            self.requests[: len(message)] = message
        number = 2 + 2 * len(headers or [("host", "x")])
        sizes = self.bridge.handle(1, len(head), len(body), number, large)
        return None if sizes == 0 else (*self.message(abs(sizes)), sizes > 0)

    def share(self, requests: bytearray, answers: bytearray) -> None:
        self.requests, self.answers = requests, answers

    def large(self, message: bytes) -> None:
        self.last_large = message

    def message(self, sizes: int) -> tuple[int, Pairs, bytes]:
        body, head = divmod(sizes, MAX_HEAD)
        content = bytes(self.answers) if self.last_large is None else self.last_large
        self.last_large = None
        status, *flat = content[:head].decode("latin-1").split("\0")
        names = iter(flat)
        return int(status or 0), [(name, next(names)) for name in names], content[head : head + body]

    def start(self, _number: int, sizes: int, more: bool) -> None:
        self.calls.append(("start", *self.message(sizes), more))

    def chunk(self, _number: int, sizes: int, more: bool) -> None:
        self.calls.append(("chunk", self.message(sizes)[2], more))

    def done(self, _number: int, failed: bool) -> None:
        self.calls.append(("done", failed))

    async def fetch(self, _number: int, head: str, body: bytes | None) -> tuple[str, Any]:
        """Answer as the request's path says: `/error`, never, or what was asked."""
        asked = json.loads(head)
        if asked["url"].endswith("/error"):
            return json.dumps({"error": "ECONNREFUSED", "kind": "connect"}), None
        if asked["url"].endswith("/never"):
            await asyncio.Event().wait()
        return json.dumps({"status": 201, "headers": ["x-asked", asked["method"]]}), Content(body or b"")

    def abort(self, number: int) -> None:
        self.aborted.append(number)


def ask(app: Any, **request: Any) -> tuple[Any, Worker]:
    """What one request gets at once, and the worker with what it was told until the app ended."""
    worker = Worker(app)

    async def run() -> Any:
        worker.bridge.attach(worker, bytes)
        answer = worker.ask(**request)
        await asyncio.gather(*(task for _, task in worker.bridge._open.values()))
        return answer

    return asyncio.run(run()), worker


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"\xe4")]})
    await send({"type": "http.response.body", "body": (await receive())["body"] or b"hello"})


def scope_of(**request: Any) -> dict[str, Any]:
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await hello(scope, receive, send)

    ask(app, **request)
    return scopes[0]


def test_the_scope_is_asgi_and_keeps_the_raw_bytes() -> None:
    lines = LINES.replace("\n1.1\n", "\n1.1\nco")
    scope = scope_of(lines=lines, target="/a%2Fb/\xe4?c=%zz", headers=[("x-a", "\xe4"), ("x-b", "")])
    assert scope["path"] == "/a/b/\ufffd"
    assert (scope["raw_path"], scope["query_string"]) == (b"/a%2Fb/\xe4", b"c=%zz")
    assert scope["headers"] == [(b"x-a", b"\xe4"), (b"x-b", b"")]
    assert (scope["method"], scope["scheme"], scope["http_version"]) == ("GET", "http", "1.1")
    assert (scope["client"], scope["server"]) == (("127.0.0.1", 1), ("127.0.0.1", 80))
    assert (scope["packager.cdn"], scope["packager.oversized"]) == (True, True)
    plain = scope_of(lines="GET\nhttp\n1.1\n\n\n\n\n", headers=[])
    assert not {"packager.cdn", "packager.oversized"} & plain.keys()
    assert (plain["client"], plain["server"]) == (None, None)


def test_an_answer_without_a_wait_is_there_at_once() -> None:
    answer, worker = ask(hello)
    assert answer == (200, [("a", "\xe4")], b"hello", True)
    assert worker.calls == []


def test_an_answer_without_a_wait_is_there_before_the_app_has_ended() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        await asyncio.sleep(0)

    answer, worker = ask(app)
    assert answer == (200, [("a", "\xe4")], b"hello", False)
    assert worker.calls == [("done", False)]


def test_an_answer_after_a_wait_comes_by_the_host() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        await hello(scope, receive, send)

    answer, worker = ask(app)
    assert answer is None
    assert worker.calls == [("start", 200, [("a", "\xe4")], b"hello", False), ("done", False)]


@pytest.mark.parametrize("size", [SHARED_BYTES // 2, SHARED_BYTES, 3 * SHARED_BYTES])
def test_what_does_not_fit_into_the_buffers_crosses_whole(size: int) -> None:
    body = bytes(range(256)) * (size // 256)
    assert ask(hello, body=body)[0] == (200, [("a", "\xe4")], body, True)


@pytest.mark.parametrize(
    "request_",
    [
        {"headers": [("a", "1\0host\0evil")]},
        {"target": "/\0a"},
        {"lines": LINES + "\n"},
        {"lines": "G\nT" + LINES},
    ],
)
def test_a_request_with_separators_in_its_parts_is_refused(request_: dict[str, Any]) -> None:
    worker = Worker(hello)

    async def run() -> Any:
        worker.bridge.attach(worker, bytes)
        return worker.ask(**request_)

    assert asyncio.run(run())[0] == 400


@pytest.mark.parametrize("header", [(b"a", b"1\0b\x002"), (b"a", b"x" * MAX_HEAD)])
def test_an_answer_whose_head_cannot_cross_is_a_500(
    header: tuple[bytes, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [header]})

    assert ask(app)[0][0] == 500
    assert "RuntimeError: " in capsys.readouterr().err


def test_the_head_waits_for_the_first_part_of_the_body() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": iter([(b"a", b"\xe4")])})
        await send({"type": "http.response.body", "body": memoryview(b"1"), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body", "body": b"2"})

    head = ("start", 200, [("a", "\xe4")])
    answer, worker = ask(app)
    assert (answer, worker.calls) == (None, [(*head, b"1", True), ("chunk", b"2", False), ("done", False)])
    answer, worker = ask(app, lines="HEAD" + LINES[3:])
    assert worker.calls == [(*head, b"", True), ("chunk", b"", False), ("done", False)]


def test_an_app_without_a_response_is_a_500(capsys: pytest.CaptureFixture[str]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    headers = [("content-type", "application/json"), ("content-length", "33")]
    assert ask(app)[0] == (500, headers, b'{"error":"Internal Server Error"}', True)
    assert "GET /a: the app ended without a whole response" in capsys.readouterr().err


def test_an_error_after_the_response_does_not_change_it(capsys: pytest.CaptureFixture[str]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body", "body": b"no content"})
        raise RuntimeError("too-late")

    assert ask(app)[0] == (204, [], b"", True)
    assert "too-late" in capsys.readouterr().err


def test_a_client_that_goes_ends_the_wait_for_it() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((await receive())["type"])
        seen.append((await receive())["type"])
        with pytest.raises(OSError, match="gone"):
            await send({"type": "http.response.start", "status": 200})

    worker = Worker(app)

    async def run() -> None:
        worker.bridge.attach(worker, bytes)
        assert worker.ask() is None
        worker.bridge.disconnect(1)
        worker.bridge.disconnect(7)
        await asyncio.gather(*(task for _, task in worker.bridge._open.values()))

    asyncio.run(run())
    assert seen == ["http.request", "http.disconnect"]
    assert worker.calls == [("done", True)]


@pytest.mark.parametrize(
    ("path", "status", "headers", "body"),
    [
        ("/other", 201, [("content-length", "4"), ("x-asked", "PUT")], b"body"),
        (
            "/error",
            502,
            [("content-length", "23"), ("content-type", "application/json")],
            b'{"error":"Bad Gateway"}',
        ),
    ],
)
def test_a_request_is_forwarded_by_the_host(path: str, status: int, headers: Pairs, body: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        response = await forward(Request(scope, receive), "http://site.example" + path, [])
        await response(scope, receive, send)

    answer, _ = ask(app, lines="PUT" + LINES[3:], body=b"body")
    assert answer == (status, headers, body, True)


def test_a_request_that_is_given_up_is_aborted() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await forward(Request(scope, receive), "http://site.example/never", [])
        await hello(scope, receive, send)

    _, worker = ask(app)
    assert worker.aborted == [0]
    assert worker.calls[0][1] == 200
