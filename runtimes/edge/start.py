"""From an unpacked artifact to the functions that serve it, before and after the memory is frozen.

`prepare` runs at build, where the memory is frozen afterwards, `resume` in each process that restores it. A
worker without a snapshot calls one right after the other. What a module reads from the environment while it is
imported is not known at build, so such a module is imported late, by `resume`.
"""

import gc
import importlib
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from zipimport import zipimporter

import anyio.to_thread

from runtimes import restored, table
from runtimes.app import load
from runtimes.edge import exercise, guard, pbkdf2
from runtimes.edge.bridge import Bridge, Host
from runtimes.edge.httpx_import import install_httpx
from runtimes.edge.watch import watching
from runtimes.handlers import handlers_of, load_module, module_name
from runtimes.randomness import Generators, generators, reseed

logger = logging.getLogger("runtimes")


@dataclass(frozen=True, slots=True)
class _Failure:
    """An import that failed, at a line of the project's own (0 if none was reached)."""

    entry: str
    file: str
    line: int
    message: str


@dataclass(slots=True)
class _Prepared:
    """What `prepare` leaves to `resume`. There is no bridge yet if a module is imported late."""

    root: Path
    bridge: Bridge | None = None
    generators: Generators = field(default_factory=list)


_prepared: _Prepared | None = None


def prepare(root: str, settings: str) -> str:
    """Import what is unpacked in `root`, as far as it may be frozen. Returns a report as JSON.

    `settings` is JSON: `late` are the routes and middleware that are to be imported by `resume`, `preload` modules
    of distributions to import in their stead. The report has the `failures` of imports, the `reads` of environment
    variables, the `tasks` left to the event loop, and the `modules` of distributions that were imported.
    """
    global _prepared  # noqa: PLW0603 - the memory is the state
    options = json.loads(settings)
    project = _begin(root)
    _prepared = _Prepared(Path(root))
    with watching(root, project) as seen:
        for name in options["preload"]:
            with suppress(Exception):
                importlib.import_module(name)
        entries = [entry for entry in _entries(_prepared.root) if entry not in options["late"]]
        failures = list(filter(None, (_imported(_prepared.root, entry) for entry in entries)))
    if not failures and not options["late"]:
        _prepared.bridge = Bridge(load(_prepared.root, _known))
    _forget_archives()
    gc.collect()
    _prepared.generators = generators()
    os.environ.clear()
    guard.unseal()
    report = {
        "failures": [asdict(failure) for failure in failures],
        "reads": [asdict(sight) for sight in seen.reads],
        "tasks": [asdict(sight) for sight in seen.tasks],
        "modules": _foreign_modules(_prepared.root, project),
    }
    return json.dumps(report)


def resume(environment: str, host: Host) -> Bridge:
    """Make the prepared app serve: give it its environment and fresh randomness, and `host` to its bridge.

    `environment` is a JSON object: exactly these become `os.environ`. A module that fails to be imported late
    answers 500, and so does whatever a failed middleware guards; the log says why. Raises what a function given
    to `after_restore` raises.
    """
    assert _prepared is not None
    _renew(_prepared, environment)
    if _prepared.bridge is None:
        guard.renew(_rules(_prepared.root)["project"])
        _prepared.bridge = Bridge(load(_prepared.root, _tolerant))
    restored.run()
    return _attached(_prepared.bridge, host)


def rehearse(host: Host) -> Bridge:
    """Do what `resume` does, without running any of the project's code, for an app of our own.

    What runs here is compiled in advance, while the code cache is made.
    """
    assert _prepared is not None
    _renew(_prepared, "{}")
    exercise.models()
    return _attached(Bridge(exercise.app()), host)


def start(root: str, environment: str, host: Host) -> Bridge:
    """Both in one, with nothing imported before the environment is there."""
    global _prepared  # noqa: PLW0603
    _begin(root)
    _prepared = _Prepared(Path(root))
    return resume(environment, host)


def _begin(root: str) -> frozenset[str]:
    """Make the interpreter that of an edge worker. Returns the project's files."""
    rules = _rules(Path(root))
    guard.install(app_root=root, **rules)
    pbkdf2.install()
    install_httpx()
    os.environ.clear()
    os.chdir(root)
    anyio.to_thread.run_sync = _inline  # type: ignore[assignment]
    return frozenset(rules["project"])


def _rules(root: Path) -> dict[str, Any]:
    rules: dict[str, Any] = json.loads((root / guard.PATH).read_text(encoding="utf-8"))
    return rules


def _entries(root: Path) -> list[str]:
    """The modules that the app imports itself, middleware first, as `App` does."""
    routes = table.from_json((root / table.PATH).read_text(encoding="utf-8"))
    for folder in dict.fromkeys((str(root), str(root / routes.import_root))):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    own = [entry.file for entry in routes.routes if entry.function == routes.function]
    return [*(entry.file for entry in routes.middleware), *own]


def _imported(root: Path, file: str) -> _Failure | None:
    try:
        handlers_of(load_module(root, file), file)
    except BaseException as error:  # noqa: BLE001 - sys.exit() at import is a failure like others
        return _failure(root, file, error)
    return None


def _failure(root: Path, entry: str, error: BaseException) -> _Failure:
    prefix = f"{root}/"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(prefix)
    ]
    own = [frame for frame in frames if not frame.filename.startswith(f"{prefix}runtimes/")]
    message = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(prefix):
        return _Failure(entry, str(error.filename)[len(prefix) :], error.lineno or 0, message)
    if not own:
        return _Failure(entry, entry, 0, message)
    return _Failure(entry, own[-1].filename[len(prefix) :], own[-1].lineno or 0, message)


def _known(root: Path, file: str) -> ModuleType:
    return sys.modules.get(module_name(file)) or load_module(root, file)


def _tolerant(root: Path, file: str) -> ModuleType:
    """The module, or in place of one that cannot be imported one that fails whenever it is called."""
    try:
        module = _known(root, file)
        handlers_of(module, file)
    except BaseException as error:  # noqa: BLE001
        found = _failure(root, file, error)
        place = f"{found.file}:{found.line}" if found.line else found.file
        reason = f"{file} could not be imported: {found.message.splitlines()[-1]} ({place})"
        logger.error("%s", reason)
        return _broken(file, reason)
    return module


def _broken(file: str, reason: str) -> ModuleType:
    def fail() -> NoReturn:
        raise ImportError(reason)

    module = ModuleType(module_name(file))
    for name in (*table.METHODS, "middleware"):
        setattr(module, name, fail)
    return module


def _foreign_modules(root: Path, project: Container[str]) -> list[str]:
    """The modules in the artifact that are neither the project's nor ours, in the order of their import."""
    prefix = f"{root}/"
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(prefix) and not name.startswith("runtimes") and file[len(prefix) :] not in project:
            found.append(name)
    return found


def _forget_archives() -> None:
    """Let finders open anew what they have open, and read anew what they know of archives: another is there later."""
    if metadata := sys.modules.get("importlib.metadata"):
        metadata.MetadataPathFinder.invalidate_caches()
    for finder in sys.path_importer_cache.values():
        if isinstance(finder, zipimporter):
            finder.invalidate_caches()


def _renew(prepared: _Prepared, environment: str) -> None:
    """Give the process its environment and randomness of its own; all that was frozen is the same in every process."""
    os.environ.clear()
    os.environ.update(json.loads(environment))
    reseed(prepared.generators)
    # Before any of the project's code runs: modules are imported late, and functions called.
    guard.seal()


def _attached(bridge: Bridge, host: Host) -> Bridge:
    from pyodide.ffi import to_js  # noqa: PLC0415 - there is no such module outside Pyodide

    bridge.attach(host, to_js)
    return bridge


async def _inline[T](function: Callable[..., T], *arguments: Any, **_options: Any) -> T:
    """What Starlette would do in a thread (sync iterators, files), where there are none."""
    return function(*arguments)
