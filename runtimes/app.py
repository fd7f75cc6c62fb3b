"""The ASGI application of an artifact: its route table, answered as Next.js answers route handlers.

One request goes through: the method's token, the canonical path, the size of the body, middleware from outside
in, the route's handler, and the headers that middleware, `cors` and `revalidate` add.
"""

import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from starlette.exceptions import HTTPException
from starlette.responses import Response as StarletteResponse
from starlette.types import Message, Receive, Scope, Send

from runtimes import chain, conditional, cors, handlers, table
from runtimes.chain import Headers, Middleware, Passage, Subject, join_cookies
from runtimes.context import RequestContext, enter, run_after
from runtimes.location import Locator, Place
from runtimes.navigation import HTTPError, Redirect
from runtimes.requests import CDN, EXPLAINER, OVERSIZED, PUBLIC_URL, VIEWER_ORIGIN, BadJSONError, Request
from runtimes.responses import Response
from runtimes.routing import HOST_HEADER, BadPathError, Match, resolve_dots
from runtimes.table import METHODS, RouteEntry, Table, answers_unknown

if TYPE_CHECKING:
    from runtimes.site import CompiledSite

logger = logging.getLogger("runtimes")

DEFAULT_MAX_BODY_SIZE = 6 * 2**20
"""Bytes that a request for no route may have; Lambda takes no more."""

_INTERNAL_HEADERS = (b"x-middleware-", b"x-nextjs-", b"x-packager-")
_VIEWER_HOST = HOST_HEADER.encode()
_YEAR = 31536000


class BodyTooLargeError(Exception):
    """The request's body is larger than the route allows."""


class ClientGoneError(Exception):
    """The client went away before its request was whole."""


class App:
    """An ASGI 3 application over the routes of one artifact.

    `root` is the artifact's folder. What `importer` raises for a route or middleware module is raised here.
    """

    def __init__(self, routes: Table, root: Path, importer: handlers.Importer = handlers.load_module) -> None:
        self.function = routes.function
        self.site: CompiledSite | None = None
        if routes.site is not None:
            from runtimes import site  # noqa: PLC0415 - most apps have no such rules

            self.site = site.compile_site(routes.site)
        self.public_url = routes.public_url
        self.cdn_functions = routes.cdn_functions
        self._of_every_scope: dict[str, Any] = {
            "root_path": routes.site.base_path if routes.site else "",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            PUBLIC_URL: routes.public_url,
        }
        self._step = chain.step
        self.locator = Locator(routes.routes, self.site)
        self._served = {self.function, None} if answers_unknown(routes) else {self.function}
        self.middleware = chain.load(root, routes.middleware, importer)
        self.handlers: dict[str, dict[str, handlers.Handler]] = {
            entry.file: handlers.handlers_of(importer(root, entry.file), entry.file)
            for entry in routes.routes
            if entry.function == routes.function
        }

    def owns(self, raw_path: bytes) -> bool:
        """False if another function of the app serves this path."""
        return self.locator.function_of(raw_path) in self._served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _lifespan(scope, receive, send)
            return
        scope = self._own_scope(scope)
        context = RequestContext(Request(scope, receive))
        enter(context)
        response = await self._answer(context, scope, receive)
        if context.on_response:
            response = _finished(response, context)
        _join_repeated(response.raw_headers)
        await response(scope, receive, _without_body(send) if scope["method"] == "HEAD" else send)
        context.answered = True
        if context.after:
            await run_after(context.after)

    def _own_scope(self, scope: Scope) -> Scope:
        """A scope of our own, with the ASGI version that streams without a task group.

        Internal headers are stripped; the host that the CDN was asked for takes the place of the origin's. Repeated
        ones are one, joined with a comma and no space, as the HTTP API joins them before Lambda sees them, cookies
        with a semicolon.
        """
        rows = list(scope["headers"])
        headers: dict[bytes, bytes] = dict(rows)
        if len(headers) != len(rows):
            headers = {}
            for name, value in rows:
                if name not in headers:
                    headers[name] = value
                else:
                    headers[name] += (b"; " if name == b"cookie" else b",") + value
            rows = list(headers.items())
        viewer_origin = None
        if b"x-" in b" ".join(headers):
            if scope.get(CDN) and (host := headers.get(_VIEWER_HOST)):
                headers[b"host"] = host
                viewer_origin = f"https://{host.decode('latin-1')}"
                rows = list(headers.items())
            rows = [row for row in rows if not row[0].startswith(_INTERNAL_HEADERS)]
        return {
            **scope,
            "headers": rows,
            "raw_path": scope.get("raw_path") or scope["path"].encode(),
            "state": dict(scope.get("state") or {}),
            VIEWER_ORIGIN: viewer_origin,
            **self._of_every_scope,
        }

    async def _answer(self, context: RequestContext, scope: Scope, receive: Receive) -> StarletteResponse:
        """The response to a request; every fault has become one."""
        if scope["method"] not in METHODS:
            return Response(None, 400)
        request = context.request
        try:
            if exact := self.locator.exact(scope["raw_path"]):
                return await self._serve(context, Place(request, exact), receive)
            path = scope["raw_path"] = resolve_dots(scope["raw_path"])
            if (target := self.locator.canonical(path)) != path:
                return _moved(target, scope["query_string"])
            if self.site is None:
                return await self._serve(context, self.locator.find(request), receive)
            asked = (path.decode("latin-1"), scope["query_string"].decode("latin-1"), Subject(request))
            from runtimes import site  # noqa: PLC0415 - only where there are rules

            if moved := site.redirect_for(self.site, *asked):
                return _redirect(moved.location, moved.status)
            configured = site.headers_for(self.site, *asked)
            return await self._serve(context, self.locator.find(request), receive, configured)
        except BadPathError:
            return _error(400, "Bad Request")

    async def _serve(
        self, context: RequestContext, place: Place, receive: Receive, configured: Headers | None = None
    ) -> StarletteResponse:
        """Body, middleware, handler; then the headers of the site, of middleware and of `cors`."""
        request, match = context.request, place.match
        if match:
            context.route = match.value.path
            if match.value.cors and cors.is_preflight(request.scope["method"], request.headers):
                return cors.preflight(match.value.cors, request.headers, self._methods(match.value))
        limit = match.value.max_body_size if match else DEFAULT_MAX_BODY_SIZE
        passage = Passage(request)
        try:
            request._body = place.request._body = await _read_body(request.scope, receive, limit)
            response, match = await self._pass(passage, context, place)
        except BodyTooLargeError:
            response = _error(413, "Payload Too Large")
        if configured and not passage.url:
            (chain.under if passage.answer else chain.onto)(response, configured)
        chain.onto(response, passage.headers)
        if match and match.value.cors:
            cors.apply(match.value.cors, context.request.headers, response)
        return response

    async def _pass(
        self, passage: Passage, context: RequestContext, place: Place
    ) -> tuple[StarletteResponse, Match[RouteEntry] | None]:
        """Through the middleware to the place; also the route found, which middleware may change."""
        waiting = list(self.middleware)
        while waiting and (item := _first_of(waiting, passage.request, place.match)):
            waiting.remove(item)
            before = passage.request
            try:
                await self._step(item, passage, context)
            except BaseException as raised:  # noqa: BLE001 - what is no answer is raised again
                return _response_to(raised, item.file, context), place.match
            if passage.answer:
                return _checked(passage.answer, item.file), place.match
            if passage.url:
                return await _forward(passage.request, passage.url), None
            if passage.request is not before:
                place = self.locator.find(passage.request)
                context.route = place.match.value.path if place.match else None
                if place.match and len(passage.request._body) > place.match.value.max_body_size:
                    raise BodyTooLargeError
        if place.url:
            passage.url = place.url
            return await _forward(passage.request, place.url), None
        if place.match is None:
            return _error(404, "Not Found"), None
        if place.match.value.function != self.function:
            function = place.match.value.function
            return await self._to_other_function(place.request, function), place.match
        context.request = place.request
        return await self._handle(place.request, context, place.match), place.match

    async def _handle(
        self, request: Request, context: RequestContext, match: Match[RouteEntry]
    ) -> StarletteResponse:
        entry = match.value
        available = self.handlers[entry.file]
        method = request.scope["method"]
        target = available.get(method) or (available.get("GET") if method == "HEAD" else None)
        if target is None:
            status = 204 if method == "OPTIONS" else 405
            return Response(None, status, {"allow": ", ".join(self._methods(entry))})
        request.scope["path_params"] = match.params
        try:
            result = await handlers.call(target, request, match.params)
            response = handlers.to_response(result, target.place)
            if context.store:
                join_cookies(response, context.store.changed)
        except BaseException as raised:  # noqa: BLE001 - what is no answer is raised again
            response = _response_to(raised, target.place, context)
        response = _checked(response, target.place)
        if entry.revalidate is not None:
            _revalidate(response, entry.revalidate, method)
            conditional.apply(response, request.headers, method)
        return response

    async def _to_other_function(self, request: Request, function: str) -> StarletteResponse:
        from runtimes import hop  # noqa: PLC0415 - most requests go nowhere else

        in_api = function not in self.cdn_functions
        way = hop.destination(request, self.public_url, in_api=in_api)
        return _error(502, "Bad Gateway") if way is None else await _forward(request, *way)

    def _methods(self, entry: RouteEntry) -> list[str]:
        """What `Allow` lists: the handlers, OPTIONS, and HEAD where there is GET (RFC 9110, §10.2.1)."""
        available = self.handlers[entry.file]
        return sorted({*available, "OPTIONS", *(["HEAD"] if "GET" in available else [])})


def load(
    root: Path, importer: handlers.Importer = handlers.load_module, routes_file: Path | None = None
) -> App:
    """The application of the artifact in `root`; its modules can be imported afterwards.

    `routes_file` is the route table, if an artifact has it elsewhere. In development faults answer with their details.
    """
    routes = table.from_json((routes_file or root / table.PATH).read_text(encoding="utf-8"))
    for folder in dict.fromkeys((str(root), str(root / routes.import_root))):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    if not routes.development:
        return App(routes, root, importer)
    from runtimes import development  # noqa: PLC0415 - nothing that is deployed needs it

    app = App(routes, root, development.importer)
    app._of_every_scope[EXPLAINER], app._step = partial(development.explained, root), development.timed_step
    return app


async def _read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    if OVERSIZED in scope:
        raise BodyTooLargeError
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise BodyTooLargeError
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLargeError
        if not message.get("more_body", False):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


async def _forward(request: Request, url: str, headers: Headers | None = None) -> StarletteResponse:
    """The answer of the URL's own server: another function's, or another host's."""
    from runtimes.proxy import forward  # noqa: PLC0415 - most requests go nowhere else

    return await forward(request, url, headers or [])


def _moved(target: bytes, query: bytes) -> Response:
    return _redirect((target + (b"?" + query if query else b"")).decode("latin-1"), 308)


def _redirect(location: str, status: int) -> Response:
    """A redirect of the site itself; a permanent one has the `Refresh` that Next adds for old browsers."""
    refresh = {"refresh": f"0;url={location}"} if status == 308 else {}
    return Response(location, status, {"location": location, **refresh})


def _first_of(
    waiting: list[Middleware], request: Request, match: Match[RouteEntry] | None
) -> Middleware | None:
    for item in waiting:
        if chain.applies(item, request, match):
            return item
    return None


def _response_to(raised: BaseException, place: str, context: RequestContext) -> StarletteResponse:
    """The answer to what user code raised; what is none, such as a cancellation, is raised again."""
    if isinstance(raised, Redirect):
        response = Response(None, raised.status, {"location": raised.url})
        if context.store:
            join_cookies(response, context.store.changed)
        return response
    if isinstance(raised, HTTPError):
        return Response(None, raised.status)
    if isinstance(raised, HTTPException):
        return _error(raised.status_code, raised.detail, raised.headers)
    if isinstance(raised, BadJSONError):
        return _error(400, f"Invalid JSON: {raised.msg} at line {raised.lineno} column {raised.colno}")
    if not isinstance(raised, Exception):
        raise raised
    method, path = context.request.method, context.request.scope["raw_path"].decode("latin-1")
    logger.error("%s failed: %s %s", place, method, path, exc_info=raised)
    if explain := context.request.scope.get(EXPLAINER):
        return cast("StarletteResponse", explain(raised, place))
    return _error(500, "Internal Server Error")


def _checked(response: StarletteResponse, place: str) -> StarletteResponse:
    try:
        handlers.check(response, place)
    except ValueError as error:
        logger.error("%s", error)
        return _error(500, "Internal Server Error")
    return response


def _finished(response: StarletteResponse, context: RequestContext) -> StarletteResponse:
    """The response after all that `on_response()` collected."""
    for callback in reversed(context.on_response):
        try:
            callback(response)
        except Exception:
            logger.exception("a function passed to on_response() failed")
            response = _error(500, "Internal Server Error")
    return response


def _join_repeated(headers: Headers) -> None:
    """One row a name but for cookies, as an HTTP API makes of them: the same answer on every runtime."""
    if len(dict(headers)) == len(headers):
        return
    joined: dict[bytes, bytes] = {}
    cookies: Headers = []
    for name, value in headers:
        if name == b"set-cookie":
            cookies.append((name, value))
        else:
            joined[name] = joined[name] + b", " + value if name in joined else value
    headers[:] = [*joined.items(), *cookies]


def _error(status: int, text: str, headers: Any = None) -> Response:
    return Response.json({"error": text}, status, headers)


def _revalidate(response: StarletteResponse, seconds: int, method: str) -> None:
    """The cache headers of `revalidate`, as Next sends them, on a GET whose handler set none."""
    if method not in ("GET", "HEAD") or response.status_code != 200 or "cache-control" in response.headers:
        return
    if seconds is False:
        value = f"s-maxage={_YEAR}"
    elif seconds == 0:
        value = "private, no-cache, no-store, max-age=0, must-revalidate"
    else:
        value = f"s-maxage={seconds}, stale-while-revalidate={max(_YEAR - seconds, 0)}"
    response.headers["cache-control"] = value


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


async def _lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "lifespan":
        raise RuntimeError(f"{scope['type']} connections are not served")
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
