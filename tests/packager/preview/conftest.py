"""Hand-made artifacts and a running front door, all of real parts."""

import asyncio
import dataclasses
import hashlib
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

from infra import manifest as manifests
from infra.manifest import AppInfo, Environment, Function, Manifest, Route, to_json
from packager.preview import lambda_image, run
from packager.preview.cloud import Surroundings, cloud
from packager.preview.deployed_topology import from_assembly
from packager.preview.server import Server, listen
from packager.traffic.events import Event, Logged, RequestServed, as_json, request_line
from packager.traffic.history import History
from packager.traffic.recorder import Recorder

HANDLER = """
import json, os, sys, time

print("loaded")

def respond(value, **more):
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(value), **more}

def handler(event, context):
    action = event["rawPath"].rpartition("/")[2]
    if action == "echo":
        return respond(event)
    if action == "pid":
        return respond(os.getpid())
    if action == "exit":
        os._exit(3)
    if action == "segfault":
        import ctypes
        ctypes.string_at(0)
    if action == "raise":
        raise RuntimeError("a secret detail")
    if action == "sleep":
        time.sleep(float(event["rawQueryString"]))
        return respond(os.getpid())
    if action == "spin":
        while True:
            pass
    if action == "print":
        print("to stdout")
        print("to stderr", file=sys.stderr)
        return respond(None)
    if action == "environ":
        return respond(dict(os.environ))
    if action == "path":
        return respond({"path": sys.path, "cwd": os.getcwd(), "file": __file__})
    if action == "import":
        try:
            __import__(event["rawQueryString"])
        except ImportError as error:
            return respond(str(error))
        return respond("imported")
    if action == "write":
        try:
            with open(event["rawQueryString"], "w") as file:
                file.write("x")
        except OSError as error:
            return respond(type(error).__name__)
        return respond("written")
    if action == "memory":
        block = b"x" * (int(event["rawQueryString"]) * 2**20)
        return respond(len(block))
    if action == "large":
        return respond("x" * int(event["rawQueryString"]))
    if action == "context":
        return respond([context.function_name, context.memory_limit_in_mb, context.get_remaining_time_in_millis()])
    return json.loads(event.get("body") or "null")
"""

WORKER = """
import http from "node:http";

const server = http.createServer({ insecureHTTPParser: false }, async (request, response) => {
  response.sendDate = false;
  const url = new URL(request.url, "http://localhost");
  const action = url.pathname.split("/").at(-1);
  if (action === "exit") process.exit(3);
  if (action === "hold") return;
  if (action === "early") {
    response.writeHead(413, { "content-length": "5" });
    response.end("early");
    return;
  }
  if (action === "stream") {
    response.writeHead(200, { "content-type": "text/plain" });
    response.write("first,");
    request.on("data", (chunk) => response.write(chunk));
    request.on("end", () => response.end("last"));
    return;
  }
  if (action === "break") {
    response.writeHead(200, { "content-length": "100" });
    response.write("some");
    setTimeout(() => process.exit(4), 50);
    return;
  }
  if (action === "headers") {
    response.writeHead(200, [
      ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X-Cache", "no"], ["X-Amzn-Id", "no"], ["X-Own", "yes"],
      ["Content-Encoding", "gzip"], ["Content-Length", "3"],
    ].flat());
    response.end("raw");
    return;
  }
  if (action === "empty") {
    response.writeHead(204).end();
    return;
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = JSON.stringify({
    method: request.method, target: request.url, headers: request.rawHeaders, pid: process.pid,
    body: Buffer.concat(chunks).toString("latin1"), environment: process.env, arguments: process.argv.slice(2),
  });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
});
server.on("connection", (socket) => socket.setNoDelay(true));
server.listen(0, "127.0.0.1", () => console.log(`ready http://127.0.0.1:${server.address().port}`));
"""


@dataclass
class Running:
    """A front door on a free port, a client of it, and what was logged."""

    port: int
    client: httpx.AsyncClient
    log: list[str] = field(default_factory=list)

    async def raw(self, request: bytes) -> bytes:
        """What comes back for these bytes until the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@pytest.fixture
def nodejs() -> Callable[..., Function]:
    """A nodejs function called `api`, with `changed` fields."""

    def make(name: str = "api", **changed: Any) -> Function:
        values: dict[str, Any] = {
            "name": name,
            "runtime": "nodejs",
            "target": "lambda",
            "artifact": f"functions/{name}.zip",
            "sha256": "",
            "zip_bytes": 0,
            "unpacked_bytes": 0,
            "handler": "app.handler",
            "distributions": (),
            "max_duration": 20,
            "memory": 256,
            "environment": {"SET_BY_TOOL": "yes"},
        }
        return Function(**{**values, **changed})

    return make


@pytest.fixture
def edge() -> Callable[..., Function]:
    """An edge function called `edge`, with `changed` fields."""

    def make(name: str = "edge", **changed: Any) -> Function:
        values: dict[str, Any] = {
            "name": name,
            "runtime": "edge",
            "target": "lambda-edge",
            "artifact": f"edge/{name}.zip",
            "folder": f"edge/{name}",
            "sha256": "",
            "zip_bytes": 0,
            "unpacked_bytes": 0,
            "handler": "index.handler",
            "distributions": (),
            "max_duration": 20,
            "memory": 256,
        }
        return Function(**{**values, **changed})

    return make


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Path]:
    """Writes a build output of plain handlers and workers; each function serves `/<name>/…`."""

    def write(*functions: Function, handler: str = HANDLER, worker: str = WORKER) -> Path:
        out = tmp_path / "out"
        written = tuple(_artifact(out, function, handler, worker) for function in functions)
        routes = tuple(
            Route(
                f"/{item.name}/[...rest]",
                "route.py",
                ("GET",),
                item.runtime,
                item.runtime,
                (),
                item.name,
                20,
                256,
                9,
            )
            for item in written
        )
        environment = Environment(("PLAIN",), ("API_KEY", "MISSING"), {"PLAIN": "value"}, {})
        out.mkdir(parents=True, exist_ok=True)
        document = to_json(Manifest(AppInfo("app", "app"), routes, (), written, environment))
        (out / manifests.FILE_NAME).write_text(document, encoding="utf-8")
        return out

    return write


def _artifact(out: Path, function: Function, handler: str, worker: str) -> Function:
    if function.folder is not None:
        folder = out / function.folder
        folder.mkdir(parents=True)
        (folder / "serve.mjs").write_text(worker, encoding="utf-8")
        return function
    path = out / function.artifact
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), handler)
        archive.writestr(zipfile.ZipInfo("data/note.txt"), "note")
    return dataclasses.replace(function, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def _shown(event: Event) -> str:
    match event:
        case Logged(function=function, text=text):
            return f"[{function}] {text}"
        case RequestServed():
            return click.unstyle(request_line(event))
    return as_json(event)


type Exercise = Callable[[Running], Awaitable[Any]]


@pytest.fixture
def exercise(tmp_path: Path) -> Callable[[Path, Exercise], Any]:
    """Serves a build output while a coroutine function uses it; gives back what that returned."""

    def run_it(out: Path, use: Exercise, overlay: Sequence[Path] = (), *, cold: bool = False) -> Any:
        def made(here: Surroundings) -> Callable[[], run.Front]:
            return run.door(out, dataclasses.replace(here, cold=cold))

        temporary = tmp_path / "unpacked"
        temporary.mkdir()
        return asyncio.run(_exercise(made, manifests.read(out), use, overlay, temporary))

    return run_it


@pytest.fixture
def exercise_cloud(tmp_path: Path) -> Callable[..., Any]:
    """Serves a cloud assembly while a coroutine function uses it; gives back what that returned.

    `viewer` is what CloudFront knows of every viewer.
    """

    def run_it(assembly: Path, use: Exercise, **viewer: str) -> Any:
        def made(here: Surroundings) -> Callable[[], run.Front]:
            return cloud(from_assembly(assembly), dataclasses.replace(here, viewer=viewer))

        nothing = Manifest(AppInfo("app", "app"), (), (), (), Environment())
        temporary = tmp_path / "unpacked"
        temporary.mkdir()
        return asyncio.run(_exercise(made, nothing, use, (), temporary))

    return run_it


async def _exercise(
    made: Callable[[Surroundings], Callable[[], run.Front]],
    manifest: Manifest,
    use: Exercise,
    overlay: Sequence[Path],
    temporary: Path,
) -> Any:
    log: list[str] = []

    def told(event: Any) -> None:
        log.append(_shown(event))

    def logger(name: str) -> Callable[[str], None]:
        return lambda text: told(Logged(name, text))

    local = {"API_KEY": "local secret"}
    front = made(Surroundings(manifest, local, lambda function: overlay, temporary, {}, logger))()
    listener = listen(0)
    listening = asyncio.Event()
    server = Server(Recorder(front, told, History()), listening.set)
    port = listener.getsockname()[1]
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await listening.wait()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            return await use(Running(port, client, log))
    finally:
        server.should_exit = True
        await front.close()
        await serving
        lambda_image.remove(temporary)
