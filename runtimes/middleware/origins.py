"""`cors` for all routes that a middleware's matcher takes."""

from collections.abc import Awaitable, Callable, Sequence

from runtimes.context import on_response
from runtimes.cors import apply, is_preflight, preflight
from runtimes.requests import Request
from runtimes.responses import Response
from runtimes.table import METHODS, ORIGIN_RULE, Cors, is_origin


def cors(
    origins: Sequence[str],
    *,
    methods: Sequence[str] | None = None,
    headers: Sequence[str] | None = None,
    credentials: bool = False,
    max_age: int | None = None,
) -> Callable[[Request], Awaitable[Response | None]]:
    """Middleware that does for every route what the constant `cors = {…}` does for one, with the same keys.

    Preflights are answered here, with `methods`, or all methods that a handler can have, since no route is
    known yet; every other answer, errors too, carries the permission. `max_age` in seconds. Put it before
    middleware that may answer itself. A route with a `cors` of its own answers its preflights itself, and its
    permission holds beside this one.

    Raises `TypeError` if `origins` is one text, `ValueError` for what is no origin and for `"*"` with
    credentials, which browsers refuse.
    """
    if isinstance(origins, str):
        raise TypeError(f"cors(origins={origins!r}): origins is a list, such as [{origins!r}]")
    for origin in origins:
        if not is_origin(origin):
            raise ValueError(f"cors(): {origin!r} is not an origin: {ORIGIN_RULE}")
    if credentials and any("*" in items for items in (origins, methods or (), headers or ())):
        raise ValueError('cors(): browsers refuse "*" with credentials; name every one')
    permission = Cors(
        origins=tuple(origins),
        methods=None if methods is None else tuple(methods),
        headers=None if headers is None else tuple(headers),
        credentials=credentials,
        max_age=max_age,
    )

    async def share(request: Request) -> Response | None:
        if is_preflight(request.method, request.headers):
            return preflight(permission, request.headers, METHODS)
        asked = request.headers
        on_response(lambda response: apply(permission, asked, response))
        return None

    return share
