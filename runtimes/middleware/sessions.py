"""A session in a signed cookie: the client can read it, but not change it."""

import hashlib
import json
import os
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from starlette.responses import Response

from runtimes.context import on_response
from runtimes.cookie import ResponseCookies
from runtimes.requests import Request

try:
    from itsdangerous import BadData, URLSafeTimedSerializer
except ImportError as error:
    raise ImportError(
        'session() needs itsdangerous: add "itsdangerous>=2.2" to [project] dependencies in pyproject.toml',
        name="itsdangerous",
    ) from error

MAX_COOKIE_BYTES = 4096
"""Browsers drop a longer one (RFC 6265, §6.1)."""

_SHARED = re.compile(r"\b(?:public|s-maxage)\b", re.IGNORECASE)


def session(
    secret: str, *, cookie: str = "session", max_age: int = 14 * 24 * 3600
) -> Callable[[Request], Awaitable[None]]:
    """Middleware that makes `request.state.session` a dict, kept in a signed cookie.

    `secret` is the name of the environment variable that holds the key, at least 32 random characters; several
    keys, separated by commas or spaces, are for rotation: the first signs, all are accepted. What the session
    holds when the response is ready is written if it changed (`Secure; HttpOnly; SameSite=lax; Path=/`); an
    emptied one deletes the cookie. A cookie that was tampered with, signed with another key or written more
    than `max_age` seconds ago is an empty session. Values must be JSON. The cookie is signed, not encrypted: keep no
    secrets in it; and a copy of it stays valid until `max_age`, so what must end at once belongs in a database.

    The project declares itsdangerous. A request without a key in the environment raises `RuntimeError`.
    """

    async def open_session(request: Request) -> None:
        serialiser = _serialiser(_keys(secret), cookie)
        opened = _load(serialiser, request.cookies.get(cookie), max_age)
        before = _text(opened)
        request.state.session = opened

        def close(response: Response) -> None:
            after: dict[str, Any] = request.state.session
            if before != "{}" or after:
                response.headers.add_vary_header("Cookie")
            if _text(after) != before:
                _write(response, cookie, serialiser.dumps(after) if after else None, max_age)

        on_response(close)

    return open_session


def _keys(variable: str) -> tuple[str, ...]:
    keys = tuple(re.findall(r"[^\s,]+", os.environ.get(variable, "")))
    if not keys:
        raise RuntimeError(
            f"session(): the environment variable {variable} is not set. Name it in "
            "[tool.packager.environment] secrets, and give it a value for this machine in .env.local, such as "
            'the output of: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return keys


@lru_cache(maxsize=8)
def _serialiser(keys: tuple[str, ...], cookie: str) -> URLSafeTimedSerializer:
    # itsdangerous signs with the last key; the cookie's name as salt keeps two sessions apart
    return URLSafeTimedSerializer(
        list(reversed(keys)),
        salt=f"runtimes.middleware.session {cookie}",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def _load(serialiser: URLSafeTimedSerializer, token: str | None, max_age: int) -> dict[str, Any]:
    if not token:
        return {}
    try:
        content = serialiser.loads(token, max_age=max_age)
    except BadData:
        return {}
    return content if isinstance(content, dict) else {}


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True)


def _write(response: Response, cookie: str, token: str | None, max_age: int) -> None:
    rows: list[tuple[bytes, bytes]] = []
    age, expires = (0, 0) if token is None else (max_age, None)
    ResponseCookies(rows).set(
        cookie, token or "", max_age=age, expires=expires, secure=True, httponly=True, samesite="lax"
    )
    size = len(rows[0][1])
    if size > MAX_COOKIE_BYTES:
        raise ValueError(
            f"session(): the cookie {cookie} has {size} bytes, browsers keep {MAX_COOKIE_BYTES}: "
            "keep the data in a database and its id in the session"
        )
    response.raw_headers += rows
    if _SHARED.search(response.headers.get("cache-control", "")):
        # a CDN that keeps the response would hand this session to everybody
        response.headers["cache-control"] = "private, no-cache"
