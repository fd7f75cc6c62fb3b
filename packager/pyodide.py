"""Pyodide, the CPython of the edge: got once from npm, made fit for the worker, kept in the user's cache."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packager import node
from packager.cache import cache_dir
from packager.errors import ToolError

VERSION = "314.0.7"
LOCK_FOLDER = Path(__file__).parent / "npm"

_SIZES = {
    "pyodide.mjs": 17_931,
    "pyodide.asm.mjs": 1_250_344,
    "pyodide.asm.wasm": 9_598_218,
    "python_stdlib.zip": 2_545_637,
}
"""The files that the worker needs and their bytes: npm has verified them, the size tells a torn copy."""
FILES = tuple(_SIZES)


@dataclass(frozen=True, slots=True)
class _Patch:
    purpose: str
    reason: str
    old: str
    new: str


_PATCHED = "pyodide.asm.mjs"
_PATCHES = tuple(
    _Patch(**row) for row in json.loads((LOCK_FOLDER / "sandbox.json").read_text(encoding="utf-8"))
)
_STDLIB = "python_stdlib.zip"
_PREPARED_SIZES: dict[str, int | None] = {
    **_SIZES,
    _PATCHED: _SIZES[_PATCHED] + sum(len(patch.new) - len(patch.old) for patch in _PATCHES),
    _STDLIB: None,
}
_TOOLS = ("acorn", "aws4fetch", "esbuild", "terser")
_TOOL_SIZES: dict[str, int | None] = {f"node_modules/{name}/package.json": None for name in _TOOLS}
_PRECOMPILE = Path(__file__).with_name("precompile.py")
_DRIVER = LOCK_FOLDER / "precompile.mjs"
_TIMEOUT_SECONDS = 300


def fetch(report: Callable[[str], None]) -> Path:
    """The cached folder with Pyodide's files as npm delivers them, and in `node_modules` what rewrites them.

    The first call downloads about 7 MB with npm, which `report` is told; later calls need neither npm nor a
    network. Raises `ToolError` if the download fails.
    """
    folder = cache_dir() / f"pyodide-{VERSION}"
    if cached() is None:
        with scratch() as name:
            downloaded = Path(name) / "download"
            report(f"downloading Pyodide {VERSION}, once")
            try:
                node.install(LOCK_FOLDER, downloaded)
            except ToolError as error:
                raise ToolError(
                    f"Pyodide {VERSION} is not here yet. {error.message}", hint=error.hint
                ) from error
            fresh = Path(name) / "files"
            fresh.mkdir()
            for file in _SIZES:
                (downloaded / "node_modules" / "pyodide" / file).rename(fresh / file)
            shutil.rmtree(downloaded / "node_modules" / "pyodide")
            (downloaded / "node_modules").rename(fresh / "node_modules")
            publish(fresh, folder, {**_SIZES, **_TOOL_SIZES})
    return folder


def cached() -> Path | None:
    """The folder of `fetch` if an earlier call has filled it; never downloads."""
    folder = cache_dir() / f"pyodide-{VERSION}"
    return folder if complete(folder, {**_SIZES, **_TOOL_SIZES}) else None


def patched(source: str) -> str:
    """The text of `pyodide.asm.mjs` without its way to a shell and fit for `node --permission`.

    Raises `ToolError` if a place to change is not there exactly once, as in another version of Pyodide.
    """
    for patch in _PATCHES:
        count = source.count(patch.old)
        if count != 1:
            raise ToolError(
                f"{_PATCHED} is not that of Pyodide {VERSION}: "
                f"the place to patch for {patch.purpose} is there {count} times",
                hint=f"Remove {cache_dir()} and run the command again.",
            )
        source = source.replace(patch.old, patch.new)
    return source


def prepare(report: Callable[[str], None]) -> Path:
    """The cached folder with Pyodide's own loader, fit for the sandbox: the `pyodide/` of a worker that uses it.

    Those of `fetch`, patched, the standard library as bytecode: the same bytes on every machine. The first
    call runs Pyodide for some 5 s, which `report` is told. Raises `ToolError` as `fetch` and `patched` do, or if
    Pyodide fails.
    """
    folder = cache_dir() / f"pyodide-{VERSION}-{recipe()}"
    if not complete(folder, _PREPARED_SIZES):
        source = fetch(report)
        with scratch() as name:
            fresh = Path(name) / "files"
            fresh.mkdir()
            for file in _SIZES:
                shutil.copyfile(source / file, fresh / file)
            text = (source / _PATCHED).read_text(encoding="utf-8")
            (fresh / _PATCHED).write_text(patched(text), encoding="utf-8", newline="")
            compiled = Path(name) / _STDLIB
            report("compiling Pyodide's standard library, once: some 5 s")
            _precompile(fresh, compiled)
            compiled.replace(fresh / _STDLIB)
            publish(fresh, folder, _PREPARED_SIZES)
    return folder


def recipe() -> str:
    """A key that changes with anything that `prepare` does to the files."""
    scripts = _PRECOMPILE.read_bytes() + _DRIVER.read_bytes()
    return hashlib.sha256(repr(_PATCHES).encode() + scripts).hexdigest()[:12]


def _precompile(folder: Path, target: Path) -> None:
    node.run(
        _DRIVER,
        [folder, _PRECOMPILE, target],
        access=node.Access((folder, _PRECOMPILE, _DRIVER), (target,)),
        timeout=_TIMEOUT_SECONDS,
        failure=f"Pyodide {VERSION} could not compile its standard library",
        hint=f"Remove {cache_dir()} and run the command again.",
    )


def complete(folder: Path, sizes: Mapping[str, int | None]) -> bool:
    """Whether all files are there; the size None is that of a file which is not known beforehand."""
    try:
        return all((folder / file).stat().st_size == size or size is None for file, size in sizes.items())
    except OSError:
        return False


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder on the cache's own disk, so that what is made there can be renamed into the cache."""
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=cache_dir(), prefix=".pyodide-")
    except OSError as error:
        raise ToolError(
            f"The cache folder {cache_dir()} cannot be written: {error.strerror}",
            hint="Make it writable, or name another one in the environment variable PACKAGER_CACHE_DIR.",
        ) from error


def publish(fresh: Path, folder: Path, sizes: Mapping[str, int | None]) -> None:
    """Rename `fresh` to `folder`; another process that does the same at the same time may win.

    Raises `ToolError` if a file is missing or has another size.
    """
    if not complete(fresh, sizes):
        raise ToolError(
            f"Pyodide {VERSION} came with files of unexpected size",
            hint="Check that the npm registry in use delivers the published package.",
        )
    if folder.exists() and not complete(folder, sizes):
        folder.replace(fresh.with_name("damaged"))
    try:
        fresh.rename(folder)
    except OSError:
        if not complete(folder, sizes):
            raise
