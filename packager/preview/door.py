"""The front door: takes requests in, strips what only the cloud may set, finds the function."""

import contextlib
import dataclasses
import re
import socket
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

import uvicorn

from infra.manifest import Manifest, Route
from packager.preview.http import (
    Arrival,
    Backend,
    Headers,
    Log,
    Message,
    Receive,
    Send,
    message_answer,
    send_answer,
)
from runtimes import site
from runtimes.cookie import RequestCookies
from runtimes.routing import BadPathError, Match, Router
from runtimes.site_rules import from_document

_INTERNAL = (b"x-middleware-", b"x-nextjs-", b"cloudfront-viewer-", b"x-packager-")
_ABSOLUTE_FORM = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_SHUTDOWN_LIMIT = 1
"""Seconds that open requests get at the end; their functions are ended before."""


class Door:
    """The ASGI app. `backends` serve the manifest's functions by name.

    What no route matches goes to the default function: the first nodejs one, else the first edge one, as
    `$default` of the HTTP API does.
    """

    def __init__(self, manifest: Manifest, backends: Mapping[str, Backend], log: Log) -> None:
        self._log = log
        self._router = Router((route.path, route) for route in manifest.routes)
        self._site = site.compile_site(from_document(dataclasses.asdict(manifest.site)))
        self._backends = backends
        in_order = sorted(manifest.functions, key=lambda function: function.runtime != "nodejs")
        self._default = backends[in_order[0].name] if in_order else None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3, http only); the log gets one line for it."""
        started = time.perf_counter()
        status = "no answer"

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._serve(scope, receive, noted)
        finally:
            milliseconds = (time.perf_counter() - started) * 1000
            # without the query, which may hold what belongs in no log
            path = scope["raw_path"].decode("ascii", "backslashreplace")
            self._log(f"{scope['method']} {path} {status} {milliseconds:.0f} ms")

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        raw_path = _ABSOLUTE_FORM.sub(b"", scope["raw_path"], count=1) or b"/"
        headers = without_internal(tuple((bytes(name), bytes(value)) for name, value in scope["headers"]))
        match = self._match(raw_path, scope["query_string"], headers)
        arrival = Arrival(
            method=scope["method"],
            raw_path=raw_path,
            query=scope["query_string"],
            headers=headers,
            client=tuple(scope["client"] or ("127.0.0.1", 0)),
            http_version=scope["http_version"],
            route=match.value if match else None,
            params=match.params if match else {},
        )
        backend = self._backends[match.value.function] if match else self._default
        if arrival.method == "CONNECT":
            # A tunnel cannot be served, and its target is no path (RFC 9110 §9.3.6).
            await send_answer(send, message_answer(400, "Bad Request"), arrival.method)
        elif backend is None:
            await send_answer(send, message_answer(404, "Not Found"), arrival.method)
        else:
            await backend.serve(arrival, receive, send)

    def _match(self, raw_path: bytes, query: bytes, headers: Headers) -> Match[Route] | None:
        """The route that a request ends at after the site's rewrites, which its function applies again itself."""
        at = site.Rewrite(raw_path.decode("latin-1"), query.decode("latin-1"))
        subject = _Subject(headers)
        try:
            return site.resolve(self._site, at, subject, self._router.match, _is_static)[1]
        except BadPathError:
            return None


def _is_static(match: Match[Route]) -> bool:
    return not match.value.params


class _Subject:
    """A request as the conditions of rewrites look at it; its query is that of the path being rewritten."""

    def __init__(self, headers: Headers) -> None:
        self._headers = list(headers)

    def header(self, name: str) -> str | None:
        wanted = name.encode("latin-1", "replace")
        values = [value.decode("latin-1") for key, value in self._headers if key == wanted]
        return ", ".join(values) if values else None

    def cookie(self, name: str) -> str | None:
        return RequestCookies(self._headers).get(name)

    def query(self, _name: str) -> str | None:
        return None

    def host(self) -> str:
        return (self.header("host") or "").partition(":")[0].lower()


def without_internal(headers: Headers) -> Headers:
    """Without the headers that only the cloud or the tool itself may set."""
    return tuple(pair for pair in headers if not pair[0].startswith(_INTERNAL))


class Server(uvicorn.Server):
    """uvicorn, which leaves signals to the program and says when it listens."""

    def __init__(self, app: Any, listening: Callable[[], None]) -> None:
        # h11 and not a faster parser: any method token and any header must reach the functions.
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=_SHUTDOWN_LIMIT,
            )
        )
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the handlers of the program in place."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and then call back."""
        await super().startup(sockets)
        self._listening()
