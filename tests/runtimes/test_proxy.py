"""Forwarding over real sockets, as the nodejs runtime does it."""

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

import pytest

from runtimes import proxy, sockets
from runtimes.proxy import MAX_ANSWER, MAX_HOPS, forward
from runtimes.requests import Request
from runtimes.responses import Response
from runtimes.transport import SEND, Incoming, Outgoing, Send

type Rows = list[tuple[bytes, bytes]]

BAD_GATEWAY = (502, b'{"error":"Bad Gateway"}')


class Target(ThreadingHTTPServer):
    """Answers with `answer`, raw bytes, or else tells what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.answer: bytes | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Asked(BaseHTTPRequestHandler):
    server: Target

    def handle(self) -> None:
        self.raw_requestline = self.rfile.readline(65536)
        if not self.parse_request():
            return
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.server.answer is not None:
            self.wfile.write(self.server.answer)
            return
        told = {"line": self.requestline, "headers": self.headers.items(), "body": body.decode("latin-1")}
        content = json.dumps(told).encode()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content)


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@dataclass
class Sent:
    """What is forwarded, and how."""

    method: str = "GET"
    headers: Rows = field(default_factory=list)
    body: bytes = b""
    send_headers: Rows = field(default_factory=list)

    def to(self, url: str, send: Send | None = None) -> Response:
        scope: dict[str, object] = {"type": "http", "method": self.method, "headers": self.headers}
        if send is not None:
            scope[SEND] = send

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": self.body}

        answer = asyncio.run(forward(Request(scope, receive), url, self.send_headers))
        assert isinstance(answer.body, bytes)
        return answer  # type: ignore[return-value]


def told(answer: Response) -> tuple[str, list[tuple[str, str]], str]:
    content = json.loads(bytes(answer.body))
    return content["line"], [(name.lower(), value) for name, value in content["headers"]], content["body"]


def seen(answer: Response) -> tuple[int, bytes]:
    return answer.status_code, bytes(answer.body)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "QUERY", "OPTIONS"])
def test_method_target_headers_and_body_reach_the_target(target: Target, method: str) -> None:
    sent = Sent(
        method, [(b"x-a", b"1"), (b"host", b"front.example"), (b"content-length", b"99")], b"\xffbody"
    )
    line, headers, body = told(sent.to(f"{target.origin}/a%2Fb/ä?c=%zz&d='"))
    assert (line, body) == (f"{method} /a%2Fb/%C3%A4?c=%zz&d=%27 HTTP/1.1", "\xffbody")
    assert dict(headers)["x-a"] == "1"
    assert dict(headers)["host"] == target.origin.removeprefix("http://")
    assert [value for name, value in headers if name == "content-length"] == ["5"]


def test_a_get_goes_without_content(target: Target) -> None:
    _, headers, body = told(Sent(body=b"ignored").to(target.origin))
    assert (body, "content-length" in dict(headers)) == ("", False)


def test_headers_of_one_connection_and_internal_ones_stay_here(target: Target) -> None:
    kept = {"cookie": "a=1", "authorization": "Bearer t", "x-forwarded-for": "192.0.2.1"}
    dropped = (
        b"x-middleware-next",
        b"x-packager-state",
        b"x-listed",
        b"te",
        b"upgrade",
        b"expect",
        b"keep-alive",
    )
    rows = [(name, b"1") for name in dropped] + [(b"connection", b"close, X-Listed")]
    rows += [(name.encode(), value.encode()) for name, value in kept.items()]
    _, headers, _ = told(Sent(headers=rows).to(target.origin))
    own = {"host", "connection", "cdn-loop", "accept", "accept-encoding", "accept-language"}
    assert dict(headers).keys() == kept.keys() | own | {"sec-fetch-mode", "user-agent"}
    assert dict(headers).items() >= kept.items()
    assert (dict(headers)["accept-encoding"], dict(headers)["connection"]) == ("identity", "close")


def test_headers_to_send_replace_the_requests(target: Target) -> None:
    sent = Sent(headers=[(b"x-a", b"old")], send_headers=[(b"x-a", b"new"), (b"x-packager-state", b"s")])
    _, headers, _ = told(sent.to(target.origin))
    assert [value for name, value in headers if name == "x-a"] == ["new"]
    assert dict(headers)["x-packager-state"] == "s"


def test_credentials_of_the_url_become_basic_authorization(target: Target) -> None:
    sent = Sent(headers=[(b"authorization", b"Bearer of-the-client")])
    _, headers, _ = told(sent.to(target.origin.replace("//", "//us%40er:pass@")))
    assert dict(headers)["authorization"] == "Basic dXNAZXI6cGFzcw=="
    assert dict(headers)["host"] == target.origin.removeprefix("http://")


def test_the_answer_comes_back_with_every_cookie_and_without_hop_by_hop_headers(target: Target) -> None:
    target.answer = (
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nX-B: \xe4\r\nSet-Cookie: a=1\r\nX-A: 1\r\nSet-Cookie: b=2\r\n"
        b"X-A: 2\r\nConnection: x-gone\r\nX-Gone: 1\r\nX-Middleware-Next: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"4\r\nbody\r\n0\r\n\r\n"
    )
    answer = Sent().to(target.origin)
    assert seen(answer) == (302, b"body")
    assert answer.raw_headers == [
        (b"content-length", b"4"),
        (b"location", b"/elsewhere"),
        (b"x-a", b"1, 2"),
        (b"x-b", b"\xe4"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]


def test_an_encoded_body_is_passed_on_as_it_is(target: Target) -> None:
    target.answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\xff"
    answer = Sent().to(target.origin)
    assert (seen(answer), answer.headers["content-encoding"]) == ((200, b"\x1f\x8b\xff"), "gzip")


def test_head_keeps_the_length_of_what_get_would_give(target: Target) -> None:
    target.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"
    answer = Sent("HEAD").to(target.origin)
    assert (seen(answer), answer.headers["content-length"]) == ((200, b""), "12")


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_content_has_no_length(target: Target, status: int) -> None:
    target.answer = b"HTTP/1.1 %d X\r\nETag: 1\r\n\r\n" % status
    assert Sent().to(target.origin).raw_headers == [(b"etag", b"1")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], "packager; hops=1"),
        ([b"packager; hops=2"], "packager; hops=3"),
        ([b"packager;hops=1,other; a=\"x, packager; hops=9\"", b"packager; hops=3"],
         'other; a="x, packager; hops=9", packager; hops=4'),
        ([b"packager"], "packager; hops=2"),
        ([b"packager; hops=-7, packager.example"], "packager.example, packager; hops=2"),
    ],
)  # fmt: skip
def test_each_hop_is_counted_and_other_entries_stay(target: Target, before: list[bytes], after: str) -> None:
    _, headers, _ = told(Sent(headers=[(b"cdn-loop", value) for value in before]).to(target.origin))
    assert [value for name, value in headers if name == "cdn-loop"] == [after]


@pytest.mark.parametrize("hops", [b"%d" % MAX_HOPS, b"999999999", b'"7"'])
def test_a_request_that_was_forwarded_too_often_is_508(target: Target, hops: bytes) -> None:
    answer = Sent(headers=[(b"cdn-loop", b"packager; hops=" + hops)]).to(target.origin)
    assert seen(answer) == (508, b'{"error":"Loop Detected"}')


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "RemoteDisconnected"),
        (b"nonsense\r\n\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "it broke off its answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_ANSWER + 1) + bytes(MAX_ANSWER + 1), "larger than"),
        (b"HTTP/1.1 700 No\r\nContent-Length: 0\r\n\r\n", "the status 700"),
        (b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n", "a line break in a header"),
    ],
)  # fmt: skip
def test_a_bad_answer_is_502_and_one_log_line(
    target: Target, caplog: pytest.LogCaptureFixture, answer: bytes, reason: str
) -> None:
    target.answer = answer
    assert seen(Sent().to(f"{target.origin}/path?secret=1".replace("//", "//user:pass@"))) == BAD_GATEWAY
    [line] = caplog.messages
    assert line.startswith(f"forwarding to {target.origin} failed: ")
    assert reason in line
    assert not any(word in line for word in ("secret", "path", "pass"))


def test_an_answer_of_the_greatest_size_is_passed_on(target: Target) -> None:
    target.answer = b"HTTP/1.1 200 OK\r\n\r\n" + bytes(MAX_ANSWER)
    assert seen(Sent().to(target.origin)) == (200, bytes(MAX_ANSWER))


def test_nobody_listening_is_502(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        origin = f"http://127.0.0.1:{bound.getsockname()[1]}"
        assert seen(Sent().to(origin)) == BAD_GATEWAY
    assert caplog.messages == [f"forwarding to {origin} failed: Connection refused"]


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "file:///etc/passwd", "/path", "http:///path", "http://a b/", "http://[::1", "http://a:99999/",
     "http://\u0001/", "http://a%2Eb/", "http://" + "a" * 70 + "ä/"],
)  # fmt: skip
def test_what_is_no_http_url_is_502(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert seen(Sent().to(url)) == BAD_GATEWAY
    assert len(caplog.messages) == 1


def test_a_target_that_says_nothing_is_502_after_the_timeout(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(proxy, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert seen(Sent().to(f"http://127.0.0.1:{silent.getsockname()[1]}")) == BAD_GATEWAY
    assert len(caplog.messages) == 1


def test_a_plain_server_is_no_https_server(target: Target) -> None:
    assert seen(Sent().to(target.origin.replace("http:", "https:"))) == BAD_GATEWAY


def test_https_needs_a_certificate_that_is_trusted(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is needed to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=a.example"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *words], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    target.socket = context.wrap_socket(target.socket, server_side=True)
    url = target.origin.replace("http:", "https:")
    sockets._tls.cache_clear()
    try:
        assert seen(Sent().to(url)) == BAD_GATEWAY
        assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
        sockets._tls.cache_clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert told(Sent().to(url))[0] == "GET / HTTP/1.1"
        monkeypatch.undo()
        assert seen(Sent().to(url.replace("127.0.0.1", "localhost"))) == BAD_GATEWAY
    finally:
        sockets._tls.cache_clear()


def test_many_hops_at_once_need_no_thread_of_the_loops_pool(target: Target) -> None:
    async def run() -> list[int]:
        asyncio.get_running_loop().set_default_executor(NoThreads())
        scope = {"type": "http", "method": "GET", "headers": []}
        hops = [forward(Request(scope), target.origin, []) for _ in range(40)]
        return [answer.status_code for answer in await asyncio.gather(*hops)]

    assert asyncio.run(run()) == [200] * 40


class NoThreads(ThreadPoolExecutor):
    def submit(self, *arguments: object, **named: object) -> NoReturn:
        raise AssertionError("the pool of the loop was used")


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("HTTP://A.Example:80/x/../y", "http://a.example", "/y"),
        ("https://a.example:443?q", "https://a.example", "/?q"),
        ("https://a.example:80/a b\\c|d^", "https://a.example:80", "/a%20b/c|d%5E"),
        ("http://[::1]:8080/%2e%2e/a//b#fragment", "http://[::1]:8080", "/a//b"),
        ("http://bücher.example/?a='\"<ü>`{}^", "http://xn--bcher-kva.example", "/?a=%27%22%3C%C3%BC%3E`{}^"),
    ],
)
def test_a_url_is_spelled_as_fetch_would(url: str, origin: str, target: str) -> None:
    sent: list[Outgoing] = []

    async def send(outgoing: Outgoing) -> Incoming:
        sent.append(outgoing)
        return Incoming(200, [], b"")

    assert Sent().to(url, send).status_code == 200
    assert (sent[0].to.origin, sent[0].to.target) == (origin, target)
