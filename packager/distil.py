"""The runtime of the edge worker: Pyodide without what no worker needs, made once and kept in the user's cache.

A function's place in WebAssembly's table is part of a memory snapshot, so a snapshot is made with and restored
by the same distilled runtime.
"""

import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

from packager import node, pyodide
from packager.cache import cache_dir
from packager.errors import ToolError

SCRIPT = "pyodide.js"
MODULE = "pyodide.wasm"
RESTORED_MODULE = "restore.wasm"
TIMEOUT_SECONDS = 300

_FILES = {SCRIPT: None, MODULE: None, RESTORED_MODULE: None}
_SOURCES = ("distil.mjs", "script.mjs", "wasm.mjs", "sandbox.json", "freezer.mjs", "smoke.mjs", "probes.py")
_WORKER = (
    "code_cache.mjs",
    "files.mjs",
    "heap.mjs",
    "output.mjs",
    "restore.mjs",
    "seal.mjs",
    "stock.mjs",
    "zip.mjs",
)


def distilled(libraries: Sequence[Path], worker: Path) -> Path:
    """The cached folder with the runtime for the dynamic libraries (`.so`) that an app may load.

    `worker` is the folder with the worker's scripts. The first call for a set of libraries takes some 10 s:
    before it is kept, the runtime is compared with Pyodide itself, loaded and restored. Raises `ToolError` if
    they differ, or if Pyodide is not to be had.
    """
    prepared, source = pyodide.prepare(), pyodide.fetch()
    key = _key(libraries, worker)
    folder = cache_dir() / f"runtime-{pyodide.VERSION}-{key}"
    if not pyodide.complete(folder, _FILES):
        with pyodide.scratch() as name:
            area = Path(name)
            fresh = area / "runtime"
            fresh.mkdir()
            tools = _tools(area / "tools", source)
            _run(
                [tools / "distil.mjs", source, fresh, *libraries], [area, source, *libraries], fresh, "distil"
            )
            _smoke(area, tools, prepared, fresh, worker)
            pyodide.publish(fresh, folder, _FILES)
    return folder


def _key(libraries: Sequence[Path], worker: Path) -> str:
    digest = hashlib.sha256()
    for file in (*(pyodide.LOCK_FOLDER / name for name in _SOURCES), *(worker / name for name in _WORKER)):
        digest.update(file.read_bytes())
    for content in sorted(hashlib.sha256(file.read_bytes()).digest() for file in libraries):
        digest.update(content)
    return digest.hexdigest()[:12]


def _tools(folder: Path, source: Path) -> Path:
    """The scripts beside the packages they import, which Node looks for there."""
    folder.mkdir()
    for name in _SOURCES:
        shutil.copyfile(pyodide.LOCK_FOLDER / name, folder / name)
    shutil.copytree(source / "node_modules", folder / "node_modules", symlinks=True)
    return folder


def _smoke(area: Path, tools: Path, prepared: Path, runtime: Path, worker: Path) -> None:
    folder = area / "smoke"
    folder.mkdir()
    for name in _WORKER:
        shutil.copyfile(worker / name, folder / name)
    zipfile.ZipFile(folder / "app.zip", "w").close()
    words = [
        tools / "smoke.mjs",
        prepared,
        runtime,
        prepared / "python_stdlib.zip",
        folder,
        tools / "probes.py",
    ]
    _run(words, [area, prepared], folder, "check")


def _run(words: Sequence[Path], readable: Sequence[Path], writable: Path, purpose: str) -> None:
    command = [str(node.node()), "--permission", f"--allow-fs-write={writable}"]
    # a temporary folder may be named by a symbolic link, and what Node opens is where it leads
    command += [f"--allow-fs-read={os.path.realpath(path)}" for path in readable]
    try:
        done = subprocess.run(  # noqa: S603 - our own Node and our own scripts
            [*command, *(os.path.realpath(word) for word in words)],
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"Node did not {purpose} Pyodide within {TIMEOUT_SECONDS} seconds",
            hint="Try again when the machine is less busy; this is done once.",
        ) from error
    if done.returncode:
        lines = [line[:500] for line in done.stderr.strip().splitlines() if not line.startswith("    at ")]
        raise ToolError(
            f"The runtime distilled from Pyodide {pyodide.VERSION} cannot be used: {' '.join(lines[-8:])}",
            hint='Set loader = "stock" in [tool.packager.edge]: it starts more slowly and needs no such runtime.',
        )
