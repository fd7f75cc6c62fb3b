"""Requests of handlers' own, by `runtimes.fetch` and by httpx: the same on both runtimes, over real sockets."""

import gzip
import json
import socket
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from serving import Server, serving

pytestmark = pytest.mark.e2e

FETCH = """
from runtimes import FetchError, Request, cookies, fetch

runtime = "{runtime}"

async def POST(request: Request):
    options = await request.json()
    try:
        response = await fetch(**options)
    except (FetchError, ValueError) as error:
        return {{"error": type(error).__name__, "text": str(error), "late": isinstance(error, TimeoutError)}}
    return {{
        "status": response.status, "ok": response.ok, "url": response.url, "redirected": response.redirected,
        "cookies": response.headers.getlist("set-cookie"), "type": response.headers.get("Content-Type"),
        "coded": response.headers.get("content-encoding"), "size": len(response.content),
        "text": (await response.text())[:500],
    }}

async def PUT(request: Request):
    \"\"\"A request in flight while others are: what is this one's own stays so.\"\"\"
    cookies().set("mine", request.query_params["name"])
    await fetch(request.query_params["url"])
    return {{"mine": cookies().get("mine").value, "header": request.headers["x-name"]}}
"""
HTTPX = """
import httpx
from runtimes import Request

runtime = "{runtime}"

async def POST(request: Request):
    options = await request.json()
    timeout, follow = options.pop("timeout", 10), options.pop("follow", False)
    parts = options.pop("parts", None)
    if parts:
        async def stream():
            for part in parts:
                yield part.encode()
        options["content"] = stream()
    try:
        async with httpx.AsyncClient(timeout=timeout, follow_redirects=follow) as client:
            response = await client.request(**options)
    except httpx.HTTPError as error:
        return {{"error": type(error).__name__}}
    return {{
        "status": response.status_code, "url": str(response.url), "size": len(response.content),
        "cookies": response.headers.get_list("set-cookie"), "text": response.text[:500],
    }}
"""
SYNC = """
import httpx

runtime = "edge"

def GET():
    try:
        return {"status": httpx.get("http://127.0.0.1:1/").status_code}
    except RuntimeError as error:
        return {"error": str(error)}
"""


class Target(BaseHTTPRequestHandler):
    """Answers as the path says, or tells what it was asked."""

    protocol_version = "HTTP/1.1"
    gate = threading.Event()

    def do_GET(self) -> None:
        body = self.body()
        path, _, query = self.path.partition("?")
        match path:
            case "/cookies":
                self.answer(404, b"\xe4", ("set-cookie", "a=1"), ("set-cookie", "b=2"),
                            ("content-type", "text/plain; charset=iso-8859-1"))  # fmt: skip
            case "/redirect":
                status, _, location = query.partition(":")
                self.answer(int(status), b"moved", ("location", location))
            case "/round":
                self.answer(302, b"", ("location", "/round"))
            case "/gzip":
                self.answer(200, gzip.compress(b"plain" * 1000), ("content-encoding", "gzip"))
            case "/deflate":
                self.answer(200, zlib.compress(b"plain" * 1000), ("content-encoding", "deflate"))
            case "/large":
                self.answer(200, bytes(int(query)))
            case "/silent":
                self.gate.wait(30)
                self.close_connection = True
            case "/torn":
                self.close_connection = True
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            case _:
                headers = {name.lower(): value for name, value in self.headers.items()}
                told = [self.command, self.path, headers, len(body), body[:50].decode()]
                self.answer(200, json.dumps(told).encode(), ("content-type", "application/json"))

    def body(self) -> bytes:
        """All of it: what is left unread would break the connection before the answer is read."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size + 2)[:-2])
        self.rfile.readline()
        return b"".join(parts)

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response_only(status)
        for name, value in (*headers, ("content-length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


class Origin(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with Origin(("127.0.0.1", 0), Target) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Target.gate.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def nowhere() -> str:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = tmp_path_factory.mktemp("outgoing") / "project"
    head = '[project]\nname = "outgoing"\nversion = "1"\nrequires-python = ">=3.12"\n'
    files = {"pyproject.toml": f'{head}dependencies = ["httpx>=0.28"]\n', "app/api/edge/sync/route.py": SYNC}
    for name, runtime in (("node", "nodejs"), ("edge", "edge")):
        files[f"app/api/{name}/fetch/route.py"] = FETCH.format(runtime=runtime)
        files[f"app/api/{name}/httpx/route.py"] = HTTPX.format(runtime=runtime)
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    with serving(project) as running:
        yield running


def told(server: Server, path: str, **options: Any) -> Any:
    answer = server.ask("POST", path, {"content-type": "application/json"}, json.dumps(options).encode())
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


@pytest.fixture(params=["node", "edge"])
def fetch(request: pytest.FixtureRequest, server: Server) -> Any:
    return lambda url, **options: told(server, f"/api/{request.param}/fetch", url=url, **options)


@pytest.fixture(params=["node", "edge"])
def httpx_request(request: pytest.FixtureRequest, server: Server) -> Any:
    return lambda url, method="GET", **options: told(
        server, f"/api/{request.param}/httpx", url=url, method=method, **options
    )


def test_fetch_sends_method_headers_and_body(fetch: Any, target: str) -> None:
    got = fetch(f"{target}/a%2Fb?c=d#e", headers={"X-A": "ä", "authorization": "Bearer t"})
    method, path, headers, *_ = json.loads(got["text"])
    assert (got["status"], got["ok"], got["redirected"], method, path) == (
        200,
        True,
        False,
        "GET",
        "/a%2Fb?c=d",
    )
    assert got["url"] == f"{target}/a%2Fb?c=d"
    assert (headers["x-a"], headers["authorization"]) == ("ä", "Bearer t")
    apart = {"connection", "host"}
    assert {name: value for name, value in headers.items() if name not in apart} == {
        "accept": "*/*", "accept-encoding": "gzip, deflate", "accept-language": "*", "authorization": "Bearer t",
        "sec-fetch-mode": "cors", "user-agent": "packager", "x-a": "ä",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "type_", "size", "start"),
    [
        ({"json": {"a": "ä"}}, "application/json", 10, '{"a":"ä"}'),
        ({"body": "ä" * 50_000}, "text/plain;charset=UTF-8", 100_000, "ä" * 25),
        ({"body": "a=1", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
         "application/x-www-form-urlencoded", 3, "a=1"),
    ],
)  # fmt: skip
def test_fetch_sends_bodies(
    fetch: Any, target: str, options: dict[str, Any], type_: str, size: int, start: str
) -> None:
    got = fetch(target, method="POST", **options)
    _, _, headers, length, text = json.loads(got["text"])
    assert (headers["content-type"], length, text) == (type_, size, start)


def test_fetch_gives_every_cookie_and_an_error_status_is_an_answer(fetch: Any, target: str) -> None:
    got = fetch(f"{target}/cookies")
    assert (got["status"], got["ok"], got["cookies"], got["text"]) == (404, False, ["a=1", "b=2"], "ä")


@pytest.mark.parametrize("path", ["/gzip", "/deflate"])
def test_fetch_undoes_codings(fetch: Any, target: str, path: str) -> None:
    got = fetch(target + path)
    assert (got["size"], got["coded"], got["text"][:5]) == (5000, None, "plain")
    assert fetch(target + path, max_bytes=4999)["error"] == "FetchError"


@pytest.mark.parametrize(
    ("status", "method", "after", "length"),
    [
        (303, "PUT", "GET", 0),
        (302, "POST", "GET", 0),
        (301, "PUT", "PUT", 4),
        (307, "POST", "POST", 4),
        (308, "PUT", "PUT", 4),
    ],
)
def test_fetch_follows_redirects_as_browsers_do(
    fetch: Any, target: str, status: int, method: str, after: str, length: int
) -> None:
    got = fetch(f"{target}/redirect?{status}:/there", method=method, body="body")
    asked, path, headers, size, _ = json.loads(got["text"])
    assert (asked, path, size, got["redirected"]) == (after, "/there", length, True)
    assert got["url"] == f"{target}/there"
    assert ("content-type" in headers) == bool(length)


def test_fetch_tells_another_origin_no_secrets(fetch: Any, target: str) -> None:
    other = target.replace("127.0.0.1", "localhost")
    secrets = {"Authorization": "Bearer t", "Cookie": "a=1", "X-A": "1"}
    headers = json.loads(fetch(f"{target}/redirect?302:{other}/", headers=secrets)["text"])[2]
    assert ("x-a" in headers, "authorization" in headers, "cookie" in headers) == (True, False, False)
    url = target.replace("//", "//name:p%40ss@")
    headers = json.loads(fetch(f"{url}/redirect?302:/", headers={"Cookie": "a=1"})["text"])[2]
    assert (headers["authorization"], headers["cookie"]) == ("Basic bmFtZTpwQHNz", "a=1")


def test_fetch_leaves_redirects_alone_if_told_so(fetch: Any, target: str) -> None:
    assert fetch(f"{target}/redirect?302:/there", redirect="manual")["status"] == 302
    for url, redirect, words in (
        ("/redirect?302:/there", "error", "it answered with a redirect"),
        ("/round", "follow", "it redirected more than 20 times"),
        ("/redirect?302:file:///etc/passwd", "follow", "it is neither http: nor https:"),
    ):
        assert fetch(target + url, redirect=redirect)["text"].endswith(words)


def test_fetch_errors_name_the_origin_alone(fetch: Any, target: str, nowhere: str) -> None:
    for url, options, late in (
        (f"{nowhere}/path?secret", {}, False),
        (f"{target}/torn?secret", {}, False),
        (f"{target}/large?2000", {"max_bytes": 1999}, False),
        (f"{target}/silent?secret", {"timeout": 0.3}, True),
        ("file:///secret", {}, False),
        ("data:,secret", {}, False),
        ("/secret", {}, False),
    ):
        got = fetch(url, **options)
        assert (got["error"], got["late"]) == ("FetchTimeoutError" if late else "FetchError", late)
        assert "secret" not in got["text"]
        assert "path" not in got["text"]


@pytest.mark.parametrize(
    "options",
    [{"method": "CONNECT"}, {"method": "a b"}, {"headers": {"Host": "x"}}, {"headers": {"a": "b\nc"}}, {"body": "x"},
     {"headers": {"a b": "c"}}, {"headers": {"a": "\u0100"}}, {"redirect": "no"},
     {"method": "PUT", "body": "", "json": 1}],
)  # fmt: skip
def test_fetch_refuses_what_no_request_can_have(fetch: Any, target: str, options: dict[str, Any]) -> None:
    assert fetch(target, **options)["error"] == "ValueError"


@pytest.mark.parametrize("runtime", ["node", "edge"])
def test_requests_in_flight_do_not_see_each_other(server: Server, target: str, runtime: str) -> None:
    answers: dict[str, Any] = {}

    def ask(name: str) -> None:
        path = f"/api/{runtime}/fetch?name={name}&url={target}/"
        answers[name] = server.ask("PUT", path, {"x-name": name})

    threads = [threading.Thread(target=ask, args=(str(number),)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20
    for name, answer in answers.items():
        assert json.loads(answer.body) == {"mine": name, "header": name}
        assert answer.header("set-cookie") == f"mine={name}; Path=/"


def test_httpx_works_with_its_own_client(httpx_request: Any, target: str) -> None:
    got = httpx_request(f"{target}/x?y=z")
    assert (got["status"], json.loads(got["text"])[:2]) == (200, ["GET", "/x?y=z"])
    got = httpx_request(target, "POST", json={"a": 1})
    assert json.loads(got["text"])[3:] == [7, '{"a":1}']
    got = httpx_request(target, "POST", parts=["x" * 50_000, "y" * 50_000])
    assert json.loads(got["text"])[0] == "POST"
    assert httpx_request(f"{target}/cookies")["cookies"] == ["a=1", "b=2"]
    assert httpx_request(f"{target}/gzip")["size"] == 5000
    assert httpx_request(f"{target}/large?3000000")["size"] == 3_000_000


def test_httpx_follows_redirects_itself(httpx_request: Any, target: str) -> None:
    assert httpx_request(f"{target}/redirect?302:/there")["status"] == 302
    got = httpx_request(f"{target}/redirect?303:/there", "POST", follow=True, json={})
    assert (json.loads(got["text"])[:2], got["url"]) == (["GET", "/there"], f"{target}/there")


def test_httpx_raises_its_own_errors(httpx_request: Any, target: str, nowhere: str) -> None:
    assert httpx_request(nowhere)["error"] == "ConnectError"
    assert httpx_request(f"{target}/silent", timeout=0.3)["error"] == "ReadTimeout"
    assert httpx_request(f"{target}/torn")["error"] == "RemoteProtocolError"


def test_httpx_without_async_says_what_to_use_on_edge(server: Server) -> None:
    assert "httpx.AsyncClient()" in json.loads(server.ask("GET", "/api/edge/sync").body)["error"]
