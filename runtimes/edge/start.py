"""From an unpacked artifact to the functions that serve it."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.to_thread

from runtimes.app import load
from runtimes.edge.bridge import Bridge, Host


def start(root: str, environment: str, host: Host) -> Bridge:
    """Load the app that is unpacked in `root` and give the functions that serve it.

    `environment` is a JSON object: exactly these become `os.environ`. Whatever the project's modules raise
    while they are imported is raised.
    """
    from pyodide.ffi import to_js  # noqa: PLC0415 - there is no such module outside Pyodide

    os.environ.clear()
    os.environ.update(json.loads(environment))
    os.chdir(root)
    anyio.to_thread.run_sync = _inline  # type: ignore[assignment]
    return Bridge(load(Path(root)), host, to_js)


async def _inline[T](function: Callable[..., T], *arguments: Any, **_options: Any) -> T:
    """What Starlette would do in a thread (sync iterators, files), where there are none."""
    return function(*arguments)
