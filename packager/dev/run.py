"""`packager dev`: reads the project, serves it, and does both again with every save."""

import asyncio
import importlib.util
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packager.bundle import runtimes_folder
from packager.console.api import Api
from packager.console.console import Console
from packager.dev import reading, watch
from packager.dev.checks import Checks
from packager.dev.door import DevDoor
from packager.dev.edge import EdgeFunction
from packager.dev.nodejs import NodejsFunction
from packager.dev.reading import Distributions, Reading, Served
from packager.dev.types import TypesBeside
from packager.diagnostics import Diagnostic
from packager.errors import PackagerError, UsageError
from packager.preview import lambda_image
from packager.preview.run import ORIGIN_VARIABLE, warn_of_missing_secrets
from packager.preview.server import HOST, Server, listen
from packager.traffic.events import Found, Logged, Note, Told

type Function = NodejsFunction | EdgeFunction

_DEBUGGER = "debugpy"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. `inspect` is the port of the debugger, 0 for none.

    With `types` the files of `packager types` are kept, in the folder `types_out` if it is given; without, they are if
    the project's settings say where.
    """

    port: int
    inspect: int = 0
    types: bool = False
    types_out: Path | None = None


def dev(folder: Path, options: Options, *, told: Told, ready: Callable[[str], None]) -> signal.Signals:
    """Serve the sources of the project `folder` until SIGINT or SIGTERM, which is returned.

    `told` gets every event, `ready` the URL once requests are taken. Raises `ToolError` if the port is taken,
    `UsageError` without the debugger that is asked for, and what `reading` raises for a project that cannot be read.
    """
    root = folder.resolve()
    if options.inspect and importlib.util.find_spec(_DEBUGGER) is None:
        raise UsageError(
            f"--inspect needs {_DEBUGGER}, which is not installed",
            hint=f"Install it beside packager: pip install {_DEBUGGER}",
        )
    with listen(options.port) as listener:
        temporary = Path(tempfile.mkdtemp(prefix="packager-dev-"))
        try:
            found = reading.distributions(root, lambda line: told(Note(line)))
            first = reading.read(root, found)
            warn_of_missing_secrets(first.manifest, first.values, lambda line: told(Note(line)))
            server = _Development(root, temporary, options, listener, told)
            return asyncio.run(server.run(found, first, ready))
        finally:
            lambda_image.remove(temporary)


class _Development:
    """The functions of the project as it was read last."""

    def __init__(
        self, root: Path, temporary: Path, options: Options, listener: socket.socket, told: Told
    ) -> None:
        self._root = root
        self._temporary = temporary
        self._options = options
        self._listener = listener
        self._url = f"http://{HOST}:{listener.getsockname()[1]}"
        self._api = Api(root, self._note)
        self._console = Console("dev", told, (self._api.page,))
        self._told = self._console.tell
        self._functions: dict[str, Function] = {}
        self._reading: Reading | None = None
        self._shim = _shim(temporary, debugged=bool(options.inspect))
        self._door = DevDoor(root, self._console.faulty)
        self._checks = Checks(root, self._found)

    async def run(self, found: Distributions, first: Reading, ready: Callable[[str], None]) -> signal.Signals:
        """Serve until a signal, which is returned."""
        loop = asyncio.get_running_loop()
        received: asyncio.Queue[signal.Signals] = asyncio.Queue()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, received.put_nowait, number)
        stop = asyncio.Event()
        server = Server(self._console.around(self._door), lambda: ready(self._url))
        signalled = asyncio.create_task(received.get())
        try:
            await self._apply(found, first, frozenset())
            serving = asyncio.create_task(server.serve([self._listener]))
            watching = asyncio.create_task(self._watch(found, stop))
            self._checks.restart()
            await asyncio.wait({serving, watching, signalled}, return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            server.should_exit = True
            self._console.close()
            self._api.stop()
            await asyncio.gather(watching, self._close(), serving)
        finally:
            signalled.cancel()
            await self._close()
        return await signalled if not signalled.cancelled() else signal.SIGTERM

    async def _close(self) -> None:
        await self._checks.close()
        functions, self._functions = self._functions, {}
        await asyncio.gather(*(item.close() for item in functions.values()))

    async def _watch(self, found: Distributions, stop: asyncio.Event) -> None:
        """Read the project anew, and write its types, with every save."""
        types = TypesBeside(
            self._root, self._options.types_out, self._api, asked=self._options.types, note=self._note
        )
        types.restart()
        try:
            async for saved in watch.saved(self._root, stop):
                if changed := types.of_others(saved):
                    self._api.saved(changed)
                    found = await self._read(found, changed)
                    types.restart()
        finally:
            await types.close()

    async def _read(self, found: Distributions, changed: frozenset[str]) -> Distributions:
        """Read the project after a save, and serve it; the distributions that it has then."""
        try:
            if changed & watch.SETTINGS:
                self._note("the settings have changed: reading everything anew")
                found = await asyncio.to_thread(reading.distributions, self._root, self._note)
            now = await asyncio.to_thread(reading.read, self._root, found, self._reading)
            if found.edge is None and any(route.runtime == "edge" for route in now.app.routes):
                self._note("the first edge route: resolving distributions for edge")
                found = await asyncio.to_thread(reading.distributions, self._root, self._note)
            await self._apply(found, now, changed)
        except PackagerError as error:
            place = f"{error.place} " if error.place else ""
            self._note(f"error {place}{error.message}; {error.hint}")
        else:
            self._checks.restart()
        return found

    async def _apply(self, found: Distributions, now: Reading, changed: frozenset[str]) -> None:
        """Serve what was read; functions that none of the `changed` files touches go on as they are."""
        before, self._reading = self._reading, now
        values = {**now.values, ORIGIN_VARIABLE: self._url}
        anew = bool(changed & watch.SETTINGS)
        gone = [
            name
            for name, item in self._functions.items()
            if anew or name not in now.served or isinstance(item, NodejsFunction) != _is_nodejs(now, name)
        ]
        retired = [self._functions.pop(name) for name in gone]
        for name, served in now.served.items():
            function = self._functions.get(name)
            if function is None:
                function = self._functions[name] = self._made(found, served)
            elif not _touched(before, now, name, changed):
                continue
            elif changed:
                self._note(f"reloading {name}: {', '.join(sorted(changed)[:3])}")
            self._console.reloaded(name)
            if isinstance(function, NodejsFunction):
                await function.load(served, values)
            else:
                await function.load(now, served, values)
        self._door.use(now.manifest, dict(self._functions))
        self._console.use(now.manifest, now.values)
        await asyncio.gather(*(item.close() for item in retired))

    def _made(self, found: Distributions, served: Served) -> Function:
        name = served.row.name
        folder = self._temporary / f"{name}-{time.monotonic_ns()}"
        folder.mkdir()

        def log(line: str) -> None:
            self._told(Logged(name, line))

        if served.row.runtime == "edge":
            assert found.edge is not None
            return EdgeFunction(name, folder, found.edge, log)
        folders = (self._shim, *(row.folder for row in found.nodejs))
        return NodejsFunction(self._root, folder, folders, log, inspect=self._options.inspect)

    def _found(self, now: Sequence[Diagnostic], fresh: Sequence[Diagnostic]) -> None:
        for item in fresh:
            self._told(Found(item))
        if not now:
            self._note("the checks find nothing any more")
        self._console.found(now)

    def _note(self, line: str) -> None:
        self._told(Note(line))


def _is_nodejs(now: Reading, name: str) -> bool:
    return now.served[name].row.runtime == "nodejs"


def _touched(before: Reading | None, now: Reading, name: str, changed: frozenset[str]) -> bool:
    """Whether a function has to be loaded again: its files, its routes, its limits or the variables are others."""
    if before is None or name not in before.served or before.values != now.values:
        return True
    old, new = before.served[name], now.served[name]
    if (old.table, old.row) != (new.table, new.row):
        return True
    return not changed.isdisjoint(old.files | new.files)


def _shim(temporary: Path, *, debugged: bool) -> Path:
    """A folder for `sys.path` that holds our runtime, and the debugger if it is asked for, and nothing else of ours."""
    folder = temporary / "ours"
    folder.mkdir()
    names: Mapping[str, Path] = {"runtimes": runtimes_folder()}
    if debugged:
        spec = importlib.util.find_spec(_DEBUGGER)
        assert spec is not None
        assert spec.origin is not None
        names = {**names, _DEBUGGER: Path(spec.origin).parent}
    for name, target in names.items():
        (folder / name).symlink_to(target, target_is_directory=True)
    return folder
