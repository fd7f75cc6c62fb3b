"""Running the real command line, and asking the server it starts over a real socket."""

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

READY_SECONDS = 90
PACKAGER = (sys.executable, "-m", "packager")


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


@dataclass
class Server:
    """A running server, such as `packager preview`. `log` grows while it runs."""

    process: subprocess.Popen[str]
    port: int = 0
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """One request, its path exactly as written."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()


def alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def run(
    *arguments: str | Path, env: dict[str, str] | None = None, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `packager` to its end; `prefix` is a command that runs it, such as `prlimit`."""
    environment = {**os.environ, "NO_COLOR": "1", **(env or {})}
    command = [*prefix, *PACKAGER, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=180, check=False)


@contextmanager
def serving(*arguments: str | Path, env: dict[str, str] | None = None) -> Iterator[Server]:
    """`packager preview …` on a free port, ended afterwards as a terminal would end it.

    By the way of the build's own routes, for which no stacks have to be made, unless the arguments say otherwise.
    """
    way = () if {"--from", "--assembly"} & set(arguments) else ("--from", "manifest")
    with started([*PACKAGER, "preview", *map(str, arguments), *way, "--port", "0"], env=env) as server:
        yield server


@contextmanager
def started(command: Sequence[str], env: dict[str, str] | None = None) -> Iterator[Server]:
    """A command that prints `ready URL` once it serves; ended by SIGTERM."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1", **(env or {})},
    )
    server = Server(process)
    reader = threading.Thread(target=lambda: server.log.extend(process.stderr or ()), daemon=True)
    reader.start()
    timer = threading.Timer(READY_SECONDS, process.kill)
    timer.start()
    try:
        for line in process.stdout or ():
            if ready := re.fullmatch(r"ready http://127\.0\.0\.1:(\d+)\n", line):
                server.port = int(ready[1])
                break
        timer.cancel()
        if not server.port:
            process.wait()
            reader.join(5)
            raise AssertionError(f"the server ended with {process.returncode}:\n{''.join(server.log)}")
        yield server
    finally:
        timer.cancel()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
        reader.join(5)
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
