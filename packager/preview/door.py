"""The way of the build's own routes: strips what only the cloud may set, finds the function."""

import asyncio
import dataclasses
from collections.abc import Mapping

from infra.manifest import Manifest, Route
from infra.routes import on_api
from packager.preview import events
from packager.preview.http import (
    Backend,
    Headers,
    Message,
    Receive,
    Send,
    message_answer,
    send_answer,
)
from packager.preview.server import arrival_of
from packager.traffic.trace import current
from runtimes import site
from runtimes.cookie import RequestCookies
from runtimes.routing import HOST_HEADER, PATH_HEADER, BadPathError, Match, Router
from runtimes.site_rules import from_document

_INTERNAL = (b"x-middleware-", b"x-nextjs-", b"cloudfront-viewer-", b"x-packager-")


class Door:
    """The ASGI app. `backends` serve the manifest's functions by name.

    What no route matches goes to the default function: the first nodejs one, else the first edge one, as
    `$default` of the HTTP API does.
    """

    def __init__(self, manifest: Manifest, backends: Mapping[str, Backend]) -> None:
        self._router = Router((route.path, route) for route in manifest.routes)
        self._site = site.compile_site(from_document(dataclasses.asdict(manifest.site)))
        self._backends = backends
        in_order = sorted(manifest.functions, key=lambda function: function.runtime != "nodejs")
        self._default = in_order[0].name if in_order else ""
        self._on_api = on_api(manifest)
        self._runtimes = {function.name: function.runtime for function in manifest.functions}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3, http only)."""
        arrival = arrival_of(scope)
        headers = without_internal(arrival.headers)
        match = self._match(arrival.raw_path, arrival.query, headers)
        name = match.value.function if match else self._default
        arrival = dataclasses.replace(
            arrival,
            headers=_of_cdn(arrival.raw_path, headers) if name in self._on_api else headers,
            route_key=events.route_key(match.value.path) if match else arrival.route_key,
            params=match.params if match else {},
        )
        trace = current()
        trace.matched, trace.function, trace.runtime = match is not None, name, self._runtimes.get(name)
        if arrival.method == "CONNECT":
            # A tunnel cannot be served, and its target is no path (RFC 9110 §9.3.6).
            await send_answer(send, message_answer(400, "Bad Request"), arrival.method)
        elif not name:
            await send_answer(send, message_answer(404, "Not Found"), arrival.method)
        else:
            await self._backends[name].serve(arrival, receive, send)

    def start(self) -> None:
        """Warm up the functions in the background."""
        for backend in self._backends.values():
            backend.start()

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*(backend.close() for backend in self._backends.values()))

    def _match(self, raw_path: bytes, query: bytes, headers: Headers) -> Match[Route] | None:
        """The route that a request ends at after the site's rewrites, which its function applies again itself."""
        at = site.Rewrite(raw_path.decode("latin-1"), query.decode("latin-1"))
        subject = _Subject(headers)
        try:
            return site.resolve(self._site, at, subject, self._router.match, _is_static)[1]
        except BadPathError:
            return None


def _of_cdn(raw_path: bytes, headers: Headers) -> Headers:
    """With what the CDN tells the functions behind the API, which decodes paths and has a host of its own."""
    host = next((value for name, value in headers if name == b"host"), None)
    own = ((PATH_HEADER.encode(), raw_path), *(((HOST_HEADER.encode(), host),) if host else ()))
    return (*headers, *own)


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
