"""A nodejs function of the sources: Lambda processes on the project's own folder, each with a successor in reserve."""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from packager.dev.gate import Gate
from packager.dev.generation import Generation, Tasks
from packager.dev.reading import Served, table_text
from packager.preview import lambda_image
from packager.preview.gateway import Gateway
from packager.preview.http import Arrival, Log, Receive, Send
from packager.preview.lambda_image import Image
from packager.preview.lambda_pool import MAX_PROCESSES, Pool
from packager.traffic.trace import Beginning

_SCRIPT = Path(__file__).with_name("spare.py")
_RESERVE_AFTER = 0.5
"""Seconds after which the next process is prepared: the one that was just let go has the processor first."""
_LIFE_LINES = ("START RequestId: ", "END RequestId: ", "REPORT RequestId: ")
_DEBUGGED = 24 * 3600
"""Seconds that a handler may take while somebody steps through it."""


class NodejsFunction:
    """Serves one function (`http.Backend`). `folders` hold the distributions, `inspect` is a debugger's port or 0."""

    def __init__(
        self, root: Path, temporary: Path, folders: Sequence[Path], log: Log, *, inspect: int = 0
    ) -> None:
        self._root = root
        self._temporary = temporary
        self._folders = tuple(folders)
        self._log = _without_life_lines(log)
        self._inspect = inspect
        self._tasks = Tasks(lambda error: log(f"ERROR {error!r}"))
        self._image: Image | None = None
        self._served: Served | None = None
        self._current: _Lambda | None = None
        self._reserve: _Lambda | None = None

    async def load(self, served: Served, values: Mapping[str, str]) -> None:
        """Serve the project as it is saved now. With other variables or limits no process is used any more."""
        image = await asyncio.to_thread(self._image_of, served, values)
        if image != self._image and self._reserve is not None:
            self._tasks.add(asyncio.create_task(self._reserve.generation.close()))
            self._reserve = None
        self._image, self._served = image, served
        self._routes_file.write_text(table_text(served), encoding="utf-8")
        old = self._current
        beginning: Beginning = "cold" if old is None else "reloaded"
        if old is not None and self._inspect:
            # Its port is wanted.
            await old.generation.close()
        fresh = self._reserve or await self._begun(beginning)
        self._reserve = None
        fresh.gate.open()
        self._current = fresh
        if old is not None and not self._inspect:
            self._tasks.add(asyncio.create_task(old.generation.retire()))
        self._tasks.add(asyncio.create_task(self._prepare()))

    async def serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Answer one request as the function is now."""
        assert self._current is not None
        await self._current.generation.serve(arrival, receive, send)

    def start(self) -> None:
        """Nothing: `load` has started a process."""

    async def close(self) -> None:
        """End every process."""
        await self._tasks.close()
        for item in (self._current, self._reserve):
            if item is not None:
                await item.generation.close()

    @property
    def _routes_file(self) -> Path:
        return self._temporary / "routes.json"

    async def _prepare(self) -> None:
        await asyncio.sleep(_RESERVE_AFTER)
        if self._reserve is None:
            self._reserve = await self._begun("reloaded")

    async def _begun(self, beginning: Beginning) -> "_Lambda":
        """A generation whose first process imports what is not the project's, and waits."""
        assert self._image is not None
        assert self._served is not None
        image, gate = self._image, Gate()
        port = await gate.listen()
        modules = ",".join(modules_of(self._served))
        script = (
            *(str(_SCRIPT), str(port), image.handler, str(image.client), modules, str(self._inspect)),
            *map(str, image.folders),
        )
        most = 1 if self._inspect else MAX_PROCESSES
        pool = Pool(dataclasses.replace(image, script=script), self._log, most)
        pool.start()
        return _Lambda(
            gate, Generation(_Gated(pool, gate, self._log), beginning, self._served.row.max_duration)
        )

    def _image_of(self, served: Served, values: Mapping[str, str]) -> Image:
        row = dataclasses.replace(served.row, max_duration=_DEBUGGED) if self._inspect else served.row
        image = lambda_image.prepare(row, self._root, self._folders, values, self._log)
        return dataclasses.replace(
            image, environment={**image.environment, "PACKAGER_ROUTES": str(self._routes_file)}
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Lambda:
    gate: Gate
    generation: Generation


class _Gated(Gateway):
    """An HTTP API whose processes wait at a gate."""

    def __init__(self, pool: Pool, gate: Gate, log: Log) -> None:
        # A generation has a limit of its own, and a debugger none.
        super().__init__(pool, log, timeout=None)
        self._gate = gate

    async def close(self) -> None:
        self._gate.close()
        await super().close()


def modules_of(served: Served) -> tuple[str, ...]:
    """The modules that are not the project's and that the function imports while it starts, sorted."""
    imports = served.function.reach.imports
    return tuple(sorted({item.module for item in imports if not item.lazy and item.module[:1] != "."}))


def _without_life_lines(log: Log) -> Log:
    """The log without Lambda's own lines on each invocation: a request has one already."""

    def line(text: str) -> None:
        if not text.startswith(_LIFE_LINES):
            log(text)

    return line
