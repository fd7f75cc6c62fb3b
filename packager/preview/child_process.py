"""Processes that serve requests: started in a group of their own, read line by line, ended with all they started."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_CHILD = Path(__file__).with_name("child.py")
_MAX_LINE = 256 * 1024
"""Bytes after which a line of output is cut in two, so that one without end does not fill the memory."""

_AWAKENING = 0.05
"""Seconds that a frozen process has to wake up before it is asked to end."""

_LAST_OUTPUT = 0.5
"""Seconds that output may stay open after the process has ended."""


def program(mode: str, *arguments: str, interpreter: str = sys.executable) -> tuple[str, ...]:
    """The command line that runs `child` in `mode` (`lambda`, `script` or `exec`) with the arguments of that mode."""
    return (interpreter, "-I", "-S", "-B", str(_CHILD), str(os.getpid()), mode, *arguments)


class ChildProcess:
    """A running process. Made by `spawn`."""

    def __init__(
        self, process: asyncio.subprocess.Process, lines: "_Lines", output: asyncio.Task[None]
    ) -> None:
        self._process = process
        self._lines = lines
        self._output = output
        self._frozen = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it and everything in its group, at once. Ended ones are left alone."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Let nothing in its group run on until `thaw`."""
        self._frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self._frozen = False
        self._signal(signal.SIGCONT)

    async def terminate(self) -> None:
        """Ask it to end, frozen or not. An ended one is left alone."""
        if self._frozen:
            self.thaw()
            # A signal that meets threads which are just being woken may go to one in which Python does not look.
            await asyncio.sleep(_AWAKENING)
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def flush(self) -> None:
        """Let its output end here: a traceback that awslambdaric logs has no line end."""
        self._lines.flush()

    async def wait(self) -> int:
        """Wait until it has ended and its last output is read; the exit status, negative for a signal."""
        status = await self._process.wait()
        # What it left behind in its group would hold the output open; what left the group too is not waited for.
        self.kill()
        await asyncio.wait({self._output}, timeout=_LAST_OUTPUT)
        self._output.cancel()
        return status

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


async def spawn(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], line: Callable[[str], None]
) -> ChildProcess:
    """Start `command` with exactly `environment`; every line that it writes goes to `line`."""
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    lines = _Lines(line)
    return ChildProcess(process, lines, asyncio.create_task(lines.read(reading)))


class _Lines:
    """What a process writes, cut into lines. The last one need not end: `flush` gives it as it is."""

    def __init__(self, line: Callable[[str], None]) -> None:
        self._line = line
        self._rest = b""

    async def read(self, descriptor: int) -> None:
        """Read until the process and all it started have closed their output."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
        )
        try:
            while data := await reader.read(65536):
                *lines, self._rest = (self._rest + data).split(b"\n")
                for item in lines:
                    self._line(item.decode("utf-8", "replace").rstrip("\r"))
                if len(self._rest) > _MAX_LINE:
                    self.flush()
            self.flush()
        finally:
            transport.close()

    def flush(self) -> None:
        """Give the line that has not ended, if there is one."""
        rest, self._rest = self._rest, b""
        if rest:
            self._line(rest.decode("utf-8", "replace"))


def exit_reason(status: int) -> str:
    """`exit status 3` or `signal SIGSEGV`."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
