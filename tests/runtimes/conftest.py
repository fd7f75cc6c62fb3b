"""Apps made of source texts, asked over ASGI exactly as a server would."""

import asyncio
import sys
from dataclasses import dataclass

import pytest

from runtimes.app import App
from runtimes.table import MiddlewareEntry, RouteEntry, Table


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    chunks: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def header(self, name):
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    def all(self, name):
        return [value for key, value in self.headers if key == name]


async def exchange(app, method, target, headers, body):
    path, _, query = target.partition("?")
    pieces = list(body) if isinstance(body, list) else [body]
    sent = []

    async def receive():
        if not pieces:
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": ("192.0.2.1", 5000),
        "server": ("site.example", 80),
    }
    await app(scope, receive, send)
    start, *rest = sent
    rows = [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]]
    return Answer(start["status"], rows, [message["body"] for message in rest if message.get("body")])


class Client:
    def __init__(self, app):
        self.app = app

    def __call__(self, method, target, headers=(), body=b""):
        return asyncio.run(exchange(self.app, method, target, list(headers), body))


@pytest.fixture
def make_app(tmp_path):
    """`make_app({"app/api/x/route.py": source, …}, routes={…settings by file}, matchers={…by file})`."""
    known = set(sys.modules)

    def make(files, settings=None, matchers=None):
        for name, source in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        routes, middleware = [], []
        for name in sorted(files):
            folder = "/" + "/".join(name.split("/")[1:-1])
            if name.endswith("route.py"):
                own = {"function": "api", "max_body_size": 1000, **(settings or {}).get(name, {})}
                routes.append(RouteEntry(folder, name, **own))
            elif name.endswith("middleware.py"):
                middleware.append(MiddlewareEntry(name, folder, (matchers or {}).get(name)))
        return Client(App(Table("api", tuple(routes), tuple(middleware)), tmp_path))

    yield make
    for name in set(sys.modules) - known:
        if name.startswith(("app.", "middleware")):
            del sys.modules[name]
