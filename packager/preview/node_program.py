"""A Node program that answers questions, one line of JSON each; started when it is needed, anew after it has ended."""

import asyncio
import contextlib
import itertools
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packager.preview.child_process import ChildProcess, exit_reason, program, spawn
from packager.preview.http import Log

_LINE = 64 * 2**20
"""Bytes of a line: the largest event, as base64, is a fraction of it."""


class NodeFailedError(Exception):
    """The program ended, or could not answer; the reason is in the log."""


@dataclass(frozen=True, slots=True)
class NodeScript:
    """What is run: a script beside this module, its arguments, Node's own, where, with exactly which variables."""

    node: Path
    name: str
    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    options: tuple[str, ...] = ()

    def command(self, port: int, word: str) -> tuple[str, ...]:
        """The command line; the program connects to `port` and says the `word`."""
        script = str(Path(__file__).with_name(self.name))
        return program("exec", str(self.node), *self.options, script, str(port), word, *self.arguments)


class NodeProgram:
    """One program at a time; questions wait until it is there.

    `child` is its process while there is one; `spawn_ms` is how long that took to make, `init_ms` how long until it
    took questions.
    """

    def __init__(self, script: NodeScript, log: Log) -> None:
        self._script = script
        self._log = log
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._connected: asyncio.Future[asyncio.StreamWriter] | None = None
        self._life: asyncio.Task[None] | None = None
        self.spawn_ms = self.init_ms = 0.0
        self.child: ChildProcess | None = None
        self._closing = False

    def start(self) -> bool:
        """Start it in the background; False if there is one."""
        if self._closing or (self._life is not None and not self._life.done()):
            return False
        self._connected = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(self._live(self._connected))
        return True

    async def ready(self) -> asyncio.StreamWriter:
        """Wait until it takes questions. Raises `NodeFailedError`."""
        self.start()
        if self._connected is None or self._closing:
            raise NodeFailedError("the preview is ending")
        return await asyncio.shield(self._connected)

    async def ask(self, question: bytes) -> Any:
        """The answer to a question in JSON. Raises `NodeFailedError`."""
        writer = await self.ready()
        number = str(next(self._numbers))
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            writer.write(b"%s %s\n" % (number.encode(), question))
            await writer.drain()
            return await answered
        except ConnectionError as error:
            raise NodeFailedError(str(error)) from error
        finally:
            self._waiting.pop(number, None)

    async def end(self) -> None:
        """End what runs; the next question starts another one."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait({self._life})

    async def close(self) -> None:
        """End it for good."""
        self._closing = True
        await self.end()

    async def _live(self, connected: asyncio.Future[asyncio.StreamWriter]) -> None:
        word = secrets.token_hex(16)
        began = time.perf_counter()
        conversations: set[asyncio.Task[None]] = set()

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            conversations.add(task)
            with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.CancelledError):
                if (await reader.readline()).strip() == word.encode() and not connected.done():
                    self.init_ms = (time.perf_counter() - began) * 1000
                    connected.set_result(writer)
                    await self._read(reader)

        server = await asyncio.start_server(converse, "127.0.0.1", 0, limit=_LINE)
        reason = "it was closed"
        child: ChildProcess | None = None
        try:
            script = self._script
            command = script.command(server.sockets[0].getsockname()[1], word)
            child = await spawn(command, cwd=script.folder, environment=script.environment, line=self._log)
            before, began = began, time.perf_counter()
            self.child, self.spawn_ms = child, (began - before) * 1000
            reason = exit_reason(await child.wait())
            self._log(f"ERROR it ended with {reason}; the next request starts it again")
        except OSError as error:
            reason = str(error)
            self._log(f"ERROR it could not be started: {error}")
        finally:
            self.child = None
            server.close()
            if child is not None:
                child.kill()
                await child.wait()
            self._fail(connected, reason)
            for task in conversations:
                task.cancel()
            if conversations:
                await asyncio.wait(conversations)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            number, state, text = line.split(b" ", 2)
            waiting = self._waiting.get(number.decode())
            if waiting is None or waiting.done():
                continue
            if state == b"ok":
                waiting.set_result(json.loads(text))
            else:
                waiting.set_exception(NodeFailedError(json.loads(text)))

    def _fail(self, connected: asyncio.Future[asyncio.StreamWriter], reason: str) -> None:
        for waiting in (connected, *self._waiting.values()):
            if not waiting.done():
                waiting.set_exception(NodeFailedError(reason))
                waiting.exception()  # read, so that nobody waiting is no complaint
