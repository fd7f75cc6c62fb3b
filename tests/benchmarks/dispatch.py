"""Time of one request through the application, in this process: `python tests/benchmarks/dispatch.py [ROUNDS]`.

`send(None)` drives the application's coroutine by hand, so that no event loop is in the time; `asyncio` awaits it
in a running loop; Mangum is the Lambda handler with an HTTP API event (payload 2.0), as Lambda calls it. The cases
take turns, so that a busy moment of the machine hits all of them. Microseconds a request.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from starlette.types import Message, Scope

from runtimes import table
from runtimes.app import App
from runtimes.table import MiddlewareEntry, RouteEntry, Table

REQUESTS = 1000
ROUTE = """\
from runtimes import Request, Response

async def GET(request: Request, params: dict) -> Response:
    return Response.json({"hello": "world"})
"""
TYPED = """\
from pydantic import BaseModel

class Page(BaseModel):
    page: int = 1

class Hello(BaseModel):
    hello: str

async def GET(*, query: Page) -> Hello:
    return Hello(hello="world")
"""
MIDDLEWARE = "async def middleware(request):\n    return None\n"
HEADERS = {
    "host": "127.0.0.1:3000",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64)",
    "accept": "application/json",
    "accept-encoding": "gzip, br",
    "accept-language": "en",
    "cookie": "session=abc; theme=dark",
}

type Case = Callable[[int], None]
"""Does a number of requests."""


def routes(count: int, *, middleware: bool = False, typed: bool = False) -> Table:
    paths = ["/api/hello", "/api/users/[id]", *(f"/api/r{number}/[id]" for number in range(count - 2))]
    entries = tuple(RouteEntry(path, "route.py", "api", 6 * 2**20) for path in paths)
    if typed:
        entries += (RouteEntry("/api/typed", "typed.py", "api", 6 * 2**20),)
    matchers = ("/admin/:path*",)
    return Table("api", entries, (MiddlewareEntry("middleware.py", "/", matchers),) if middleware else ())


def scope(path: str) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"page=1",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in HEADERS.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 3000),
    }


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    assert message.get("status", 200) == 200, message


def run(coroutine: Coroutine[None, None, None]) -> None:
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("the application waited for an event loop")


def by_hand(app: App, path: str) -> Case:
    request = scope(path)

    def case(count: int) -> None:
        for _ in range(count):
            run(app(request, receive, send))

    return case


def in_a_loop(app: App, path: str, loop: asyncio.AbstractEventLoop) -> Case:
    request = scope(path)

    async def answer(count: int) -> None:
        for _ in range(count):
            await app(request, receive, send)

    return lambda count: loop.run_until_complete(answer(count))


def event(path: str) -> dict[str, object]:
    http = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "x"}
    headers = {
        **{name: value for name, value in HEADERS.items() if name != "cookie"},
        "x-forwarded-proto": "https",
    }
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "page=1",
        "cookies": HEADERS["cookie"].split("; "),
        "headers": headers,
        "queryStringParameters": {"page": "1"},
        "requestContext": {
            "domainName": "x.execute-api.eu-west-1.amazonaws.com",
            "http": http,
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }


def through_mangum(root: Path, path: str) -> Case:
    (root / table.PATH).parent.mkdir(exist_ok=True)
    (root / table.PATH).write_text(table.to_json(routes(100, typed=True)))
    os.environ["LAMBDA_TASK_ROOT"] = str(root)
    from runtimes.aws_lambda import handler  # noqa: PLC0415  (loads the artifact)

    request = event(path)

    def case(count: int) -> None:
        for _ in range(count):
            assert handler(request, None)["statusCode"] == 200

    return case


def microseconds(case: Case) -> float:
    started = time.perf_counter()
    case(REQUESTS)
    return (time.perf_counter() - started) / REQUESTS * 1e6


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        (root / "route.py").write_text(ROUTE)
        (root / "typed.py").write_text(TYPED)
        (root / "middleware.py").write_text(MIDDLEWARE)
        few, many, guarded, typed = (
            App(routes(10), root),
            App(routes(1000), root),
            App(routes(10, middleware=True), root),
            App(routes(10, typed=True), root),
        )
        cases = {
            "hello, 10 routes": (by_hand(few, "/api/hello"), "≤ 15"),
            "hello, 1,000 routes": (by_hand(many, "/api/hello"), "within 20 %"),
            "`[id]`, 10 routes": (by_hand(few, "/api/users/7"), ""),
            "`[id]`, 1,000 routes": (by_hand(many, "/api/users/7"), "within 20 %"),
            "hello, a middleware that does not match": (by_hand(guarded, "/api/hello"), "≤ 5 more"),
            "hello, 10 routes, asyncio": (in_a_loop(few, "/api/hello", loop), ""),
            "typed hello, 10 routes": (by_hand(typed, "/api/typed"), ""),
            "hello beside a typed one, 10 routes": (by_hand(typed, "/api/hello"), "as without"),
            "hello, 100 routes, Mangum": (through_mangum(root, "/api/hello"), "≤ 40"),
            "typed hello, 100 routes, Mangum": (through_mangum(root, "/api/typed"), "≤ 60"),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for case, _ in cases.values():
            case(REQUESTS)
        for _ in range(rounds):
            for name, (case, _) in cases.items():
                times[name].append(microseconds(case))
        loop.close()
    print(f"| µs a request, {rounds} rounds of {REQUESTS} | best | median | target |")
    print("|---|---|---|---|")
    for name, (_, target) in cases.items():
        print(f"| {name} | {min(times[name]):.1f} | {statistics.median(times[name]):.1f} | {target} |")


if __name__ == "__main__":
    main()
