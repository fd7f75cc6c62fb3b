"""What the page is built with: two small packages, got once from npm as their lock says, kept in the user's cache."""

import asyncio
import hashlib
import tempfile
from pathlib import Path

from packager import node
from packager.cache import cache_dir
from packager.errors import ToolError

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
    lock = (_LOCK_FOLDER / "package-lock.json").read_bytes()
    folder = cache_dir() / f"console-{hashlib.sha256(lock).hexdigest()[:12]}"
    if _complete(folder):
        return folder / "node_modules"
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir(), prefix=".console-") as name:
            fresh = Path(name) / "packages"
            node.install(_LOCK_FOLDER, fresh)
            fresh.rename(folder)
    except OSError as error:
        # another process may have been faster
        if not _complete(folder):
            raise ToolError(
                f"what the page is built with cannot be kept in {folder}: {error.strerror}",
                hint="Make the folder writable, or name another one in PACKAGER_CACHE_DIR.",
            ) from error
    return folder / "node_modules"


class Library:
    """The packages for a server: got when the page is asked for first, by one download for all who wait."""

    def __init__(self) -> None:
        self._fetching: asyncio.Task[Path] | None = None

    async def folder(self) -> Path:
        """The folder of `fetch`; a download that has failed is tried again. Raises `ToolError` as `fetch` does."""
        if self._fetching is None or (self._fetching.done() and self._fetching.exception() is not None):
            self._fetching = asyncio.create_task(asyncio.to_thread(fetch))
        return await asyncio.shield(self._fetching)


def _complete(folder: Path) -> bool:
    return all((folder / "node_modules" / file).is_file() for file in MODULES.values())
