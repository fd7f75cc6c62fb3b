"""The runtime of the edge worker: Pyodide without what no worker needs, made once and kept in the user's cache.

A function's place in WebAssembly's table is part of a memory snapshot, so a snapshot is made with and restored
by the same distilled runtime.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from packager import node, pyodide
from packager.cache import cache_dir

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


def distilled(libraries: Sequence[Path], worker: Path, report: Callable[[str], None]) -> Path:
    """The cached folder with the runtime for the dynamic libraries (`.so`) that an app may load.

    `worker` is the folder with the worker's scripts. The first call for a set of libraries takes some 10 s, which
    `report` is told: before it is kept, the runtime is compared with Pyodide itself, loaded and restored. Raises
    `ToolError` if they differ, or if Pyodide is not to be had.
    """
    prepared, source = pyodide.prepare(report), pyodide.fetch(report)
    key = _key(libraries, worker)
    folder = cache_dir() / f"runtime-{pyodide.VERSION}-{key}"
    if not pyodide.complete(folder, _FILES):
        purpose = (
            "for the compiled packages of this app" if libraries else "for apps without compiled packages"
        )
        report(f"making the edge runtime {purpose}, once: some 10 s")
        with pyodide.scratch() as name:
            area = Path(name)
            fresh = area / "runtime"
            fresh.mkdir()
            tools = _tools(area / "tools", source)
            access = node.Access((area, source, *libraries), (fresh,))
            _run(tools / "distil.mjs", [source, fresh, *libraries], access)
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
    words = [prepared, runtime, prepared / "python_stdlib.zip", folder, tools / "probes.py"]
    _run(tools / "smoke.mjs", words, node.Access((area, prepared), (folder,)))


def _run(script: Path, words: Sequence[Path], access: node.Access) -> None:
    node.run(
        script,
        words,
        access=access,
        timeout=TIMEOUT_SECONDS,
        failure=f"The runtime distilled from Pyodide {pyodide.VERSION} cannot be used",
        hint='Set loader = "stock" in [tool.packager.edge]: it starts more slowly and needs no such runtime.',
    )
