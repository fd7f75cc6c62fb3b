"""The front door for developers: preview's, with faults as pages."""

from collections.abc import Callable, Mapping
from pathlib import Path

from infra.manifest import Manifest
from packager.dev import faults
from packager.dev.faults import Fault
from packager.preview.door import Door
from packager.preview.http import Answer, Backend, Message, Receive, Send, send_answer
from packager.traffic.trace import current

_HTML = ((b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store"))
_JSON = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))

type Faulty = Callable[[str, str, Fault | None], None]


class DevDoor:
    """The ASGI app. It serves what it was given last by `use`.

    `faulty` is told the function, a request such as `GET /api/x` and the fault that it met, or None if it met none.
    """

    def __init__(self, root: Path, faulty: Faulty) -> None:
        self._root = root
        self._faulty = faulty
        self._door: Door | None = None
        self._routes: tuple[str, ...] = ()

    def use(self, manifest: Manifest, backends: Mapping[str, Backend]) -> None:
        """Serve the routes of `manifest` by `backends` from now on."""
        self._door = Door(manifest, backends)
        self._routes = tuple(route.path for route in manifest.routes)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3, http only)."""
        assert self._door is not None
        answering = _Answering(send, scope, self._page)
        await self._door(scope, receive, answering.send)
        if not answering.fault:
            self._faulty(current().function, _name(scope), None)

    def _page(self, scope: Message, body: bytes, *, fault: bool) -> Answer:
        """What takes the place of a fault's description, or of a 404 for a browser."""
        path = scope["raw_path"].decode("ascii", "backslashreplace")
        if not fault:
            return Answer(404, _HTML, faults.not_found_html(path, self._routes))
        found = faults.of_response(self._root, body)
        self._faulty(current().function, _name(scope), found)
        if _wants_html(scope):
            return Answer(500, _HTML, faults.to_html(found, _name(scope)))
        return Answer(500, _JSON, faults.to_json(found))


class _Answering:
    """Passes an answer on, and holds back one that a page takes the place of until it is whole."""

    def __init__(self, send: Send, scope: Message, page: Callable[..., Answer]) -> None:
        self._status: int | None = None
        self._send = send
        self._scope = scope
        self._page = page
        self._kept: list[tuple[bytes, bytes]] | None = None
        self.fault = False
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self.fault = any(name == faults.MARK for name, _ in message["headers"])
            unmatched = self._status == 404 and not current().matched and _wants_html(self._scope)
            if self.fault or unmatched:
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
            await self._send({"type": "http.response.start", "status": self._status, "headers": headers})
            await self._send({"type": "http.response.body", "body": b""})
            return
        answer = self._page(self._scope, bytes(self._body), fault=self.fault)
        own = {name for name, _ in answer.headers} | {faults.MARK, b"content-length"}
        # What middleware and `cors` have added stays, so that a browser may read the fault.
        others = tuple(pair for pair in headers if pair[0] not in own)
        whole = Answer(answer.status, (*answer.headers, *others), answer.body)
        await send_answer(self._send, whole, self._scope["method"])


def _name(scope: Message) -> str:
    return f"{scope['method']} {scope['raw_path'].decode('ascii', 'backslashreplace')}"


def _wants_html(scope: Message) -> bool:
    """Whether a browser asks for a page: what it takes names HTML, which other clients do not."""
    accepted = (value for name, value in scope["headers"] if name == b"accept")
    return any(b"text/html" in value.lower() for value in accepted)
