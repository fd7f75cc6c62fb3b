"""Processes that serve requests: started in a group of their own, read line by line, ended with all they started."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from packager.preview import lambda_memory

_CHILD = Path(__file__).with_name("child.py")
_MAX_LINE = 256 * 1024
"""Bytes after which a line of output is cut in two, so that one without end does not fill the memory."""

REST = 0.005
"""Seconds without work after which a process is frozen, so that it is not in between requests in a row."""

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
        self._resting: asyncio.TimerHandle | None = None
        self._stopped: tuple[int, ...] = ()

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it and everything in its group, at once. Ended ones are left alone."""
        self._signal(signal.SIGKILL)

    def freeze(self, *, alike: bool = False) -> None:
        """Let nothing in its group run from the next `REST` seconds on, until `thaw`.

        With `alike` only what runs its own program: Node's supervisor has a shell that watches over it, which must.
        """
        self._resting = asyncio.get_running_loop().call_later(REST, self._stop, alike)

    def thaw(self) -> None:
        """Let it go on, if it is frozen or about to be."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        stopped, self._stopped = self._stopped, ()
        _signal_each(stopped, signal.SIGCONT)

    async def terminate(self) -> None:
        """Ask it to end, frozen or not. An ended one is left alone."""
        was_stopped = bool(self._stopped)
        self.thaw()
        if was_stopped:
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
        if self._resting is not None:
            self._resting.cancel()
        # What it left behind in its group would hold the output open; what left the group too is not waited for.
        self.kill()
        await asyncio.wait({self._output}, timeout=_LAST_OUTPUT)
        self._output.cancel()
        return status

    def _stop(self, alike: bool) -> None:
        pids = (self.pid, *lambda_memory.descendants(self.pid)) if alike else (-self.pid,)
        self._stopped = tuple(pid for pid in pids if not alike or _program_of(pid) == _program_of(self.pid))
        _signal_each(self._stopped, signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        _signal_each((-self.pid,), number)


def _signal_each(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal processes; a negative number is that of a group."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _program_of(pid: int) -> str | None:
    """The file that the process runs; None if it has ended."""
    try:
        return os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115 - read at each freezing
    except OSError:
        return None


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
