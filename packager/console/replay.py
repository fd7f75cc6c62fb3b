"""A request made again, edited or not. What the page was not shown stays here and is named by its place."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from packager.preview.http import Headers, Message, Receive, Send
from packager.traffic.history import MAX_BODY, Exchange
from packager.traffic.recorder import Recorder
from packager.traffic.secrecy import Secrets

MAX_REQUEST = 8 * 2**20
"""Bytes of a request to replay that are read."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(r"/[!-~]*")
_BREAK = re.compile(r"[\r\n\0]")


class ReplayError(ValueError):
    """The request cannot be sent; the text says why."""


@dataclass(frozen=True, slots=True)
class Again:
    """A request to send. `target` is path and query."""

    method: str
    target: str
    headers: Headers
    body: bytes


def edited(exchange: Exchange, document: Mapping[str, Any], secrets: Secrets) -> Again:
    """The request of `exchange` with what the page's document changes.

    In it are `method`, `target`, `headers` (objects with `name` and `value`, or with `keep`, the place of the header
    whose value stays) and `body`, a text or null for the body as it was. Raises `ReplayError`.
    """
    try:
        method, target = str(document["method"]), secrets.unmask(str(document["target"]))
        headers = tuple(_header(exchange, row, secrets) for row in document["headers"])
        text = document["body"]
    except (KeyError, TypeError, IndexError) as error:
        raise ReplayError(f"not a request: {error!r}") from error
    if not _TOKEN.fullmatch(method):
        raise ReplayError("the method is not a word")
    if not _TARGET.fullmatch(target):
        raise ReplayError("the path has to begin with / and may hold visible ASCII characters only")
    if text is None and not exchange.request_body.is_whole:
        raise ReplayError(f"only the first {MAX_BODY // 1024} KB of the body were kept: give it a new one")
    body = bytes(exchange.request_body.kept) if text is None else secrets.unmask(str(text)).encode()
    lengths = {b"content-length", b"transfer-encoding"}
    headers = tuple(pair for pair in headers if pair[0] not in lengths)
    if body or method in {"POST", "PUT", "PATCH"}:
        headers += ((b"content-length", str(len(body)).encode()),)
    return Again(method, target, headers, body)


def send(recorder: Recorder, again: Again, replay_of: int) -> tuple[int, asyncio.Task[None]]:
    """Send the request through `recorder`: the number of its exchange, and the task that serves it."""
    raw_path, _, query = again.target.encode("ascii").partition(b"?")
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": again.method,
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": list(again.headers),
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
    exchange = recorder.begin(scope, replay_of)
    serving = recorder.serve(exchange, scope, _given(again.body), _into_nothing())
    return exchange.number, asyncio.create_task(serving)


def read(body: bytes) -> Mapping[str, Any]:
    """The page's document. Raises `ReplayError` if it is none."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise ReplayError("not a JSON document") from error
    if not isinstance(document, dict):
        raise ReplayError("not a JSON object")
    return document


def _header(exchange: Exchange, row: Mapping[str, Any], secrets: Secrets) -> tuple[bytes, bytes]:
    name = str(row["name"]).lower()
    if not _TOKEN.fullmatch(name):
        raise ReplayError(f"{name!r} is not the name of a header")
    if row.get("keep") is not None:
        return name.encode(), exchange.request_headers[int(row["keep"])][1]
    value = secrets.unmask(str(row["value"])).strip()
    if _BREAK.search(value):
        raise ReplayError(f"the header {name} has a line break")
    try:
        return name.encode(), value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise ReplayError(f"the header {name} has characters that no header can have") from error


def _given(body: bytes) -> Receive:
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if parts:
            return parts.pop()
        # The client stays until it is answered.
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def _into_nothing() -> Send:
    async def send(message: Message) -> None:
        """The recorder has noted it."""

    return send
