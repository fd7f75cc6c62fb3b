"""A console before an app of both runtimes that is made by hand, on a real socket."""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from infra.manifest import (
    AppInfo,
    Distribution,
    Environment,
    Function,
    Manifest,
    Middleware,
    Param,
    Route,
)
from packager.console.console import Console, Page
from packager.preview.server import Server, listen
from packager.traffic.events import Event
from packager.traffic.trace import current

SECRET = "hush-hush-9"


def route(path: str, runtime: Any, function: str, reason: str, *methods: str) -> Route:
    """A route as a build would list it."""
    names = tuple(Param(part[1:-1], "single") for part in path.split("/") if part.startswith("["))
    file = f"app{path}/route.py"
    return Route(path, file, methods or ("GET", "HEAD"), runtime, "auto", names, function, 30, 256, 9, reason)


def function(name: str, runtime: Any, target: str, **more: Any) -> Function:
    """A function as a build would list it."""
    sizes = {"zip_bytes": 1_843_200, "unpacked_bytes": 5_242_880}
    return Function(name, runtime, target, "", "", **sizes, handler="", max_duration=30, memory=256, **more)


MANIFEST = Manifest(
    AppInfo("shop", "app"),
    (
        route("/api/hello", "edge", "edge", "every check for edge passes"),
        route("/api/users/[id]", "edge", "edge", "every check for edge passes", "GET", "HEAD", "PUT"),
        route("/api/orders", "nodejs", "api", "imports psycopg, which has native code", "GET", "HEAD", "POST"),
        route("/api/report", "nodejs", "api", "declared nodejs"),
    ),
    (Middleware("middleware.py", "/", ("/api/:path*",)),),
    (
        function("api", "nodejs", "lambda", python="3.13", architecture="arm64",
                 distributions=(Distribution("starlette", "1.10.0"), Distribution("psycopg", "3.3.1", True)),
                 middleware=("middleware.py",)),
        function("edge", "edge", "lambda-edge", distributions=(Distribution("starlette", "1.10.0"),)),
    ),
    Environment((), ("SESSION_KEY",)),
)  # fmt: skip


@dataclass
class Stand:
    """A running console; `told` are its events."""

    console: Console
    loop: asyncio.AbstractEventLoop
    url: str
    told: list[Event] = field(default_factory=list)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request."""
        return httpx.request(method, f"{self.url}{path}", timeout=30, **more)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it got; the first request of a function is a cold start."""
    seen = current()
    path = scope["path"]
    name = "edge" if path == "/api/hello" or path.startswith("/api/users") else "api"
    seen.function, seen.runtime = name, "edge" if name == "edge" else "nodejs"
    cold = name not in app_state
    app_state.add(name)
    start = time.perf_counter()
    if cold:
        seen.beginning, seen.spawn_ms, seen.init_ms = "cold", 41.0, 63.0
        await asyncio.sleep(0.06)
        seen.add_span("cold start", start, time.perf_counter())
    begun = time.perf_counter()
    seen.add_span("middleware", begun, begun + 0.002)
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            break
    await asyncio.sleep(0.004 + (scope["query_string"].count(b"x") % 7) * 0.004)
    seen.add_span("handler", begun + 0.002, time.perf_counter())
    seen.memory_mb = 71
    seen.add_line("INFO looking up the order")
    seen.add_line(f"DEBUG the key is {SECRET}")
    names = {key.decode(): value.decode() for key, value in scope["headers"]}
    status = 404 if path == "/nowhere" else 500 if path == "/api/report" else 200
    answer = f'{{"path":"{path}","colour":"{names.get("x-colour", "")}","auth":{len(names.get("authorization", ""))}}}'
    headers = [
        (b"content-type", b"application/json"),
        (b"set-cookie", b"session=abc"),
        (b"x-key", SECRET.encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.encode() + body})


app_state: set[str] = set()


@pytest.fixture
def pages() -> tuple[Page, ...]:
    """The further pages of the console."""
    return ()


@pytest.fixture
def stand(pages: tuple[Page, ...]) -> Iterator[Stand]:
    """A console whose server runs in a thread of its own."""
    app_state.clear()
    told: list[Event] = []
    console = Console("preview", told.append, pages)
    console.use(MANIFEST, {"SESSION_KEY": SECRET})
    listening = threading.Event()
    loop = asyncio.new_event_loop()
    server = Server(console.around(app), listening.set)
    with listen(0) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve([listener])))
        thread.start()
        assert listening.wait(10)
        try:
            yield Stand(console, loop, f"http://127.0.0.1:{port}", told)
        finally:
            server.should_exit = True
            loop.call_soon_threadsafe(console.close)
            thread.join()
            loop.close()
