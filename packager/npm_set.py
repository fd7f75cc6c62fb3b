"""Packages of npm that only one part of the tool needs, each set got once into the user's cache."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from packager import node
from packager.cache import cache_dir
from packager.errors import ToolError
from packager.pyodide import scratch


def installed(name: str, lock: Path, purpose: str, report: Callable[[str], None]) -> Path:
    """The `node_modules` of the set that is locked in the folder `lock`; `name` is its own in the cache.

    The first call downloads it, which `report` is told with what it is for; later calls need no network. Raises
    `ToolError` if the download fails.
    """
    digest = hashlib.sha256((lock / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = cache_dir() / f"npm-{name}-{digest}"
    if not folder.is_dir():
        report(f"downloading {purpose}, once")
        with scratch() as area:
            fresh = Path(area) / "fresh"
            try:
                node.install(lock, fresh)
            except ToolError as error:
                raise ToolError(f"{purpose} is not here yet. {error.message}", hint=error.hint) from error
            try:
                fresh.rename(folder)
            except OSError:
                # another process may have been faster
                if not folder.is_dir():
                    raise
    return folder / "node_modules"
