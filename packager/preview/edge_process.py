"""The server of one edge function: the artifact's `serve.mjs`, which keeps the app in a sandboxed process of its own.

ABSENT ──start──▶ STARTING ──ready line──▶ READY ──exit──▶ ABSENT
                     └─────────exit────────────────────────┘

Time, memory and what user code may reach are the artifact's own to limit, as in the cloud.
"""

import asyncio
import enum
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packager.preview.child_process import ChildProcess, exit_reason, program, spawn
from packager.preview.http import Log

_END_LIMIT = 1.0
_KNOCK_INTERVAL = 0.02
_READY = re.compile(r"ready http://(127\.0\.0\.1):(\d+)/?")


class WorkerState(enum.Enum):
    """Where the worker is in its life."""

    ABSENT = "absent"
    STARTING = "starting"
    READY = "ready"


class WorkerFailedError(Exception):
    """The worker could not start or ended; the reason is in the log."""


@dataclass(frozen=True, slots=True)
class EdgeImage:
    """What a worker is started from: Node, the artifact's folder, exactly these variables.

    `entry` is the file that a platform starts as an HTTP server on the address it names; without one it is the
    artifact's own server.
    """

    node: Path
    folder: Path
    environment: Mapping[str, str]
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a started worker listens. A later worker of the same function has another `child`."""

    host: str
    port: int
    child: ChildProcess


class EdgeWorker:
    """Keeps one worker alive: started in advance or by the first request, anew after it ended."""

    def __init__(self, image: EdgeImage, log: Log) -> None:
        self.state = WorkerState.ABSENT
        self._image = image
        self._log = log
        self._ready: asyncio.Future[Address] | None = None
        self._life: asyncio.Task[None] | None = None
        self._current: ChildProcess | None = None
        self._closing = False

    def start(self) -> None:
        """Start a worker in the background, if there is none."""
        if self.state is WorkerState.ABSENT and not self._closing:
            self.state = WorkerState.STARTING
            self._ready = asyncio.get_running_loop().create_future()
            self._life = asyncio.create_task(self._live(self._ready))

    async def address(self) -> Address:
        """Where to send a request, once there is a worker. Raises `WorkerFailedError` if it does not start."""
        self.start()
        if self._ready is None:
            raise WorkerFailedError("the preview is ending")
        return await asyncio.shield(self._ready)

    async def gone(self, address: Address) -> None:
        """Wait shortly for the end of the worker at `address`."""
        if self._life is not None and self._current is address.child:
            await asyncio.wait({self._life}, timeout=_END_LIMIT)

    async def end(self) -> None:
        """End the worker, if there is one, and wait until it is gone; the next request starts another one."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait({self._life})

    async def close(self) -> None:
        """End the worker for good."""
        self._closing = True
        await self.end()

    async def _live(self, ready: asyncio.Future[Address]) -> None:
        child: ChildProcess | None = None
        reason = "it was closed"

        def line(text: str) -> None:
            match = _READY.fullmatch(text)
            if match and child is not None and not ready.done():
                self.state = WorkerState.READY
                ready.set_result(Address(match[1], int(match[2]), child))
            else:
                self._log(text)

        opening: asyncio.Task[None] | None = None
        try:
            port = _free_port() if self._image.entry else 0
            child = await spawn(
                _command(self._image),
                cwd=self._image.folder,
                environment=_environment(self._image, port),
                line=line,
            )
            self._current = child
            if port:
                opening = asyncio.create_task(self._wait_for(Address("127.0.0.1", port, child), ready))
            reason = exit_reason(await child.wait())
            self._log(f"ERROR the worker ended with {reason}; the next request starts a new one")
        except OSError as error:
            reason = str(error)
            self._log(f"ERROR the worker could not be started: {error}")
        finally:
            self.state = WorkerState.ABSENT
            self._current = None
            if opening is not None:
                opening.cancel()
            if not ready.done():
                ready.set_exception(WorkerFailedError(reason))
                ready.exception()  # read, so that nobody waiting is no complaint
            if child is not None:
                child.kill()
                await child.wait()

    async def _wait_for(self, address: Address, ready: asyncio.Future[Address]) -> None:
        """A server that says nothing when it is there is asked until it answers."""
        while True:
            try:
                _, writer = await asyncio.open_connection(address.host, address.port)
            except OSError:
                await asyncio.sleep(_KNOCK_INTERVAL)
                continue
            writer.close()
            self.state = WorkerState.READY
            if not ready.done():
                ready.set_result(address)
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment(image: EdgeImage, port: int) -> Mapping[str, str]:
    if image.entry is None:
        return image.environment
    # Lambda Developer Guide, "Lambda Web Functions": where the server has to listen.
    return {**image.environment, "AWS_LAMBDA_HTTP_ENDPOINT": f"127.0.0.1:{port}"}


def _command(image: EdgeImage) -> tuple[str, ...]:
    if image.entry is not None:
        return program("exec", str(image.node), image.entry)
    return program("exec", str(image.node), "serve.mjs", "--port", "0", "--behind-cdn")
