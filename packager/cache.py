"""Where downloads and compiled things are kept between builds; safe to delete."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_INSTEAD: ContextVar[Path | None] = ContextVar("_INSTEAD", default=None)


def cache_dir() -> Path:
    """The user's cache folder, absolute; it may not exist yet.

    `PACKAGER_CACHE_DIR` if set and not empty, else the platform's own place for caches.
    """
    chosen = os.environ.get("PACKAGER_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path  # noqa: PLC0415 - 10 ms that only a build needs

    return user_cache_path("packager", appauthor=False)


def derived_dir() -> Path:
    """The folder for what builds make of downloads and sources; within `without_derived` a new, empty one."""
    return _INSTEAD.get() or cache_dir()


@contextmanager
def without_derived() -> Iterator[None]:
    """While the block runs nothing that an earlier build made is taken from the cache, or kept in it."""
    with tempfile.TemporaryDirectory(prefix="packager-") as folder:
        token = _INSTEAD.set(Path(folder))
        try:
            yield
        finally:
            _INSTEAD.reset(token)
