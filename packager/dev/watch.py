"""Which files of the project were saved."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch

from packager.discover import SKIPPED

SETTINGS = frozenset(("pyproject.toml", "uv.toml", "uv.lock", "pylock.toml"))
"""Files after which dependencies and settings are read anew."""

ENVIRONMENT = frozenset((".env", ".env.local"))

_STEP = 10
"""Milliseconds without a change after which what was saved is told: an editor's rename and write come as one."""
_DEBOUNCE = 200
"""Milliseconds after which it is told in any case."""


class _Filter(DefaultFilter):
    """Leaves out what no build reads, as watchfiles does by default."""

    ignore_dirs = (*DefaultFilter.ignore_dirs, *SKIPPED)

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def __call__(self, change: Change, path: str) -> bool:
        # The folder that the project lies in may have any name.
        below = Path(path).relative_to(self._root)
        return not below.parts[0].startswith(".packager") and super().__call__(change, str(below))


async def saved(root: Path, stop: asyncio.Event) -> AsyncIterator[frozenset[str]]:
    """The files below `root`, relative to it, that were written, made or removed, moment by moment until `stop`."""
    watching = awatch(
        root,
        watch_filter=_Filter(root),
        stop_event=stop,
        step=_STEP,
        debounce=_DEBOUNCE,
        rust_timeout=500,
        ignore_permission_denied=True,
    )
    async for changes in watching:
        yield frozenset(Path(path).relative_to(root).as_posix() for _, path in changes)
