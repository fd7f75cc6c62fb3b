"""From the start of a process to its first answer, edge against native: python tests/benchmarks/edge_start.py [RUNS]

Builds small projects into temporary folders, then starts every arrangement in turn, RUNS times (default 15), and
prints a table of milliseconds and of peak memory. Edge processes are started as in production: the sandboxed
child with its flags, or `serve.mjs`, which starts that child. The native ones run CPython with bytecode.
"""

import base64
import json
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packager.build import build
from packager.node import node

RUNS = 15
BOOT, REQUEST, READY, START = 1, 2, 16, 17
TARGET = "/api/hello?name=you"

ROUTE = """
from runtimes import Request, Response

runtime = "edge"


async def GET(request: Request) -> Response:
    return Response.json({"hello": request.query_params.get("name", "world")})
"""

MODELS = """
from pydantic import BaseModel, Field

from runtimes import Request, Response

runtime = "edge"


class Guest(BaseModel):
    name: str = Field(min_length=1)
    visits: int = 0


async def GET(request: Request) -> Response:
    guest = Guest.model_validate({"name": request.query_params.get("name", "world"), "visits": "3"})
    return Response.json(guest.model_dump())
"""

NATIVE = """
import json, sys
from mangum import Mangum
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def hello(request):
    return JSONResponse({"hello": request.query_params.get("name", "world")})


handler = Mangum(Starlette(routes=[Route("/api/hello", hello)]), lifespan="off")
print(handler(json.loads(sys.argv[1]), None)["statusCode"], flush=True)
"""

EVENT = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/api/hello",
    "rawQueryString": "name=you",
    "headers": {"host": "h.example"},
    "requestContext": {
        "http": {"method": "GET", "path": "/api/hello", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
        "domainName": "h.example",
        "domainPrefix": "h",
        "stage": "$default",
        "requestId": "1",
        "time": "",
        "timeEpoch": 0,
        "routeKey": "$default",
        "accountId": "1",
        "apiId": "1",
    },
    "isBase64Encoded": False,
}


@dataclass(frozen=True, slots=True)
class Start:
    """Milliseconds to the first answer, and the peak of the process's resident memory in MB (0: not read)."""

    milliseconds: float
    memory: float = 0.0


def main(arguments: Sequence[str]) -> None:
    runs = int(arguments[0]) if arguments else RUNS
    with tempfile.TemporaryDirectory() as name:
        area = Path(name)
        kinds = arrangements(area)
        for start in kinds.values():
            start()
        found: defaultdict[str, list[Start]] = defaultdict(list)
        for _ in range(runs):
            for kind, start in kinds.items():
                found[kind].append(start())
    native = statistics.median(row.milliseconds for row in found["CPython, Starlette and Mangum"])
    print(f"| {runs} starts each, in turn | min ms | median ms | of native | peak MB |")
    print("|---|---|---|---|---|")
    for kind, rows in found.items():
        times = [row.milliseconds for row in rows]
        median = statistics.median(times)
        memory = max(row.memory for row in rows)
        print(f"| {kind} | {min(times):.1f} | {median:.1f} | {median / native:.2f} | {memory:.0f} |")


def arrangements(area: Path) -> Mapping[str, Callable[[], Start]]:
    hello = built(area / "hello", ROUTE)
    plain = built(area / "plain", ROUTE)
    (plain / "code.bin").unlink()
    models = built(area / "models", MODELS, ["pydantic"])
    stock = built(area / "stock", ROUTE, loader="stock")
    script = area / "native.py"
    script.write_text(NATIVE)
    script_of_nothing = area / "nothing.cjs"
    script_of_nothing.write_text("console.log(1)")
    python = {"PYTHONDONTWRITEBYTECODE": ""}
    return {
        "Node and nothing else": lambda: printed([str(node()), str(script_of_nothing)], {}),
        "edge": lambda: answered(hello),
        "edge, no code cache": lambda: answered(plain),
        "edge, pydantic models": lambda: answered(models),
        "edge through the supervisor, by HTTP": lambda: served(hello),
        "edge, Pyodide's own loader": lambda: answered(stock),
        "CPython, Starlette and Mangum": lambda: printed(
            [sys.executable, str(script), json.dumps(EVENT)], python
        ),
    }


def built(folder: Path, source: str, dependencies: Sequence[str] = (), loader: str = "snapshot") -> Path:
    """The worker's folder of a project with one route."""
    route = folder / "app" / "api" / "hello" / "route.py"
    route.parent.mkdir(parents=True)
    route.write_text(source)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "bench"\nversion = "1"\nrequires-python = ">=3.12"\ndependencies = {list(dependencies)}\n'
        f'[tool.packager.edge]\nloader = "{loader}"\n'
    )
    return build(folder, report=lambda line: None).out / "edge" / "edge"


def printed(words: Sequence[str], environment: Mapping[str, str]) -> Start:
    """Until the first line on stdout."""
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env={"PATH": os.defpath, **environment})
    assert process.stdout
    assert process.stdout.readline()
    elapsed = (time.perf_counter() - started) * 1000
    process.communicate()
    assert process.returncode == 0
    return Start(elapsed)


def answered(folder: Path) -> Start:
    """Until the child has sent the head of its answer to a request that was waiting for it."""
    with child(folder) as (channel, pid, started):
        while (row := frame_from(channel))[0] != START:
            assert row[0] == READY, row
        elapsed = (time.perf_counter() - started) * 1000
        assert b"[200," in row[1], row
        return Start(elapsed, peak(pid))


@contextmanager
def child(folder: Path) -> Iterator[tuple[socket.socket, int, float]]:
    ours, theirs = socket.socketpair()
    flags = ["--disable-warning=ExperimentalWarning", "--permission", f"--allow-fs-read={folder}"]
    words = [str(node()), *flags, str(folder / "child.cjs")]
    head = {
        "method": "GET",
        "target": TARGET,
        "scheme": "http",
        "httpVersion": "1.1",
        "headers": ["host", "h.example"],
        "client": None,
        "server": None,
        "cdn": False,
        "oversized": False,
    }
    text = json.dumps(head).encode()
    ours.sendall(
        frame(
            BOOT,
            0,
            json.dumps(
                {"env": {}, "maxResponse": 2**20, "entropy": base64.b64encode(os.urandom(2**14)).decode()}
            ).encode(),
        )
        + frame(REQUEST, 1, struct.pack("<I", len(text)) + text)
    )
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)]
    started = time.perf_counter()
    pid = os.posix_spawn(words[0], words, {}, file_actions=actions)
    try:
        theirs.close()
        yield ours, pid, started
    finally:
        ours.close()
        os.close(null)
        os.waitpid(pid, 0)


def served(folder: Path) -> Start:
    """Until the answer to the first HTTP request, sent at the ready line."""
    started = time.perf_counter()
    words = [str(node()), str(folder / "serve.mjs"), "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env={}, text=True)
    assert process.stdout
    match = re.fullmatch(r"ready http://127\.0\.0\.1:(\d+)\n", process.stdout.readline())
    assert match
    with socket.create_connection(("127.0.0.1", int(match[1]))) as connection:
        connection.sendall(f"GET {TARGET} HTTP/1.1\r\nhost: h.example\r\nconnection: close\r\n\r\n".encode())
        answer = connection.recv(4096)
    elapsed = (time.perf_counter() - started) * 1000
    assert answer.startswith(b"HTTP/1.1 200"), answer
    process.terminate()
    process.communicate()
    return Start(elapsed)


def frame(kind: int, number: int, payload: bytes) -> bytes:
    """As runtimes/edge_worker/frames.mjs has it."""
    return struct.pack("<IBI", len(payload), kind, number) + payload


def frame_from(channel: socket.socket) -> tuple[int, bytes]:
    size, kind, _ = struct.unpack("<IBI", received(channel, 9))
    return kind, received(channel, size)


def received(channel: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = channel.recv(size - len(content))
        assert part, "the process ended"
        content += part
    return content


def peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match
    return int(match[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
