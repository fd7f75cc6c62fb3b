"""An edge function of the sources: a worker whose archive is replaced by every save that touches it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from packager.dev import edge_worker
from packager.dev.faults import send_fault
from packager.dev.generation import Generation, Tasks
from packager.dev.reading import Reading, Served
from packager.errors import PackagerError
from packager.node import node
from packager.preview.cdn import Cdn
from packager.preview.edge_process import EdgeImage, EdgeWorker
from packager.preview.http import Arrival, Log, Receive, Send
from packager.site_packages import SitePackages

if TYPE_CHECKING:
    from packager.traffic.trace import Beginning


class EdgeFunction:
    """Serves one function (`http.Backend`); requests wait while a worker is made."""

    def __init__(self, name: str, temporary: Path, site: SitePackages, log: Log) -> None:
        self._name = name
        self._temporary = temporary
        self._site = site
        self._log = log
        self._tasks = Tasks(lambda error: log(f"ERROR {error!r}"))
        self._frozen: edge_worker.Frozen | None = None
        self._folder: Path | None = None
        self._made = 0
        self._current: Generation | None = None
        self._fault: PackagerError | None = None
        self._making: asyncio.Task[None] | None = None

    async def load(self, reading: Reading, served: Served, values: Mapping[str, str]) -> None:
        """Serve the project as it is saved now, from the moment on when its worker is there."""
        before = self._making
        self._making = asyncio.create_task(self._make(before, reading, served, values))
        self._tasks.add(self._making)

    async def serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Answer one request as the function is now."""
        while self._making is not None and not self._making.done():
            await asyncio.wait({self._making})
        if self._fault is not None or self._current is None:
            await send_fault(send, self._fault, arrival.method)
            return
        await self._current.serve(arrival, receive, send)

    def start(self) -> None:
        """Nothing: `load` starts the worker."""

    async def close(self) -> None:
        """End every process."""
        await self._tasks.close()
        if self._current is not None:
            await self._current.close()

    async def _make(
        self,
        before: asyncio.Task[None] | None,
        reading: Reading,
        served: Served,
        values: Mapping[str, str],
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
        beginning: Beginning = "cold" if self._current is None else "reloaded"
        try:
            folder = await asyncio.to_thread(self._written, reading, served)
        except PackagerError as error:
            self._fault = error
            self._log(f"ERROR {error.place or served.row.name}: {error.message}; {error.hint}")
            return
        except OSError as error:
            # A file that went away while it was read: that is the next save.
            self._log(f"ERROR {error}")
            return
        self._fault = None
        worker = EdgeWorker(EdgeImage(node(), folder, {**values, **served.row.environment}), self._log)
        fresh = Generation(
            Cdn(worker, served.row.target == "lambda-edge"), beginning, served.row.max_duration
        )
        worker.start()
        old, self._current = self._current, fresh
        if old is not None:
            self._tasks.add(asyncio.create_task(old.retire()))

    def _written(self, reading: Reading, served: Served) -> Path:
        """The worker's folder with the project's files as they are saved now."""
        project, frozen = reading.app.project, self._frozen
        if frozen is None or frozen.shape != edge_worker.shape_of(served):
            frozen = edge_worker.gathered(reading, served, self._site)
        if self._folder is None or self._frozen is None or self._frozen.key != frozen.key:
            kept = edge_worker.frozen_folder(project, frozen, self._log)
            # Another one: the worker that runs still reads from the folder before.
            self._made += 1
            self._folder = self._temporary / f"worker-{self._made}"
            edge_worker.copied(kept, self._folder)
        self._frozen = frozen
        edge_worker.write_app(self._folder, frozen, project, served)
        return self._folder
