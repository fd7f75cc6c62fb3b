"""Where a process of a nodejs function runs: confined, capped, measured, frozen when told."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from packager.preview import lambda_memory, lambda_outcome
from packager.preview.child_process import ChildProcess, program, spawn
from packager.preview.lambda_image import Image, command_of, log_stream
from packager.preview.lambda_outcome import Fault, FaultKind

_MB = 2**20


class Sandbox:
    """Holds one process after another of `image`, each of which ends before the next; `line` gets what they write.

    `began` is when the present process was there (`time.perf_counter`), `spawn_ms` how long that took, `most` the
    memory (bytes) that it held when that was last looked at.
    """

    def __init__(self, image: Image, line: Callable[[str], None]) -> None:
        self.memory = image.memory * _MB
        self.began = time.perf_counter()
        self.spawn_ms = 0.0
        self._image = image
        self._line = line
        self._child: ChildProcess | None = None
        self._cap: lambda_memory.Cap | None = None
        self.most: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._child is not None

    async def start(self, address: str) -> None:
        """Start a process that talks to the Runtime API at `address`. Raises `OSError`."""
        image = self._image
        if self._cap is None:
            self._cap = lambda_memory.make_cap(self.memory + image.storage * _MB)
        command = command_of(image, self._cap.members if self._cap else "")
        environment = {
            **image.environment,
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream(),
            "AWS_LAMBDA_RUNTIME_API": address,
        }
        before = time.perf_counter()
        self._child = await spawn(
            program(*command, interpreter=image.interpreter),
            cwd=image.root,
            environment=environment,
            line=self._output,
        )
        self.began = time.perf_counter()
        self.spawn_ms = (self.began - before) * 1000

    async def run(self, ready: Awaitable[object], limit: float | None) -> Fault:
        """Wait for the end of the process, and tell why it ended; past `limit` seconds without `ready` it is killed."""
        child = self._child
        assert child is not None
        late: Fault | None = None
        ending, readying = asyncio.create_task(child.wait()), asyncio.ensure_future(ready)
        try:
            await asyncio.wait({ending, readying}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done() and not readying.done():
                late = Fault(FaultKind.TIMEOUT, f"its start took more than {limit} seconds")
                child.kill()
            status = await ending
        finally:
            readying.cancel()
            if not ending.done():
                child.kill()
        child.flush()
        self._child = None
        if self._cap is not None and self._cap.has_killed:
            return lambda_outcome.memory_fault(0, self.memory)
        return late or lambda_outcome.exit_fault(status)

    def peak(self) -> int | None:
        """The most memory (bytes) that was seen in use so far; None if the system does not tell."""
        now = None if self._child is None else lambda_memory.peak_memory(self._child.pid)
        if now is not None:
            self.most = max(self.most or 0, now)
        return self.most

    def freeze(self) -> None:
        """Let it do nothing until `thaw`. A debugger could not get in, so not in development."""
        if self._child is not None and not self._image.script:
            self._child.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        if self._child is not None and not self._image.script:
            self._child.thaw()

    def flush(self) -> None:
        """Let its output end here."""
        if self._child is not None:
            self._child.flush()

    async def terminate(self) -> None:
        """Ask it to end."""
        if self._child is not None:
            await self._child.terminate()

    def kill(self) -> None:
        """End it now."""
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        """Let go of what the system was asked for; the last process has ended."""
        if self._cap is not None:
            self._cap.remove()

    def _output(self, text: str) -> None:
        # awslambdaric writes a traceback as one line, its parts parted by carriage returns and indented
        # with no-break spaces.
        for part in text.split("\r"):
            self._line(part.replace("\u00a0", " "))
