"""The description of a project that is being worked on: made when somebody asks, anew when they ask after a save."""

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path

from packager.dev import watch
from packager.errors import PackagerError, ProjectError, ToolError
from packager.openapi.generate import Described, Report, describe_project

_AFTER = 0.4
"""Seconds after a save: what serves the code that was saved has the processor first."""


class Description:
    """What the routes of the project in `root`, an absolute path, say; one for all who want to know.

    It belongs to one event loop, and is made in a thread. `report` gets a line for each long step.
    """

    def __init__(self, root: Path, report: Report) -> None:
        self._root = root
        self._report = report
        self._making: asyncio.Task[Described] | None = None
        self._before: asyncio.Task[Described] | None = None
        self._stop = threading.Event()
        self.stopped = False

    def saved(self, names: Iterable[str]) -> bool:
        """Files, relative to the project, were saved; whether that can change what the routes say."""
        if not any(map(_matters, names)):
            return False
        if self._making is not None:
            self._stop.set()
            self._before, self._making = self._making, None
        return True

    async def now(self) -> Described:
        """The description of what is saved now. Raises what `describe_project` raises."""
        while True:
            if self._making is None:
                if self.stopped:
                    raise ProjectError("the server ends", hint="Start it again.")
                self._stop = threading.Event()
                self._making = asyncio.create_task(self._made(self._before, self._stop))
                # nobody may be left to be told
                self._making.add_done_callback(lambda task: task.cancelled() or task.exception())
            making = self._making
            try:
                found = await asyncio.shield(making)
            except PackagerError:
                # what was given up for a later save failed by that
                if making is self._making:
                    raise
            else:
                if making is self._making:
                    return found

    def stop(self) -> None:
        """Give up what is being made; whoever waits for it, or asks again, is told by a `ProjectError`."""
        self.stopped = True
        self._stop.set()

    async def _made(self, before: asyncio.Task[Described] | None, stop: threading.Event) -> Described:
        if before is not None:
            await asyncio.wait({before})
            await asyncio.sleep(_AFTER)
        try:
            return await asyncio.to_thread(describe_project, self._root, self._report, stop)
        except OSError as error:
            # a file that went away while it was read: that is the next save
            raise ToolError(f"the routes cannot be read: {error}", hint="Save the file again.") from error


def _matters(name: str) -> bool:
    return name.endswith(".py") or name in watch.SETTINGS or name in watch.ENVIRONMENT
