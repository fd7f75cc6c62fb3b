"""The front door for developers: preview's, with faults as pages and one event for each request."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.manifest import Manifest
from packager.dev import faults
from packager.dev.generation import Seen, seen
from packager.dev.lines import Event, RequestServed
from packager.preview.door import Door
from packager.preview.http import Answer, Backend, Message, Receive, Send, send_answer

_HTML = ((b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store"))
_JSON = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


class DevDoor:
    """The ASGI app. It serves what it was given last by `use`."""

    def __init__(self, root: Path, told: Callable[[Event], None]) -> None:
        self._root = root
        self._told = told
        self._door: Door | None = None
        self._routes: tuple[str, ...] = ()

    def use(self, manifest: Manifest, backends: Mapping[str, Backend]) -> None:
        """Serve the routes of `manifest` by `backends` from now on."""
        self._door = Door(manifest, backends, _nothing)
        self._routes = tuple(route.path for route in manifest.routes)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3, http only)."""
        assert self._door is not None
        record = Seen()
        token = seen.set(record)
        answer = _Answering(send, scope, record, self._page)
        started = time.perf_counter()
        try:
            await self._door(scope, receive, answer.send)
        finally:
            seen.reset(token)
            self._told(
                RequestServed(
                    method=scope["method"],
                    # without the query, which may hold what belongs in no log
                    path=scope["raw_path"].decode("ascii", "backslashreplace"),
                    status=answer.status,
                    runtime=record.runtime,
                    function=record.function,
                    beginning=record.beginning,
                    duration_ms=(time.perf_counter() - started) * 1000,
                )
            )

    def _page(self, scope: Message, body: bytes, *, fault: bool) -> Answer:
        """What takes the place of a fault's description, or of a 404 for a browser."""
        path = scope["raw_path"].decode("ascii", "backslashreplace")
        if not fault:
            return Answer(404, _HTML, faults.not_found_html(path, self._routes))
        found = faults.of_response(self._root, body)
        if _wants_html(scope):
            return Answer(500, _HTML, faults.to_html(found, f"{scope['method']} {path}"))
        return Answer(500, _JSON, faults.to_json(found))


class _Answering:
    """Passes an answer on, and holds back one that a page takes the place of until it is whole."""

    def __init__(self, send: Send, scope: Message, record: Seen, page: Callable[..., Answer]) -> None:
        self.status: int | None = None
        self._send = send
        self._scope = scope
        self._record = record
        self._page = page
        self._kept: list[tuple[bytes, bytes]] | None = None
        self._fault = False
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._fault = any(name == faults.MARK for name, _ in message["headers"])
            unmatched = self.status == 404 and not self._record.matched and _wants_html(self._scope)
            if self._fault or unmatched:
                self._kept = list(message["headers"])
                return
        elif self._kept is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._replaced(self._kept)
            return
        await self._send(message)

    async def _replaced(self, headers: list[tuple[bytes, bytes]]) -> None:
        if not self._body:
            # HEAD: there is nothing to describe the fault with.
            await self._send({"type": "http.response.start", "status": self.status, "headers": headers})
            await self._send({"type": "http.response.body", "body": b""})
            return
        answer = self._page(self._scope, bytes(self._body), fault=self._fault)
        own = {name for name, _ in answer.headers} | {faults.MARK, b"content-length"}
        # What middleware and `cors` have added stays, so that a browser may read the fault.
        others = tuple(pair for pair in headers if pair[0] not in own)
        whole = Answer(answer.status, (*answer.headers, *others), answer.body)
        await send_answer(self._send, whole, self._scope["method"])


def _wants_html(scope: Message) -> bool:
    """Whether a browser asks for a page: what it takes names HTML, which other clients do not."""
    accepted = (value for name, value in scope["headers"] if name == b"accept")
    return any(b"text/html" in value.lower() for value in accepted)


def _nothing(_line: str) -> None:
    pass
