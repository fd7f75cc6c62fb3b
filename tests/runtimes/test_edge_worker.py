"""The edge worker as it is deployed: a real artifact, served by a real Node."""

import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from edge_artifact import Served, build_artifact, served, start

from packager.node import node

PROJECT = Path(__file__).parents[1] / "fixtures" / "edge_worker"
MAX_BODY = 1000

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=["snapshot", "stock"])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = shutil.copytree(PROJECT, tmp_path_factory.mktemp(request.param) / "worker")
    with (project / "pyproject.toml").open("a") as settings:
        settings.write(f'[tool.packager.edge]\nloader = "{request.param}"\n')
    return build_artifact(project).folder


@pytest.fixture(scope="module")
def server(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(artifact, tmp_path_factory.mktemp("log") / "stderr", SETTING="1 \u00e4") as running:
        yield running


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as running:
        yield running


def raw(server: Served, request: bytes) -> bytes:
    """Everything that the server answers to these bytes until it closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_handler_reads_the_request_and_answers(client: httpx.Client) -> None:
    assert client.get("/api/hello?name=bob").json() == {"hello": "bob"}
    assert client.post("/api/hello", content=b"x" * MAX_BODY).json() == {"got": MAX_BODY}
    assert client.get("/nothing").status_code == 404


def test_head_and_204_have_no_body(server: Served) -> None:
    for method, status in ((b"HEAD", b"200"), (b"DELETE", b"204")):
        answer = raw(server, method + b" /api/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert answer.endswith(b"\r\n\r\n")


def test_the_path_arrives_as_sent(server: Served) -> None:
    line = b"GET /api/raw/a%2Fb/%C3%A4?q=%20+%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = json.loads(raw(server, line).partition(b"\r\n\r\n")[2])
    assert answer == {"raw": "/api/raw/a%2Fb/%C3%A4", "slug": ["a/b", "ä"], "query": "q=%20+%zz", "host": "x"}


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /api/raw/%zz", b"400"),
        (b"GET /api/raw/%ff", b"400"),
        (b"OPTIONS *", b"404"),
        (b"GET http://other.example", b"404"),
        (b"GET //evil.example/%2e%2e", b""),
    ],
)
def test_odd_targets_are_answered(server: Served, line: bytes, status: bytes) -> None:
    answer = raw(server, line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 " + status)


def test_the_authority_of_an_absolute_target_is_the_host(server: Served) -> None:
    line = b"GET http://other.example/api/raw/a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = json.loads(raw(server, line).partition(b"\r\n\r\n")[2])
    assert (answer["raw"], answer["query"], answer["host"]) == ("/api/raw/a", "b", "other.example")


def test_the_environment_is_exactly_what_was_given(client: httpx.Client) -> None:
    assert client.get("/api/environment").json() == {"SETTING": "1 ä"}


def test_several_cookies_and_repeated_headers_survive(client: httpx.Client) -> None:
    cookies = client.get("/api/cookies").headers.get_list("set-cookie")
    assert [cookie.partition(";")[0] for cookie in cookies] == ["a=1", "b=2"]
    headers = [(b"x-a", b"1"), (b"X-A", b"\xfc")]
    assert client.get("/api/client", headers=headers).json()["x"] == "1,\xfc"


def test_64_requests_run_at_once_and_do_not_see_each_other(client: httpx.Client) -> None:
    def ask(name: str) -> str:
        answer = httpx.get(
            f"{client.base_url}/api/together", params={"name": name}, timeout=30, trust_env=False
        )
        return str(answer.json()["name"])

    names = [str(number) for number in range(64)]
    with ThreadPoolExecutor(64) as pool:
        assert list(pool.map(ask, names)) == names


def test_a_stream_arrives_chunk_by_chunk_and_ends_with_its_reader(
    server: Served, client: httpx.Client
) -> None:
    with client.stream("GET", "/api/stream") as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"one"
        client.post("/api/stream")
        assert b"".join(chunks) == b"two"
    with client.stream("GET", "/api/stream?forever") as response:
        assert next(response.iter_raw()).startswith(b"one")
    assert client.delete("/api/stream").json() == {"ended": True}
    assert server.process.poll() is None


def test_a_stream_that_breaks_off_is_not_ended_properly(server: Served, client: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/api/torn")
    assert "torn-apart" in server.stderr.read_text()


def test_only_tmp_is_writable(client: httpx.Client) -> None:
    refused = ["/app", "/app/app/api/write", "/", "/home/pyodide", "itself"]
    assert client.get("/api/write").json() == {"tmp": "kept", "refused": refused}


def test_a_wrong_content_length_does_not_corrupt_the_connection(client: httpx.Client) -> None:
    for length in (1, 100):
        with pytest.raises(httpx.HTTPError):
            client.get("/api/lies", params={"header": f"content-length:{length}"})
    assert client.get("/api/lies", params={"header": "x-a:\1"}).status_code == 500
    assert client.get("/api/hello").status_code == 200


def test_what_escapes_the_app_is_a_500_and_its_traceback_is_logged(
    server: Served, client: httpx.Client
) -> None:
    answer = client.get("/api/exit")
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal Server Error"})
    assert "left-the-building" in server.stderr.read_text()
    assert client.get("/api/hello").status_code == 200


def test_a_large_body_is_refused_while_it_is_still_being_sent(server: Served) -> None:
    heads = (
        b"Content-Length: 9000000\r\n\r\n" + b"x" * 500_000,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n",
    )
    for head in heads:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            connection.sendall(b"POST /api/hello HTTP/1.1\r\nHost: x\r\n" + head)
            answer = connection.recv(65536)
            while b"}" not in answer:
                answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413")
        assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"error": "Payload Too Large"}


def test_viewer_headers_count_only_behind_the_cdn(
    artifact: Path, client: httpx.Client, tmp_path: Path
) -> None:
    headers = {"cloudfront-viewer-address": "2001:db8::1:4711", "cloudfront-viewer-country": "DE"}
    assert client.get("/api/client", headers=headers).json() == {
        "ip": "127.0.0.1",
        "country": None,
        "x": None,
    }
    with served(artifact, tmp_path / "stderr", "--behind-cdn") as behind:
        answer = httpx.get(f"{behind.url}/api/client", headers=headers, trust_env=False).json()
    assert answer == {"ip": "2001:db8::1", "country": "DE", "x": None}


def test_a_dead_interpreter_is_replaced(artifact: Path, tmp_path: Path) -> None:
    with served(artifact, tmp_path / "stderr") as server:
        assert httpx.get(f"{server.url}/api/crash", timeout=30, trust_env=False).status_code == 502
        assert httpx.get(f"{server.url}/api/hello", timeout=30, trust_env=False).status_code == 200
        assert "GET /api/crash: the worker ended (exit status 1)" in server.stderr.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_cleanly(artifact: Path, tmp_path: Path, number: int) -> None:
    with served(artifact, tmp_path / "stderr") as server:
        server.process.send_signal(number)
        assert server.process.wait(30) == 0
    assert server.stderr.read_text() == ""


def test_wrong_options_and_a_busy_port_are_reported(artifact: Path, server: Served, tmp_path: Path) -> None:
    for options, status, text in (
        (("--port", "no"), 2, "usage: node serve.mjs"),
        (("--port", str(server.port)), 1, "EADDRINUSE"),
    ):
        with start(artifact, tmp_path / "stderr", *options) as process:
            assert process.wait(30) == status
        assert text in (tmp_path / "stderr").read_text()


def test_nothing_outside_the_artifact_is_reachable_and_no_shell_starts(client: httpx.Client) -> None:
    answer = client.get("/api/escape").json()
    assert "banned-import: os.system does not work on edge" in answer["system"]
    assert "(app/api/escape/route.py:" in answer["system"]
    assert "getBuiltinModule" in answer["read"]


def test_the_lambda_edge_function_and_the_web_face_answer(artifact: Path, tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    shutil.copytree(artifact, folder)
    (folder / "environment.json").write_text('{"API_BASE": "here"}')
    words = [str(node()), "--test", str(Path(__file__).parents[1] / "js" / "artifact.mjs")]
    done = subprocess.run(
        words, cwd=folder, env={"ARTIFACT": str(folder)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
