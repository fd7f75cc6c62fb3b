"""Where downloads and compiled things are kept between builds; safe to delete."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """The user's cache folder, absolute; it may not exist yet.

    `PACKAGER_CACHE_DIR` if set and not empty, else the platform's own place for caches.
    """
    chosen = os.environ.get("PACKAGER_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path  # noqa: PLC0415 - 10 ms that only a build needs

    return user_cache_path("packager", appauthor=False)
