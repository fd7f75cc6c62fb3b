"""One line of JSON for each request."""

import json
import logging
import re
import sys
import time
import uuid
from collections.abc import Awaitable, Callable

from starlette.responses import Response

from runtimes.context import on_response, route
from runtimes.requests import Request

RUNTIME = "edge" if sys.platform == "emscripten" else "nodejs"

_TRACE_ID = re.compile(r"[\w=;:.-]{1,256}", re.ASCII)


def request_log(logger: logging.Logger | None = None) -> Callable[[Request], Awaitable[None]]:
    """Middleware that writes one line for each request: on stderr, or as INFO to `logger`.

    The keys: `id` (the request's `x-amzn-trace-id`, else that of Lambda's event, else a new one), `method`,
    `route` (`/api/users/[id]`; null if none answered), `path` (without the query), `runtime`, `status` and
    `duration_ms` (from here until the response is ready; a stream may still be on its way). No header values
    but the id, no query and no body are logged. Put it first, so that it sees what the others answer.
    """

    async def log_request(request: Request) -> None:
        started = time.perf_counter()
        row = {
            "id": _id(request),
            "method": request.method,
            "route": None,
            "path": request.scope["raw_path"].decode("latin-1"),
            "runtime": RUNTIME,
        }

        def write(response: Response) -> None:
            elapsed = round((time.perf_counter() - started) * 1000, 3)
            line = json.dumps(
                {**row, "route": route(), "status": response.status_code, "duration_ms": elapsed}
            )
            if logger is None:
                print(line, file=sys.stderr, flush=True)
            else:
                logger.info("%s", line)

        on_response(write)

    return log_request


def _id(request: Request) -> str:
    """The id that the other logs of this request have, if there is one."""
    trace = request.headers.get("x-amzn-trace-id", "")
    if _TRACE_ID.fullmatch(trace):
        return trace
    event = request.scope.get("aws.event") or {}
    return str(event.get("requestContext", {}).get("requestId") or uuid.uuid4())
