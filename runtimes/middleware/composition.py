"""Several middleware functions as the one that `middleware.py` defines."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response as StarletteResponse

from runtimes import chain
from runtimes.chain import Headers, Middleware, Passage
from runtimes.context import current, on_response
from runtimes.handlers import Handler, handler
from runtimes.requests import Request
from runtimes.responses import NextResponse, RewriteResponse
from runtimes.routing import Router

type Part = Callable[..., Any]
type Composed = Callable[[Request], Awaitable[StarletteResponse | None]]


def compose(*parts: Part) -> Composed:
    """One `middleware(request)` that runs `parts` in order, as if each were in a folder of its own.

    A part is what `middleware.py` may define: sync or async, it takes the request and returns None,
    `Response.next(…)`, `Response.rewrite(…)` or an answer. An answer ends the chain, and so does a rewrite to
    another host. What a part sets (cookies, the request's headers, another URL) the later parts and the
    handler see; its headers are on the response also if a later part answers or raises. Raises `TypeError` if
    a part cannot be called.
    """
    items = tuple(_item(part) for part in parts)

    async def middleware(request: Request) -> StarletteResponse | None:
        passage, context = Passage(request), current("compose")
        for item in items:
            try:
                await chain.step(item, passage, context)
            except BaseException:
                _add(passage.headers)
                raise
            if passage.answer is not None:
                _add(passage.headers)
                return passage.answer
            if passage.url is not None:
                break
        return _outcome(request, passage)

    return middleware


def _item(part: Part) -> Middleware:
    if not callable(part):
        raise TypeError(f"compose() takes middleware functions, not {part!r}")
    return Middleware(_named(part), "", Router([]), None)


def _named(part: Part) -> Handler:
    name = getattr(part, "__qualname__", type(part).__qualname__)
    return handler(part, f"{part.__module__}.{name}")


def _add(headers: Headers) -> None:
    if headers:
        on_response(lambda response: chain.onto(response, headers))


def _outcome(request: Request, passage: Passage) -> StarletteResponse | None:
    """What the parts did, as the one response that says it; None if they did nothing."""
    reached = passage.request
    if reached is request and not passage.headers and passage.url is None:
        return None
    before, after = request.scope, reached.scope
    query = after["query_string"]
    if passage.url is not None:
        response: NextResponse = RewriteResponse(passage.url)
    elif (after["raw_path"], query) != (before["raw_path"], before["query_string"]):
        path = (after["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
        response = RewriteResponse(f"{request.url.scheme}://{request.url.netloc}{path}")
    else:
        response = NextResponse()
    if after["headers"] is not before["headers"]:
        response.request_headers = list(after["headers"])
    response.raw_headers = passage.headers
    return response
