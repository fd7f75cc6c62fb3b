"""User code that misbehaves, in a real edge worker: its request fails, the worker and the log stay in order."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from serving import Server, run, serving, started

from packager.node import node

pytestmark = pytest.mark.e2e

SECONDS = 2
SECRET = "only-for-the-app"
ROUTES = {
    "ok": "def GET():\n    return {'ok': True}\n",
    "slow": "import asyncio\n\n\nasync def GET():\n    await asyncio.sleep(1)\n    return {'slow': True}\n",
    "loop": "def GET():\n    while True:\n        pass\n",
    "never": "import asyncio\n\n\nasync def GET():\n    await asyncio.Event().wait()\n",
    "memory": "def GET():\n    held = []\n    while True:\n        held.append(bytearray(1 << 20))\n",
    "memory_at_once": "def GET():\n    return {'size': len(bytearray(1 << 30))}\n",
    "recursion": "def GET():\n    return GET()\n",
    "repr": "def GET():\n    x = []\n    for _ in range(1_000_000):\n        x = [x]\n    return {'text': repr(x)}\n",
    "large": "from runtimes import Response\n\n\ndef GET():\n    return Response(b'x' * 50_000_000)\n",
    "endless": (
        "from starlette.responses import StreamingResponse\n\n\nasync def parts():\n    while True:\n"
        "        yield b'x' * 100_000\n\n\ndef GET():\n    return StreamingResponse(parts())\n"
    ),
    "exit": "import sys\n\n\ndef GET():\n    sys.exit(3)\n",
    "os_exit": "import os\n\n\ndef GET():\n    os._exit(3)\n",
    "abort": "import os\n\n\ndef GET():\n    os.abort()\n",
    "kill": "import os\n\n\ndef GET():\n    os.kill(os.getpid(), 9)\n    return {'alive': True}\n",
    "system": "import os\n\n\ndef GET():\n    return {'status': os.system('touch /tmp/packager-was-here')}\n",
    "passwd": "def GET():\n    return {'text': open('/etc/passwd').read()}\n",
    "parent": "import os\n\n\ndef GET():\n    os.kill(os.getppid(), 9)\n    return {'alive': True}\n",
    "js": "def GET():\n    import js\n    return {'text': str(js.process.version)}\n",
    "run_js": "def GET():\n    from pyodide.code import run_js\n    return {'text': str(run_js('process.version'))}\n",
    "ctypes": (
        "def GET():\n    import ctypes\n    library = ctypes.CDLL(None)\n"
        "    library.emscripten_run_script_string.restype = ctypes.c_char_p\n"
        "    return {'text': library.emscripten_run_script_string(b'process.version').decode()}\n"
    ),
    "segfault": "def GET():\n    import ctypes\n    return ctypes.string_at(0xFFFFFF00, 200)\n",
    "task": (
        "import asyncio\n\n\nasync def fail():\n    raise RuntimeError('forgotten-task')\n\n\nasync def GET():\n"
        "    asyncio.create_task(fail())\n    return {'ok': True}\n"
    ),
    "output": "def GET():\n    for _ in range(10_000):\n        print('x' * 10_000)\n    return {'ok': True}\n",
    "environment": "import os\n\n\ndef GET():\n    return dict(os.environ)\n",
    "body": (
        "max_body_size = 1000\n\n\nasync def POST(request):\n    return {'got': len(await request.body())}\n"
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built project of one edge function, whose routes are `/api/<name>`."""
    folder = tmp_path_factory.mktemp("sandbox") / "shop"
    write(folder, ROUTES)
    return folder


def write(folder: Path, routes: dict[str, str]) -> None:
    (folder / "app").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "0"\n')
    (folder / ".env").write_text(f"SETTING={SECRET}\n")
    for name, source in routes.items():
        route = folder / "app" / "api" / name / "route.py"
        route.parent.mkdir(parents=True)
        route.write_text(f'{source}\n\nruntime = "edge"\nmax_duration = {SECONDS}\nmemory = 256\n')
    done = run("build", folder, "--no-check")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[Server]:
    with serving(project) as running:
        yield running


class Case:
    """One request to a route that misbehaves, and what was logged meanwhile."""

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._from = len(server.log)
        self._end = f"GET /api/{name} "
        self.answer = server.ask("GET", f"/api/{name}")
        self.status = self.answer.status

    def log(self) -> list[str]:
        """The lines up to the front door's own one."""
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up:
            lines = [re.sub(r"^\[[^]]+\] ", "", line) for line in self._server.log[self._from :]]
            for at, line in enumerate(lines):
                if line.startswith(self._end) and re.search(r" \d+ ms\b", line):
                    return lines[:at]
            time.sleep(0.02)
        raise AssertionError(self._server.log)


def serves_on(server: Server) -> None:
    answer = server.ask("GET", "/api/ok")
    assert (answer.status, json.loads(answer.body)) == (200, {"ok": True})


def test_a_loop_is_504_and_logged_in_one_line(server: Server) -> None:
    case = Case(server, "loop")
    assert (case.status, json.loads(case.answer.body)) == (504, {"error": "Gateway Timeout"})
    limit = f"not ended after max_duration ({SECONDS} s)"
    [line] = [line for line in case.log() if "/api/loop" in line]
    assert line == f"GET /api/loop: {limit}; its worker does not respond and is killed\n"
    serves_on(server)


def test_an_await_without_end_is_504_and_others_are_served_meanwhile(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/api/never")
    assert server.ask("GET", "/api/slow").status == 200
    assert connection.getresponse().status == 504
    connection.close()
    serves_on(server)


@pytest.mark.parametrize(
    ("name", "raised"),
    [("memory", "MemoryError"), ("memory_at_once", "MemoryError"), ("recursion", "RecursionError")],
)
def test_what_grows_without_end_fails_its_request_alone(server: Server, name: str, raised: str) -> None:
    case = Case(server, name)
    assert case.status == 500
    assert any(line.startswith(raised) for line in case.log())
    serves_on(server)


def test_an_answer_of_50_mb_is_502(server: Server) -> None:
    case = Case(server, "large")
    assert (case.status, json.loads(case.answer.body)) == (502, {"error": "Bad Gateway"})
    [line] = [line for line in case.log() if "/api/large" in line]
    assert line.startswith("GET /api/large: the response is larger than the 6291456 bytes")
    serves_on(server)


def test_a_stream_without_end_is_cut(server: Server) -> None:
    start = len(server.log)
    with pytest.raises(http.client.IncompleteRead):
        server.ask("GET", "/api/endless")
    serves_on(server)
    text = "".join(server.log[start:])
    assert text.count("GET /api/endless: the response is larger than the 6291456 bytes") == 1


def test_an_exit_is_a_failed_request(server: Server) -> None:
    case = Case(server, "exit")
    assert (case.status, json.loads(case.answer.body)) == (500, {"error": "Internal Server Error"})
    serves_on(server)


@pytest.mark.parametrize("name", ["os_exit", "abort", "kill", "repr"])
def test_the_end_of_the_interpreter_is_502_and_the_next_request_gets_a_fresh_one(
    server: Server, name: str
) -> None:
    case = Case(server, name)
    assert case.status == 502
    [line] = [line for line in case.log() if line.startswith(f"GET /api/{name}: ")]
    assert line == f"GET /api/{name}: the worker ended (exit status 1) before its answer was whole\n"
    serves_on(server)


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        *(
            (name, "ImportError: banned-import: ctypes does not work on edge")
            for name in ("ctypes", "segfault")
        ),
        ("js", "ImportError: banned-import: js does not work on edge"),
        ("run_js", "ImportError: banned-import: pyodide does not work on edge"),
        ("system", "banned-import: os.system does not work on edge: edge cannot start processes"),
        ("passwd", "FileNotFoundError"),
        ("parent", "PermissionError"),
    ],
)
def test_nothing_outside_is_reached_and_the_log_says_why(server: Server, name: str, refusal: str) -> None:
    case = Case(server, name)
    assert (case.status, json.loads(case.answer.body)) == (500, {"error": "Internal Server Error"})
    [line] = [line for line in case.log() if refusal in line]
    if "banned-import" in refusal:
        assert f"app/api/{name}/route.py:" in line
        assert line.endswith(f", while /api/{name} is served)\n")
    assert not Path("/tmp/packager-was-here").exists()
    serves_on(server)


def test_a_task_that_fails_unseen_harms_nobody(server: Server) -> None:
    start = len(server.log)
    assert Case(server, "task").status == 200
    serves_on(server)
    give_up = time.monotonic() + 30
    while "forgotten-task" not in "".join(server.log[start:]) and time.monotonic() < give_up:
        serves_on(server)
    assert "forgotten-task" in "".join(server.log[start:])


def test_output_without_end_is_cut_in_the_log(server: Server) -> None:
    case = Case(server, "output")
    assert case.status == 504
    serves_on(server)
    text = "".join(case.log())
    assert len(text) < 2_000_000
    assert text.count("the app wrote more than 1048576 bytes to its output; the rest is left out") == 1


def test_the_environment_is_the_apps_alone(server: Server) -> None:
    environment = json.loads(server.ask("GET", "/api/environment").body)
    assert environment.pop("SETTING") == SECRET
    assert set(environment) <= {"PACKAGER_ORIGIN"}


def test_a_body_above_the_routes_limit_is_413(server: Server) -> None:
    assert server.ask("POST", "/api/body", body=b"x" * 1000).status == 200
    assert server.ask("POST", "/api/body", body=b"x" * 1001).status == 413


def processes(folder: Path) -> list[int]:
    """The sandboxed processes of an artifact in `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"{folder.resolve()}/child.cjs".encode() in words:
                found.append(int(entry.name))
    return found


def artifact(project: Path) -> Path:
    """The folder of the project's one edge function."""
    [script] = (project / ".packager" / "edge").glob("*/serve.mjs")
    return script.parent


@contextmanager
def alone(project: Path) -> Iterator[Server]:
    """The artifact served by itself."""
    script = artifact(project) / "serve.mjs"
    with started([str(node()), str(script), "--port", "0"], env={"SETTING": SECRET}) as running:
        yield running


@pytest.fixture
def own(project: Path, tmp_path: Path) -> Path:
    """A copy of the built project, whose processes are told from others."""
    folder = tmp_path / "own"
    subprocess.run(["cp", "-r", project, folder], check=True)
    return folder


def test_the_app_runs_in_a_process_without_environment_that_reads_its_folder_alone(own: Path) -> None:
    folder = artifact(own)
    with alone(own) as server:
        serves_on(server)
        for pid in processes(folder):
            assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert SECRET.encode() not in words
            assert b"--permission\0" in words
            assert f"--allow-fs-read={folder.resolve()}\0".encode() in words


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_survives_even_in_a_loop(own: Path, number: int) -> None:
    folder = artifact(own)
    with alone(own) as server:
        serves_on(server)
        assert processes(folder)
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /api/loop HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.3)
            server.process.send_signal(number)
            server.process.wait(30)
    wait_until_gone(folder)


def test_a_killed_preview_leaves_no_process(own: Path) -> None:
    with serving(own) as server:
        serves_on(server)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(30)
    wait_until_gone(artifact(own))


def wait_until_gone(folder: Path) -> None:
    give_up = time.monotonic() + 30
    while processes(folder):
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_a_module_that_raises_at_import_is_told_in_the_log(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write(
        folder,
        {"ok": ROUTES["ok"], "broken": "raise RuntimeError('broken-at-import')\n\n\ndef GET():\n    pass\n"},
    )
    with serving(folder) as server:
        assert server.ask("GET", "/api/broken").status in (500, 502, 503)
    assert "broken-at-import" in "".join(server.log)
