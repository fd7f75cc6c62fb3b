"""The HTTP side of the console: its page, what the page is made of, its data, and what it may do.

/_packager                                  the page
/_packager/page/…  /_packager/library/…     its files, and the packages that it imports
/_packager/data/…                           JSON
/_packager/events                           server-sent events
/_packager/<path>                           further pages (`console.Page`)
"""

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from packager.console import replay, views
from packager.console.console import Console
from packager.console.guard import is_local, may_act, may_read
from packager.console.library import MODULES, Library
from packager.console.replay import ReplayError
from packager.errors import ToolError
from packager.traffic.history import Exchange

PREFIX = "/_packager"
_FOLDER = Path(__file__).parent / "page"
_TYPES = {".css": "text/css", ".mjs": "text/javascript", ".svg": "image/svg+xml"}
_IMPORTS = json.dumps({"imports": {name: f"{PREFIX}/library/{name}" for name in MODULES}})
_IMPORTS_HASH = base64.b64encode(hashlib.sha256(_IMPORTS.encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; script-src 'self' 'sha256-{_IMPORTS_HASH}'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content Security Policy; the one inline script is its import map, which cannot be a file."""

_HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}

type Endpoint = Callable[[Request], Awaitable[Response]]


def pages(console: Console) -> ASGIApp:
    """The app that serves the console's pages under their full paths."""
    serving = _Pages(console)
    number = "/data/requests/{number:int}"
    routes = [
        Route("/", serving.page),
        Route("/page/{name}", serving.file),
        Route("/library/{name:path}", serving.library),
        Route("/events", _guarded(serving.events)),
        Route("/data/project", _guarded(serving.project)),
        Route("/data/problems", _guarded(serving.problems)),
        Route("/data/requests", _guarded(serving.requests)),
        Route("/data/requests", _acting(serving.clear), methods=["DELETE"]),
        Route(number, _guarded(serving.request)),
        Route(f"{number}/headers/{{side}}/{{place:int}}", _guarded(serving.header)),
        Route(f"{number}/replay", _acting(serving.replay), methods=["POST"]),
        *(Route(page.path, page.app) for page in console.pages),
        *(Mount(page.path, page.app) for page in console.pages),
    ]
    # Without the slash too: nobody types it.
    return _Shell(Starlette(routes=[Route(PREFIX, serving.page), Mount(PREFIX, routes=routes)]))


class _Shell:
    """Refuses what does not come by a name of this machine, and puts our headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in own)]
            await send(message)

        app = (
            self._app
            if is_local(Request(scope).headers.get("host"))
            else _refused("use 127.0.0.1 or localhost")
        )
        await app(scope, receive, with_headers)


class _Pages:
    """The endpoints."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._library = Library()
        self._replays = set[object]()

    async def page(self, _request: Request) -> Response:
        """The page itself; its packages are got while it is loaded."""
        text = (_FOLDER / "index.html").read_text(encoding="utf-8").replace("{{imports}}", _IMPORTS)
        return Response(text, media_type="text/html")

    async def file(self, request: Request) -> Response:
        """One of the page's own files."""
        file = _FOLDER / request.path_params["name"]
        if file.suffix not in _TYPES or not file.is_file():
            return PlainTextResponse("Not Found", 404)
        return FileResponse(file, media_type=_TYPES[file.suffix])

    async def library(self, request: Request) -> Response:
        """A module of a package, by the name that it is imported by."""
        name = request.path_params["name"]
        if name not in MODULES:
            return PlainTextResponse("Not Found", 404)
        try:
            folder = await self._library.folder()
        except ToolError as error:
            # In place of the module: one that says in the page what is missing.
            text = json.dumps(f"{error.message}. {error.hint}")
            source = f"document.getElementById('start').textContent = {text}; throw Error({text});"
            return Response(source, media_type="text/javascript")
        return FileResponse(folder / MODULES[name], media_type="text/javascript")

    async def project(self, _request: Request) -> Response:
        """What is served."""
        return JSONResponse(self._console.project())

    async def problems(self, _request: Request) -> Response:
        """What is wrong."""
        return JSONResponse(self._console.problems())

    async def requests(self, _request: Request) -> Response:
        """The requests that are kept."""
        kept = self._console.history.exchanges()
        return JSONResponse([views.summary(exchange, self._console.secrets) for exchange in kept])

    async def clear(self, _request: Request) -> Response:
        """Forget every request."""
        self._console.history.clear()
        return Response(status_code=204)

    async def request(self, request: Request) -> Response:
        """One request with all that is known of it."""
        exchange = self._exchange(request)
        if exchange is None:
            return _gone()
        return JSONResponse(views.detail(exchange, self._console.secrets))

    async def header(self, request: Request) -> Response:
        """The value of one header, as it was sent: whoever asks for it wants to see it."""
        exchange = self._exchange(request)
        if exchange is None:
            return _gone()
        answer = request.path_params["side"] == "response"
        headers = exchange.response_headers if answer else exchange.request_headers
        place = request.path_params["place"]
        if place >= len(headers):
            return _gone()
        return JSONResponse({"value": headers[place][1].decode("latin-1")})

    async def replay(self, request: Request) -> Response:
        """Send a request again; the answer has the number of its exchange."""
        exchange, recorder = self._exchange(request), self._console.recorder
        if exchange is None or recorder is None:
            return _gone()
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > replay.MAX_REQUEST:
                return JSONResponse({"error": "the request is too large to be sent from here"}, 413)
        try:
            again = replay.edited(exchange, replay.read(bytes(body)), self._console.secrets)
        except ReplayError as error:
            return JSONResponse({"error": str(error)}, 400)
        number, task = replay.send(recorder, again, exchange.number)
        self._replays.add(task)
        task.add_done_callback(self._replays.discard)
        return JSONResponse({"number": number}, 202)

    async def events(self, _request: Request) -> Response:
        """What happens from now on."""
        stream = self._console.open_stream()

        async def chunks() -> AsyncIterator[bytes]:
            try:
                async for chunk in stream.chunks():
                    yield chunk
            finally:
                self._console.close_stream(stream)

        return StreamingResponse(chunks(), media_type="text/event-stream")

    def _exchange(self, request: Request) -> Exchange | None:
        return self._console.history.find(request.path_params["number"])


def _guarded(endpoint: Endpoint) -> Endpoint:
    return _allowed(endpoint, may_read)


def _acting(endpoint: Endpoint) -> Endpoint:
    return _allowed(endpoint, may_act)


def _allowed(endpoint: Endpoint, rule: Callable[[Mapping[str, str]], bool]) -> Endpoint:
    async def checked(request: Request) -> Response:
        return (
            await endpoint(request) if rule(request.headers) else _refused("only the console's own pages may")
        )

    return checked


def _refused(reason: str) -> Response:
    return PlainTextResponse(f"Forbidden: {reason}\n", 403)


def _gone() -> Response:
    return JSONResponse({"error": "this request is not kept any more"}, 404)
