"""The server of one edge function: the artifact's `serve.mjs`, which keeps the app in a sandboxed process of its own.

ABSENT ──start──▶ STARTING ──ready line──▶ READY ──exit──▶ ABSENT
                     └─────────exit────────────────────────┘

Time, memory and what user code may reach are the artifact's own to limit, as in the cloud.
"""

import asyncio
import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packager.preview.child_process import ChildProcess, exit_reason, program, spawn
from packager.preview.http import Log

_END_LIMIT = 1.0
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
    """What a worker is started from: Node, the artifact's folder, exactly these variables."""

    node: Path
    folder: Path
    environment: Mapping[str, str]


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

    async def close(self) -> None:
        """End the worker and wait until it is gone."""
        self._closing = True
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait({self._life})

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

        try:
            child = await spawn(
                _command(self._image), cwd=self._image.folder, environment=self._image.environment, line=line
            )
            self._current = child
            reason = exit_reason(await child.wait())
            self._log(f"ERROR the worker ended with {reason}; the next request starts a new one")
        except OSError as error:
            reason = str(error)
            self._log(f"ERROR the worker could not be started: {error}")
        finally:
            self.state = WorkerState.ABSENT
            self._current = None
            if not ready.done():
                ready.set_exception(WorkerFailedError(reason))
                ready.exception()  # read, so that nobody waiting is no complaint
            if child is not None:
                child.kill()
                await child.wait()


def _command(image: EdgeImage) -> tuple[str, ...]:
    return program("exec", str(image.node), "serve.mjs", "--port", "0", "--behind-cdn")
