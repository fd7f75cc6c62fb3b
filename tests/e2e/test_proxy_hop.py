"""Rewrites that leave the function: to the other runtime, to another origin, and round in circles."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from serving import serving

pytestmark = pytest.mark.e2e

ECHO = """
import sys
from runtimes import Request, Response

runtime = "{runtime}"

async def answer(request: Request) -> Response:
    told = {{"by": sys.platform, "method": request.method, "url": str(request.url), "body": await request.text()}}
    response = Response.json({{**told, "headers": dict(request.headers)}}, 201)
    response.cookies.set("a", "1")
    response.cookies.set("b", "2")
    return response

GET = POST = answer
"""
MIDDLEWARE = """
import os
from runtimes import Request, Response

HOPS = {
    "to-edge": "/api/edge/goal", "to-node": "/api/node/goal",
    "round-edge": "/api/node/round-node", "round-node": "/api/edge/round-edge",
}

def middleware(request: Request) -> Response | None:
    last = request.url.path.rpartition("/")[2]
    if last in HOPS:
        return Response.rewrite(request.url.replace(path=HOPS[last]), headers={"x-guard": "passed"})
    if last == "outside":
        return Response.rewrite(os.environ["OUTSIDE"] + "/there?" + request.url.query)
    if last == "nowhere":
        return Response.rewrite(os.environ["NOWHERE"] + "/?secret")
    return None
"""


class Outside(BaseHTTPRequestHandler):
    """Another origin. Tells what it was asked, or answers as the query's `answer` says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        if "answer=redirect" in self.path:
            self.answer(302, b"", ("location", "https://elsewhere.example/"))
        elif "answer=cookies" in self.path:
            self.answer(
                404, b"\x00\xff", ("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2"), ("x-a", "\xe4")
            )
        elif "answer=torn" in self.path:
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        elif "answer=huge" in self.path:
            self.answer(200, bytes(6 * 2**20 + 1))
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.answer(200, json.dumps([self.command, self.path, headers, body]).encode())

    def do_HEAD(self):
        self.do_GET()

    def do_POST(self):
        self.do_GET()

    def do_DELETE(self):
        self.do_GET()

    def answer(self, status, body, *headers):
        self.send_response_only(status)
        for name, value in (*headers, ("content-length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments):
        """Nothing."""


@pytest.fixture(scope="module")
def outside():
    with ThreadingHTTPServer(("127.0.0.1", 0), Outside) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory, outside):
    with ThreadingHTTPServer(("127.0.0.1", 0), Outside) as gone:
        nowhere = f"http://127.0.0.1:{gone.server_port}"
    project = tmp_path_factory.mktemp("hops") / "project"
    files = {
        "pyproject.toml": '[project]\nname = "hops"\nversion = "1"\nrequires-python = ">=3.12"\n',
        ".env": f"OUTSIDE={outside}\nNOWHERE={nowhere}\n",
        "middleware.py": MIDDLEWARE,
        "app/api/node/[...rest]/route.py": ECHO.format(runtime="nodejs"),
        "app/api/edge/[...rest]/route.py": ECHO.format(runtime="edge"),
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    with serving(project) as running:
        running.nowhere = nowhere
        yield running


def wait_until(condition):
    """Lines of a process's log arrive when they arrive."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


on_both = pytest.mark.parametrize("runtime", ["node", "edge"])


@pytest.mark.parametrize(
    ("path", "by", "goal"),
    [
        ("/to-edge", "emscripten", "/api/edge/goal"),
        ("/api/node/to-edge", "emscripten", "/api/edge/goal"),
        ("/api/edge/to-node", "linux", "/api/node/goal"),
    ],
)
def test_a_route_of_the_other_function_answers(server, path, by, goal):
    headers = {
        "content-type": "text/plain",
        "cookie": "c=3",
        "x-middleware-next": "1",
        "accept-encoding": "gzip",
    }
    answer = server.ask("POST", path + "?q=%zz", headers, "büdy".encode())
    told = json.loads(answer.body)
    assert (answer.status, told["by"], told["method"], told["body"]) == (201, by, "POST", "büdy")
    assert told["url"] == f"{server.url}{goal}?q=%zz"
    assert (told["headers"]["cookie"], told["headers"]["cdn-loop"]) == ("c=3", "packager; hops=1")
    assert "x-middleware-next" not in told["headers"]
    assert answer.all("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
    assert answer.header("x-guard") == "passed"


@on_both
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_another_origin_answers(server, outside, runtime, method):
    body = b"" if method == "GET" else b'{"a": 1}'
    answer = server.ask(method, f"/api/{runtime}/outside?q=1", {"x-a": "1", "user-agent": "probe"}, body)
    asked_method, path, headers, sent = json.loads(answer.body)
    assert (answer.status, asked_method, path, sent) == (200, method, "/there?q=1", body.decode())
    assert headers["host"] == outside.removeprefix("http://")
    assert (headers["x-a"], headers["user-agent"], headers["accept-encoding"]) == ("1", "probe", "identity")


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ("answer=redirect", 302, b""),
        ("answer=cookies", 404, b"\x00\xff"),
        ("answer=torn", 502, b'{"error":"Bad Gateway"}'),
        ("answer=huge", 502, b'{"error":"Bad Gateway"}'),
    ],
)
def test_both_runtimes_pass_on_the_same_answer(server, query, status, body):
    node, edge = (server.ask("GET", f"/api/{runtime}/outside?{query}") for runtime in ("node", "edge"))
    assert (node.status, node.body) == (edge.status, edge.body) == (status, body)
    apart = {"date", "server", "connection", "transfer-encoding"}
    kept = [{row for row in answer.headers if row[0].lower() not in apart} for answer in (node, edge)]
    assert kept[0] == kept[1]


@on_both
def test_cookies_and_redirects_are_the_clients_business(server, runtime):
    answer = server.ask("GET", f"/api/{runtime}/outside?answer=redirect")
    assert answer.header("location") == "https://elsewhere.example/"
    answer = server.ask("GET", f"/api/{runtime}/outside?answer=cookies")
    assert answer.all("set-cookie") == ["a=1; Path=/", "b=2"]
    assert answer.header("x-a") == "\xe4"


@on_both
def test_head_is_forwarded_as_head(server, runtime):
    answer = server.ask("HEAD", f"/api/{runtime}/outside")
    assert (answer.status, answer.body) == (200, b"")


@on_both
def test_an_origin_where_nobody_listens_is_502_and_the_log_names_it(server, runtime):
    def named():
        return sum(f"forwarding to {server.nowhere} failed" in line for line in server.log)

    before = named()
    answer = server.ask("GET", f"/api/{runtime}/nowhere")
    assert (answer.status, answer.body) == (502, b'{"error":"Bad Gateway"}')
    wait_until(lambda: named() > before)
    assert not any("secret" in line for line in server.log)


@pytest.mark.parametrize("path", ["/api/node/round-node", "/api/edge/round-edge"])
def test_a_circle_ends_with_508(server, path):
    answer = server.ask("GET", path)
    assert (answer.status, answer.body) == (508, b'{"error":"Loop Detected"}')


def test_a_client_can_only_shorten_its_own_way(server):
    assert server.ask("GET", "/to-edge", {"cdn-loop": "packager; hops=4"}).status == 508
    assert server.ask("GET", "/to-edge", {"cdn-loop": "packager; hops=-9, other"}).status == 201
