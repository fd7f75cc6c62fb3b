"""`fetch` as the nodejs runtime does it, outside a request too, and what only odd servers answer."""

import asyncio
import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from runtimes import FetchError, FetchResponse, FetchTimeoutError, fetch
from runtimes.httpx_transport import FetchTransport


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The URL of a server that answers one connection with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        thread.join()


def got(headers: bytes, body: bytes, max_bytes: int = 10_000) -> FetchResponse:
    with answering(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n" + body) as url:
        return asyncio.run(fetch(url, max_bytes=max_bytes))


def bare_deflate(content: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(content) + encoder.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(b"plain", mtime=0)),
        (b"X-GZIP", gzip.compress(b"plain", mtime=0)),
        (b"deflate", zlib.compress(b"plain")),
        (b"deflate", bare_deflate(b"plain")),
        (b"gzip", b""),
    ],
)
def test_codings_are_undone(coding: bytes, body: bytes) -> None:
    response = got(b"Content-Encoding: " + coding + b"\r\n", body)
    assert response.content == (b"plain" if body else b"")


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"no gzip at all", "encoded wrongly"), (gzip.compress(b"plain", mtime=0)[:-9], "broke off"),
     (gzip.compress(bytes(10**6), mtime=0), "larger than 10000 bytes")],
)  # fmt: skip
def test_a_damaged_or_exploding_body_is_an_error(body: bytes, words: str) -> None:
    with pytest.raises(FetchError, match=words):
        got(b"Content-Encoding: gzip\r\n", body)


def test_an_unknown_coding_is_left_as_it_is() -> None:
    response = got(b"Content-Encoding: br\r\n", b"\x8b")
    assert (response.content, response.headers["content-encoding"]) == (b"\x8b", "br")


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [(b"text/plain", "ä".encode(), "ä"), (b'text/plain; Charset="ISO-8859-1"', b"\xe4", "ä"),
     (b"text/plain; charset=none", b"\xff", "\ufffd"), (b"", b"\xef\xbb\xbfa", "a")],
)  # fmt: skip
def test_text_follows_the_charset(kind: bytes, body: bytes, text: str) -> None:
    response = got(b"Content-Type: " + kind + b"\r\n", body)
    assert asyncio.run(response.text()) == text


def test_json_that_is_none_is_no_fault_of_the_client() -> None:
    response = got(b"", b"{")
    with pytest.raises(json.JSONDecodeError) as raised:
        asyncio.run(response.json())
    assert type(raised.value) is json.JSONDecodeError


def test_errors_have_a_reason_and_timeouts_are_timeouts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        origin = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(FetchTimeoutError) as raised:
            asyncio.run(fetch(f"{origin}/?secret", timeout=0.1))
    assert isinstance(raised.value, TimeoutError)
    assert raised.value.reason == str(raised.value)
    assert raised.value.reason.startswith(f"fetching from {origin} failed: ")
    with pytest.raises(FetchError, match="no host can have its name"):
        asyncio.run(fetch("http://a..example/"))


def test_httpx_sends_by_the_transport_where_it_is_named() -> None:
    async def ask(url: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=FetchTransport()) as client:
            return await client.get(url)

    with answering(b"HTTP/1.1 404 X\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nbody") as url:
        response = asyncio.run(ask(url))
    assert (response.status_code, response.text) == (404, "body")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_httpx_bodies_of_get_are_refused() -> None:
    async def ask() -> None:
        async with httpx.AsyncClient(transport=FetchTransport()) as client:
            await client.request("GET", "http://127.0.0.1:9/", content=b"x")

    with pytest.raises(httpx.LocalProtocolError):
        asyncio.run(ask())
