"""`packager check` beside everything else: in a process of its own, after each save, the newest findings only."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from packager.diagnostics import Diagnostic, in_order

type Findings = Sequence[Diagnostic]

_AFTER = 0.4
"""Seconds after a save: the functions have the processor first."""


class Checks:
    """Tells `found` all findings and those that the check before did not have, whenever there are others."""

    def __init__(self, root: Path, found: Callable[[Findings, Findings], None]) -> None:
        self._root = root
        self._found = found
        self._last: frozenset[Diagnostic] = frozenset()
        self._running: asyncio.Task[None] | None = None

    def restart(self) -> None:
        """Check what is saved now; a check that has not ended is given up."""
        if self._running is not None:
            self._running.cancel()
        self._running = asyncio.create_task(self._check())

    async def close(self) -> None:
        """Give up the check that runs."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def _check(self) -> None:
        await asyncio.sleep(_AFTER)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "packager", "check", str(self._root), "--json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )
        try:
            document, _ = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        with contextlib.suppress(ValueError, KeyError, TypeError):
            self._tell(frozenset(map(_diagnostic, json.loads(document)["diagnostics"])))

    def _tell(self, now: frozenset[Diagnostic]) -> None:
        before, self._last = self._last, now
        if now != before:
            self._found(in_order([*now]), in_order([*(now - before)]))


def _diagnostic(row: dict[str, object]) -> Diagnostic:
    chain = row.pop("chain")
    assert isinstance(chain, list)
    return Diagnostic(**row, chain=tuple(chain))  # type: ignore[arg-type]
