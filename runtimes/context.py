"""The request that is being answered, for code anywhere below it: `headers()`, `cookies()`, `after()`.

Kept in a context variable, so that requests that run at the same time do not see each other.
"""

import asyncio
import inspect
import logging
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.responses import Response

from runtimes.cookie import CookieStore
from runtimes.requests import Request

logger = logging.getLogger("runtimes")

type AfterCallback = Callable[[], Awaitable[object] | object]
type ResponseCallback = Callable[[Response], None]


@dataclass(slots=True)
class RequestContext:
    """The state of one request.

    `answered` is True once its response is on the way; `route` is the path of the route that answers, None
    as long as none is found.
    """

    request: Request
    answered: bool = False
    route: str | None = None
    after: list[AfterCallback] = field(default_factory=list)
    on_response: list[ResponseCallback] = field(default_factory=list)
    store: CookieStore | None = None


_current: ContextVar[RequestContext] = ContextVar("packager_request")


def enter(context: RequestContext) -> None:
    """Make `context` the one of the running task."""
    _current.set(context)


def running() -> RequestContext | None:
    """The state of the request that is being answered; None outside one."""
    return _current.get(None)


def current(name: str) -> RequestContext:
    """The state of the request that is being answered; `name` is the function that asks, for the error outside one."""
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError(f"{name}() was called outside a request") from None


def headers() -> Headers:
    """The request's headers, as middleware left them; they cannot be changed."""
    return current("headers").request.headers


def cookies() -> CookieStore:
    """The request's cookies; what is set or deleted goes onto the response."""
    context = current("cookies")
    if context.store is None:
        context.store = CookieStore(context.request.cookies, lambda: not context.answered)
    return context.store


def after(callback: AfterCallback) -> None:
    """Run a function, sync or async, once the response is sent; in order, and even if the handler fails.

    On Lambda the process is frozen between invocations, so the callbacks run before the invocation ends: the
    client waits for them. Raises `TypeError` if it is not a function.
    """
    if not callable(callback):
        raise TypeError("after() needs a function")
    current("after").after.append(callback)


def on_response(callback: ResponseCallback) -> None:
    """Call a function with the final response right before it is sent, whoever made it; the last one given goes first.

    It may read and change status and headers (`raw_headers`). For middleware: handlers return their response.
    """
    current("on_response").on_response.append(callback)


def route() -> str | None:
    """The path of the route that answers, such as `/api/users/[id]`; None if there is none, or not yet."""
    return current("route").route


async def run_after(callbacks: list[AfterCallback]) -> None:
    """Run what `after()` collected, in order; callbacks may add more."""
    for callback in callbacks:
        try:
            if inspect.iscoroutinefunction(callback) or sys.platform == "emscripten":
                result = callback()
            else:
                result = await asyncio.to_thread(callback)
            if inspect.isawaitable(result):
                await result
        except Exception:
            logger.exception("a function passed to after() failed")
