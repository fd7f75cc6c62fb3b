"""How many requests a client may make in a window of time."""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.responses import Response as StarletteResponse

from runtimes.context import on_response
from runtimes.requests import Request
from runtimes.responses import Response

logger = logging.getLogger("runtimes")


class Store(Protocol):
    """Where hits are counted."""

    async def hit(self, key: str, window_seconds: float) -> tuple[int, float]:
        """Count one hit of `key`; how many there are in its window, this one included, and the seconds left of it."""
        ...


class MemoryStore:
    """Counts in this process, for `max_keys` clients at most; the one whose window began first is forgotten.

    `clock` gives seconds since 1970: a monotonic clock may stand still while Lambda has the process frozen.
    """

    def __init__(self, max_keys: int = 10_000, clock: Callable[[], float] = time.time) -> None:
        self._max_keys = max_keys
        self._clock = clock
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def hit(self, key: str, window_seconds: float) -> tuple[int, float]:
        """As `Store.hit`; a window begins with its first hit."""
        now = self._clock()
        count, ends = self._windows.get(key, (0, now))
        if ends <= now:
            self._windows.pop(key, None)
            count, ends = 0, now + window_seconds
        self._windows[key] = count + 1, ends
        if len(self._windows) > self._max_keys:
            self._windows.popitem(last=False)
        return count + 1, ends - now


def rate_limit(
    limit: int,
    *,
    per: float,
    key: Callable[[Request], str | None] | None = None,
    store: Store | None = None,
) -> Callable[[Request], Awaitable[Response | None]]:
    """Middleware that lets through `limit` requests in `per` seconds for each `key(request)`, by default `request.ip`.

    Every answer carries `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`
    (draft-ietf-httpapi-ratelimit-headers-06; `Reset` in seconds); one too many is 429 with `Retry-After`
    (RFC 6585, RFC 9110 §10.2.3). Of several limits the innermost that was reached speaks. A key of None is not
    limited by the client: all such requests share one window.

    What is counted depends on the store. By default each process counts alone: every edge worker and every
    Lambda environment (one for each request in flight), anew after each start. That holds off a client that
    hammers one process; the app as a whole lets through up to `limit` times the number of processes. For one
    count over all nodejs functions give a `DynamoDBStore`. Edge workers have no sockets and so no shared
    store: limit there what a single worker can bear, and count exactly in front of nodejs routes or in AWS
    WAF. A store that fails is logged and lets the request through. Limits that share a store share the
    windows of equal keys if `limit` and `per` are equal too.

    Raises `ValueError` if `limit` or `per` is not positive.
    """
    if limit < 1 or per <= 0:
        raise ValueError(f"rate_limit({limit}, per={per}): both must be positive")
    counted = MemoryStore() if store is None else store

    async def limit_rate(request: Request) -> Response | None:
        client = request.ip if key is None else key(request)
        try:
            count, left = await counted.hit(f"{limit}/{per:g} {client or ''}", per)
        except Exception:
            logger.exception("rate_limit: the store failed, the request is let through")
            return None
        on_response(lambda response: _describe(response, limit, count, left))
        if count <= limit:
            return None
        return Response.json({"error": "Too Many Requests"}, 429, {"retry-after": str(math.ceil(left))})

    return limit_rate


def _describe(response: StarletteResponse, limit: int, count: int, left: float) -> None:
    if "ratelimit-limit" not in response.headers:
        response.headers["ratelimit-limit"] = str(limit)
        response.headers["ratelimit-remaining"] = str(max(limit - count, 0))
        response.headers["ratelimit-reset"] = str(math.ceil(left))
