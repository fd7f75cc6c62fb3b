"""What the page is built with: two small packages, got once from npm as their lock says, kept in the user's cache."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from packager import npm_set

_LOCK_FOLDER = Path(__file__).parent / "npm"

MODULES = {
    "preact": "preact/dist/preact.mjs",
    "preact/hooks": "preact/hooks/dist/hooks.mjs",
    "htm": "htm/dist/htm.mjs",
}
"""The names that the page imports, each with its file in `node_modules`."""


def fetch() -> Path:
    """The cached folder with the packages. The first call downloads some 300 KB; later ones need no network.

    Raises `ToolError` if the download fails.
    """
    return npm_set.installed("console", _LOCK_FOLDER, "what the page is built with", lambda _line: None)


class Library:
    """Packages for a server: got when a page is asked for first, by one download for all who wait."""

    def __init__(self, fetch: Callable[[], Path] = fetch) -> None:
        self._fetch = fetch
        self._fetching: asyncio.Task[Path] | None = None

    async def folder(self) -> Path:
        """What `fetch` gives; a download that has failed is tried again. Raises `ToolError` as `fetch` does."""
        if self._fetching is None or (self._fetching.done() and self._fetching.exception() is not None):
            self._fetching = asyncio.create_task(asyncio.to_thread(self._fetch))
        return await asyncio.shield(self._fetching)
