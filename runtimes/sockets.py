"""`transport.Send` of the nodejs runtime: `http.client` in a thread."""

import asyncio
import contextlib
import functools
import http.client
import socket
import ssl
import zlib
from concurrent.futures import ThreadPoolExecutor

from runtimes.transport import Destination, Incoming, Outgoing, TransportError


async def over_sockets(outgoing: Outgoing) -> Incoming:
    """Send and give the whole answer; the thread and the connection end with the call.

    Raises `TransportError`.
    """
    # Not the loop's own pool: requests that wait there for an answer could leave no thread to the handler
    # that gives it, if one process serves both.
    pool = ThreadPoolExecutor(1, "outgoing")
    opened: list[socket.socket] = []
    try:
        async with asyncio.timeout(outgoing.timeout):
            work = functools.partial(_exchange, outgoing, opened)
            return await asyncio.get_running_loop().run_in_executor(pool, work)
    except TimeoutError:
        raise TransportError(
            f"there was no whole answer after {outgoing.timeout} seconds", "timeout"
        ) from None
    finally:
        pool.shutdown(wait=False)
        for connected in opened:
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


def _exchange(outgoing: Outgoing, opened: list[socket.socket]) -> Incoming:
    """Send and read, blocking. `opened` gets the socket, so that it can be shut from outside."""
    waits = [seconds for seconds in (outgoing.timeout, outgoing.idle) if seconds is not None]
    with contextlib.closing(_connection(outgoing.to, min(waits, default=None))) as connection:
        try:
            connection.connect()
        except TimeoutError:
            raise TransportError("it could not be reached in time", "connect-timeout") from None
        except OSError as error:
            raise TransportError(error.strerror or type(error).__name__, "connect") from None
        except ValueError:
            raise TransportError("no host can have its name", "connect") from None
        opened.append(connection.sock)
        try:
            _send(connection, outgoing)
            with connection.getresponse() as answer:
                return _whole(answer, outgoing)
        except TimeoutError:
            raise TransportError("it did not answer in time", "timeout") from None
        except OSError as error:
            raise TransportError(error.strerror or type(error).__name__) from None
        except (http.client.HTTPException, ValueError) as error:
            raise TransportError(f"it gave no valid answer ({type(error).__name__})") from None


def _connection(to: Destination, wait: float | None) -> http.client.HTTPConnection:
    if to.scheme == "https":
        return http.client.HTTPSConnection(to.host, to.port, timeout=wait, context=_tls())
    return http.client.HTTPConnection(to.host, to.port, timeout=wait)


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _send(connection: http.client.HTTPConnection, outgoing: Outgoing) -> None:
    connection.putrequest(outgoing.method, outgoing.to.target, skip_accept_encoding=True)
    for name, value in outgoing.headers:
        connection.putheader(name, value)
    connection.putheader("connection", "close")
    if outgoing.body or outgoing.method in ("POST", "PUT", "PATCH", "QUERY"):
        connection.putheader("content-length", str(len(outgoing.body)))
    connection.endheaders(outgoing.body or None)


def _whole(answer: http.client.HTTPResponse, outgoing: Outgoing) -> Incoming:
    body = answer.read(outgoing.limit + 1)
    if len(body) > outgoing.limit:
        raise TransportError(f"its answer is larger than {outgoing.limit} bytes", "size")
    if answer.length:
        raise TransportError("it broke off its answer")
    rows = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders()]
    incoming = Incoming(answer.status, rows, body)
    return _decoded(incoming, outgoing.limit) if outgoing.decode else incoming


def _decoded(incoming: Incoming, limit: int) -> Incoming:
    """As the edge's host gives it: a body that was encoded in one of the ways asked for, and no word of that."""
    codings = [value.strip().lower() for name, value in incoming.headers if name == b"content-encoding"]
    if not incoming.body or codings not in ([b"gzip"], [b"x-gzip"], [b"deflate"]):
        return incoming
    kept = [row for row in incoming.headers if row[0] not in (b"content-encoding", b"content-length")]
    return Incoming(incoming.status, kept, _inflated(incoming.body, codings[0] == b"deflate", limit))


def _inflated(body: bytes, deflate: bool, limit: int) -> bytes:
    # Servers say deflate for zlib's format (RFC 9110, §8.4.1.2) and for the bare one; browsers take both.
    bare = deflate and body[0] & 0x0F != zlib.DEFLATED
    decoder = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)
    try:
        plain = decoder.decompress(body, limit + 1)
    except zlib.error:
        raise TransportError("its answer is encoded wrongly") from None
    if len(plain) > limit:
        raise TransportError(f"its answer is larger than {limit} bytes", "size")
    if not decoder.eof:
        raise TransportError("it broke off its answer")
    return plain
