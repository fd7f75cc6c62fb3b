"""The files of `packager types`, kept as the routes are saved: by `packager types --watch` and by `packager dev`."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from packager.dev import watch
from packager.errors import PackagerError
from packager.openapi import settings
from packager.openapi.description import Description
from packager.openapi.generate import Described, Generated, files_of, write
from packager.project import load

type Report = Callable[[str], None]
type Failed = Callable[[PackagerError], None]


class Follower:
    """Writes the files of the project in `root` whenever it is told to, the newest description only.

    They go to `out`; if that is None, to where the project's settings say, and with `asked` to the default folder if
    these say nothing. `report` gets a line for what is written, `failed` what keeps it from being written.
    """

    def __init__(
        self,
        root: Path,
        out: Path | None,
        description: Description,
        *,
        asked: bool,
        report: Report,
        failed: Failed,
    ) -> None:
        self.written: frozenset[Path] = frozenset()
        """The files that are kept."""
        self._root = root
        self._out = out
        self._description = description
        self._asked = asked
        self._report = report
        self._failed = failed
        self._generated: tuple[Described, Generated] | None = None
        self._again = False
        self._running: asyncio.Task[None] | None = None

    def restart(self) -> None:
        """Write what is saved now, if it is not what is there."""
        self._again = True
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def settled(self) -> None:
        """Return when what was told so far is written, or cannot be."""
        if self._running is not None:
            await asyncio.wait({self._running})

    async def close(self) -> None:
        """Give up; what is being written is written."""
        self._again = False
        self._description.stop()
        await self.settled()

    async def _run(self) -> None:
        while self._again:
            self._again = False
            try:
                await self._write()
            except PackagerError as error:
                if not self._description.stopped:
                    self._failed(error)

    async def _write(self) -> None:
        if not self._asked and not settings.read(self._root).configured:
            return
        described = await self._description.now()
        if self._description.stopped:
            return
        generated = await asyncio.to_thread(self._files, described)
        self.written = frozenset(generated.out / name for name in generated.files)
        changed = await asyncio.to_thread(write, generated)
        if changed:
            self._report(f"wrote {', '.join(changed)} into {generated.out}")

    def _files(self, described: Described) -> Generated:
        """The files; most saves change nothing that they tell."""
        if self._generated is None or self._generated[0] != described:
            self._generated = described, files_of(described, self._out, self._report)
        return self._generated[1]


def until_interrupted(folder: Path, out: Path | None, *, report: Report, failed: Failed) -> signal.Signals:
    """Keep the files until SIGINT or SIGTERM, which is returned. Raises what `load` raises for what is no project."""
    root = load(folder).root

    async def run() -> signal.Signals:
        loop = asyncio.get_running_loop()
        received: asyncio.Queue[signal.Signals] = asyncio.Queue()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, received.put_nowait, number)
        stop = asyncio.Event()
        description = Description(root, report)
        follower = Follower(root, out, description, asked=True, report=report, failed=failed)

        async def watching() -> None:
            async for changed in watch.saved(root, stop):
                if description.saved(changed):
                    follower.restart()

        # meanwhile saves are watched: none is missed
        follower.restart()
        following = asyncio.create_task(watching())
        ended = await received.get()
        stop.set()
        await asyncio.gather(following, follower.close())
        return ended

    return asyncio.run(run())
