"""Routes of one runtime, asked in this process: a request in, an answer as the cloud would hand it out.

A nodejs route goes by the event that an HTTP API sends and the result that Lambda hands back, with the functions that
do so in Lambda. An edge route goes by ASGI, on one thread. Both are behind the CDN: the path is as it was sent, viewer
headers count.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote_to_bytes

import anyio.to_thread
from starlette.types import Message

from runtimes import development, lambda_events, restored
from runtimes.app import App
from runtimes.handlers import load_module
from runtimes.requests import CDN, EXPLAINER
from runtimes.responses import Response
from runtimes.testing.project import ProjectFaultError, ProjectUnderTest, Runtime
from runtimes.transport import SEND, Headers, Send

MAX_BODY = 10 * 2**20
"""Bytes of a body that an HTTP API takes (API Gateway quotas)."""
MAX_PAYLOAD = 6 * 2**20
"""Bytes of an event, and of a result, as JSON (Lambda quotas)."""

_HOP_BY_HOP = (b"connection", b"keep-alive", b"transfer-encoding", b"te", b"upgrade", b"proxy-connection")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the client sent it; header names are lower case, `path` is raw, `ip` the client's address."""

    method: str
    scheme: str
    path: bytes
    query: bytes
    headers: Headers
    body: bytes
    ip: str

    def header(self, name: bytes) -> str:
        """A header's value; empty if there is none."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of it. `raised` is an exception that no code of the project caught."""

    status: int
    headers: Headers
    body: bytes
    raised: BaseException | None = None


class Serving:
    """The routes of a project on one runtime; they are imported when the first request comes."""

    def __init__(self, project: ProjectUnderTest, runtime: Runtime) -> None:
        self.runtime = runtime
        self._project = project
        self._app: App | None = None
        self._runner = asyncio.Runner(loop_factory=_Threadless if runtime == "edge" else None)

    @property
    def app(self) -> App:
        """The application. A module of it that cannot be imported, or may not be on edge, raises when it is asked."""
        if self._app is None:
            with self._surroundings():
                self._app = App(self._project.tables[self.runtime], self._project.root, self._imported)
                restored.run()
        return self._app

    def run(self, asked: Asked, send: Send) -> Answered:
        """Answer a request; what the app sends itself goes by `send`.

        Where an event loop runs already, as in asynchronous tests, it is answered in a thread meanwhile.
        """
        app = self.app
        with self._surroundings():
            return _aside(partial(self._run, app, asked, send))

    async def answer(self, asked: Asked, send: Send) -> Answered:
        """Answer a request on the loop that runs."""
        return await _METHODS[self.runtime](self.app, asked, send)

    def close(self) -> None:
        """End what the routes have left running."""
        _aside(self._runner.close)

    def _run(self, app: App, asked: Asked, send: Send) -> Answered:
        return self._runner.run(_METHODS[self.runtime](app, asked, send), context=copy_context())

    def _imported(self, root: Path, file: str) -> ModuleType:
        try:
            if self.runtime == "edge" and (fault := self._project.against_edge.get(file)):
                raise ProjectFaultError(fault)
            return load_module(root, file)
        except Exception as error:  # noqa: BLE001 - whoever asks for the route is told
            return development.failing(file, error)

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """The working folder of both runtimes; on edge, what Starlette does in threads is done inline."""
        threads = anyio.to_thread.run_sync
        if self.runtime == "edge":
            anyio.to_thread.run_sync = _inline  # type: ignore[assignment]
        try:
            with chdir(self._project.root):
                yield
        finally:
            anyio.to_thread.run_sync = threads


def _aside[T](function: Callable[[], T]) -> T:
    """Call what runs an event loop: here, or in a thread if another one runs here."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(copy_context().run, function).result()
    return function()


class _Threadless(asyncio.SelectorEventLoop):
    """An event loop as Pyodide's: what is to run in a thread runs at once."""

    def run_in_executor[T](  # type: ignore[override]
        self, _executor: object, function: Callable[..., T], *arguments: Any
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        return future


async def _inline[T](function: Callable[..., T], *arguments: Any, **_options: Any) -> T:
    return function(*arguments)


async def _by_asgi(app: App, asked: Asked, send: Send) -> Answered:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": asked.scheme,
        "root_path": "",
        "query_string": asked.query,
        "headers": [row for row in asked.headers if row[0] not in _HOP_BY_HOP],
        "client": (asked.ip, 443),
        "server": (asked.header(b"host"), 443),
    }
    return await _exchange(app, scope, asked, send)


async def _by_event(app: App, asked: Asked, send: Send) -> Answered:
    event = _event(asked)
    if len(asked.body) > MAX_BODY or len(json.dumps(event, ensure_ascii=False).encode()) > MAX_PAYLOAD:
        return _of_gateway(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    found = await _exchange(app, lambda_events.scope(event, None), asked, send, lambda_events.body(event))
    result = lambda_events.result(found.status, found.headers, found.body)
    if len(json.dumps(result, ensure_ascii=False).encode()) > MAX_PAYLOAD:
        return _of_gateway(HTTPStatus.INTERNAL_SERVER_ERROR)
    rows = [(name.encode(), value.encode("latin-1")) for name, value in result["headers"].items()]
    rows += [(b"set-cookie", value.encode("latin-1")) for value in result.get("cookies", ())]
    content = base64.b64decode(result["body"]) if result["isBase64Encoded"] else result["body"].encode()
    return Answered(result["statusCode"], rows, content, found.raised)


_METHODS = {"edge": _by_asgi, "nodejs": _by_event}


def _of_gateway(status: HTTPStatus) -> Answered:
    """What API Gateway answers itself."""
    body = json.dumps({"message": status.phrase}).encode()
    return Answered(status, [(b"content-type", b"application/json")], body)


def _event(asked: Asked) -> dict[str, Any]:
    """The event of payload format 2.0, as an HTTP API behind the CDN sends it."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in asked.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "cookie":
            cookies += filter(None, map(str.strip, value.split(";")))
        elif raw_name not in _HOP_BY_HOP:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    http = {"method": asked.method, "protocol": "HTTP/1.1", "sourceIp": asked.ip}
    return {
        "version": "2.0",
        "rawPath": asked.path.decode("latin-1"),
        "rawQueryString": asked.query.decode("latin-1"),
        "cookies": cookies,
        "headers": {**headers, "x-forwarded-for": asked.ip, "x-forwarded-proto": asked.scheme},
        "requestContext": {"domainName": asked.header(b"host"), "stage": "$default", "http": http},
        "body": base64.b64encode(asked.body).decode(),
        "isBase64Encoded": True,
    }


async def _exchange(
    app: App, scope: dict[str, Any], asked: Asked, send_out: Send, body: bytes | None = None
) -> Answered:
    """Ask the application. Raises what is not an `Exception`."""
    raised: list[BaseException] = []

    def explained(error: BaseException, _place: str) -> Response:
        raised.append(error.reason if isinstance(error, development.NotImportedError) else error)
        return Response.json({"error": "Internal Server Error"}, 500)

    scope |= {
        "path": unquote_to_bytes(asked.path).decode("utf-8", "replace"),
        "raw_path": asked.path,
        CDN: True,
        SEND: send_out,
        EXPLAINER: explained,
    }
    waiting = [asked.body if body is None else body]
    sent: list[Message] = []

    async def receive() -> Message:
        if not waiting:
            await asyncio.get_running_loop().create_future()
        return {"type": "http.request", "body": waiting.pop(), "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    content = b"".join(message.get("body", b"") for message in rest)
    return Answered(start["status"], list(start["headers"]), content, raised[0] if raised else None)
