"""httpx over `runtimes.transport`: where there are no sockets, its async client sends by the host.

On edge `runtimes.edge.httpx_import` puts `replace_default` behind the import of httpx, so that
`httpx.AsyncClient()` works as it does elsewhere. On nodejs httpx stays as it is.
"""

from typing import Any

import httpx

from runtimes import context, transport
from runtimes.client import MAX_BYTES
from runtimes.transport import Kind, Outgoing, TransportError

_OF_THE_CONNECTION = frozenset(
    (b"connection", b"content-length", b"host", b"keep-alive", b"te", b"transfer-encoding")
)
_ERRORS: dict[Kind, type[httpx.TransportError]] = {
    "connect": httpx.ConnectError,
    "connect-timeout": httpx.ConnectTimeout,
    "timeout": httpx.ReadTimeout,
    "size": httpx.ReadError,
    "answer": httpx.RemoteProtocolError,
}


class FetchTransport(httpx.AsyncBaseTransport):
    """Sends an httpx request by the means of the runtime; request and answer are collected, not streamed.

    Of httpx's timeouts `read` holds for every wait for the target; connections, their pool and their
    timeouts are the platform's. An answer's body may have `max_bytes`.
    """

    max_bytes = MAX_BYTES

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx's own errors: `ConnectError`, `ReadTimeout`, `RemoteProtocolError` and their kin."""
        content = await request.aread()
        if content and request.method in ("GET", "HEAD"):
            raise httpx.LocalProtocolError(
                f"{request.method} is sent without a body on edge", request=request
            )
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        sent = [row for row in headers if row[0] not in _OF_THE_CONNECTION]
        running = context.running()
        send = transport.sender(running.request.scope if running else None)
        try:
            to = transport.destination(str(request.url))
            idle = (request.extensions.get("timeout") or {}).get("read")
            outgoing = Outgoing(request.method, to, sent, content, None, self.max_bytes, idle, decode=True)
            answer = await send(outgoing)
        except TransportError as error:
            raise _ERRORS[error.kind](str(error), request=request) from None
        return httpx.Response(answer.status, headers=answer.headers, stream=httpx.ByteStream(answer.body))


class _NoSyncTransport(httpx.BaseTransport):
    def handle_request(self, _request: httpx.Request) -> httpx.Response:
        raise RuntimeError(
            "httpx.get() and httpx.Client() wait in a way that edge cannot: "
            "use `async with httpx.AsyncClient() as client: await client.get(…)`, or runtimes.fetch"
        )


def _made(
    _transport: Any, *_arguments: Any, cert: Any = None, proxy: Any = None, uds: Any = None, **_options: Any
) -> None:
    """What httpx makes of the options of `AsyncClient`: those that the platform cannot honour are refused."""
    for name, value in (("cert", cert), ("proxy", proxy), ("uds", uds)):
        if value is not None:
            raise ValueError(
                f"httpx's option {name} needs a socket of one's own, which edge has not: leave it out"
            )


def _ignored(_transport: Any, *_arguments: Any, **_options: Any) -> None:
    """A sync client may be made, as some libraries do while they are imported, but sends nothing."""


def replace_default() -> None:
    """Make every `httpx.AsyncHTTPTransport` a `FetchTransport`, and the sync one an error that names the async client.

    The public classes are changed in place, so that clients, their mounts and code that makes a transport itself
    all send in the same way.
    """
    httpx.AsyncHTTPTransport.__init__ = _made  # type: ignore[assignment,method-assign]
    for name in ("handle_async_request", "aclose", "__aenter__", "__aexit__", "max_bytes"):
        setattr(httpx.AsyncHTTPTransport, name, getattr(FetchTransport, name))
    httpx.HTTPTransport.__init__ = _ignored  # type: ignore[assignment,method-assign]
    for name in ("handle_request", "close", "__enter__", "__exit__"):
        setattr(httpx.HTTPTransport, name, getattr(_NoSyncTransport, name))
