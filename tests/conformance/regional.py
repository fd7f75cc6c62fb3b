"""Serve a build whose edge routes are for the target `regional`: `python regional.py OUT`.

Behind `preview`'s door and gateway, in place of nodejs processes, Node invokes the handler of each artifact with the
very events. Prints `ready http://127.0.0.1:N` when requests are taken; ends with SIGTERM.
"""

import asyncio
import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

from infra import manifest as manifests
from packager.node import node
from packager.preview.door import Door
from packager.preview.gateway import Gateway
from packager.preview.lambda_outcome import Fault, FaultKind, Outcome, Result
from packager.preview.server import Server, listen

HARNESS = Path(__file__).parents[1] / "js" / "invoke.mjs"
MAX_LINE = 16 * 2**20


class NodeFunction:
    """Node with one artifact's handler, in place of a `lambda_pool.Pool`."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._process: asyncio.Future[asyncio.subprocess.Process] | None = None
        self._reading: asyncio.Task[None] | None = None

    def start(self) -> None:
        pass

    async def close(self) -> None:
        if self._process is not None:
            process = await self._process
            process.kill()
            await process.wait()

    async def invoke(self, document: bytes) -> Outcome:
        if self._process is None:
            self._process = asyncio.ensure_future(self._started())
        process = await self._process
        number = next(self._numbers)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        assert process.stdin is not None
        process.stdin.write(b'{"id":%d,"event":%s}\n' % (number, document))
        await process.stdin.drain()
        return await answered

    async def _started(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            str(node()),
            str(HARNESS),
            str(self._folder),
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MAX_LINE,
        )
        self._reading = asyncio.create_task(self._read(process))
        return process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            answer = json.loads(line)
            self._waiting.pop(answer["id"]).set_result(_outcome(answer))


def _outcome(answer: dict[str, Any]) -> Outcome:
    if "error" in answer:
        return Fault(FaultKind.HANDLER, answer["error"])
    return Result(json.dumps(answer["result"]).encode())


async def serve(out: Path) -> None:
    """Serve the build output `out`."""
    manifest = manifests.read(out)
    assert {row.target for row in manifest.functions} == {"regional"}
    with listen(0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Lambda's own are there to be left out.
        own = {
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "PATH": os.environ["PATH"],
            "TZ": ":UTC",
        }
        values = {**manifest.environment.values, **own, "PACKAGER_BEHIND_CDN": "1", "PACKAGER_ORIGIN": url}
        functions = {row.name: NodeFunction(out / str(row.folder), values) for row in manifest.functions}
        gateways = {name: Gateway(function, print_error) for name, function in functions.items()}  # type: ignore[arg-type]
        door = Door(manifest, gateways)
        try:
            await Server(door, lambda: print(f"ready {url}", flush=True)).serve([listener])
        finally:
            await asyncio.gather(*(function.close() for function in functions.values()))


def print_error(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]).resolve()))
