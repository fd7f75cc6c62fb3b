"""`lib/answers.py` of a project that was a Chalice app."""

MODULE = "lib.answers"
STATUSES = {
    "BadRequestError": 400,
    "UnauthorizedError": 401,
    "ForbiddenError": 403,
    "NotFoundError": 404,
    "MethodNotAllowedError": 405,
    "RequestTimeoutError": 408,
    "ConflictError": 409,
    "UnprocessableEntityError": 422,
    "TooManyRequestsError": 429,
}

_TEXT = '''\
"""Answers and errors as Chalice has them."""

import json
import logging
from decimal import Decimal
from typing import Any

from runtimes import Response
from starlette.exceptions import HTTPException
from starlette.responses import Response as AnyResponse

log = logging.getLogger(__name__)


def reply(
    body: Any = "", headers: dict[str, Any] | None = None, status_code: int = 200
) -> AnyResponse:
    """A response of `body`, unless it is one; what is no text becomes JSON."""
    if isinstance(body, AnyResponse):
        return body
    text = isinstance(body, str | bytes)
    content = body if text else json.dumps(body, default=_plain, separators=(",", ":"))
    response = Response(content, status_code, media_type="application/json")
    for name, value in (headers or {}).items():
        del response.headers[name]
        for item in value if isinstance(value, list) else [value]:
            response.headers.append(name, item)
    return response


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


class ChaliceViewError(HTTPException):
    STATUS_CODE = 500

    def __init__(self, message: str = "") -> None:
        super().__init__(self.STATUS_CODE, message)
'''


def text(errors: set[str]) -> str:
    """The module with the classes of these errors."""
    rows = [
        f"\n\nclass {name}(ChaliceViewError):\n    STATUS_CODE = {code}\n"
        for name, code in STATUSES.items()
        if name in errors
    ]
    return _TEXT + "".join(rows)
