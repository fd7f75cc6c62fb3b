"""What the build refuses on edge is refused at run time too, with a message that names rule, place and route.

This is a second line of defence and a clear message, not the boundary: code that sets out to get around it can.
The boundary is the worker's process, which has no files, no environment and nothing to start.

Two kinds of modules are refused. What leads out of the sandbox (`js`, `pyodide`, `ctypes`) is out of
`sys.modules` and nobody can import it but Pyodide's own Python, which goes on using it, and `runtimes`. What is
merely dead (`subprocess`, `socket`) is refused to the project's files: libraries and the standard library import
some of it and get along without it.
"""

import builtins
import errno
import fnmatch
import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.machinery import ModuleSpec, PathFinder
from types import FrameType, ModuleType
from typing import Any, NoReturn

ESCAPES = frozenset(("js", "pyodide", "pyodide_js", "_pyodide", "_pyodide_core", "ctypes", "_ctypes"))
"""The packages that lead out of the sandbox."""

PATH = "_packager/edge_bans.json"
"""Where the build writes the arguments of `install`, `bans` and `project`, in an artifact."""

_TRUSTED = ("pyodide", "_pyodide", "runtimes")
_RULE = "banned-import"
_JS_FINDER = "JsFinder"


@dataclass(frozen=True, slots=True)
class _Guard:
    """`bans` as `install` takes them; `watched` the first parts of their names; `root` ends with a slash."""

    bans: Mapping[str, str]
    watched: frozenset[str]
    root: str
    project: Mapping[str, Sequence[str]]
    import_name: Callable[..., ModuleType]
    import_module: Callable[..., ModuleType]


@dataclass(slots=True)
class _Sealed:
    """What `seal` has taken away."""

    modules: dict[str, ModuleType] = field(default_factory=dict)
    finders: list[Any] = field(default_factory=list)
    closed: bool = False


_guard: _Guard | None = None
_sealed = _Sealed()


def install(bans: Mapping[str, str], app_root: str, project: Mapping[str, Sequence[str]]) -> None:
    """Refuse the modules and functions of `bans` from now on; once in a process, before the app is imported.

    `bans` are names of modules (`http.client`) and of functions in them (`os:exec*`), with the reason for each.
    `project` are the project's files relative to `app_root`, each with the names that a comment in it allows.
    The guard is sealed then: see `seal`.
    """
    global _guard  # noqa: PLW0603 - the import system is one for the process as well
    if _guard is not None:
        raise RuntimeError("the guard is installed already")
    watched = ESCAPES.union(re.split("[.:]", name)[0] for name in bans)
    root = f"{app_root.rstrip('/')}/"
    _guard = _Guard(bans, watched, root, project, builtins.__import__, importlib.import_module)
    builtins.__import__ = _import_name
    importlib.import_module = _import_module
    for name, reason in bans.items():
        _replace(name, reason)
    seal()


def renew(project: Mapping[str, Sequence[str]]) -> None:
    """Take these files for the project's from now on: the app may be a later one than when memory was frozen."""
    global _guard  # noqa: PLW0603
    _guard = replace(_installed(), project=project)


def seal() -> None:
    """Take what leads out of the sandbox from `sys.modules` and from the finders.

    Pyodide's loader imports its own modules by name when it restores a snapshot, so `unseal` is called before one
    is made, and `seal` once it is restored.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ESCAPES and not _is_ours(getattr(module, "__spec__", None)):
            _sealed.modules[name] = sys.modules.pop(name)
    _sealed.finders += [item for item in sys.meta_path if type(item).__name__ == _JS_FINDER]
    others = [item for item in sys.meta_path if item is not _Refusal and item not in _sealed.finders]
    sys.meta_path[:] = [_Refusal, *others]
    _sealed.closed = True


def unseal() -> None:
    """Undo `seal`."""
    for name, module in _sealed.modules.items():
        sys.modules.setdefault(name, module)
    sys.meta_path[:] = [*(item for item in sys.meta_path if item is not _Refusal), *_sealed.finders]
    _sealed.modules.clear()
    _sealed.finders.clear()
    _sealed.closed = False


class _Refusal:
    """The first of the finders: what is out of `sys.modules` is looked for here."""

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> None:
        """Raise `ImportError` for what leads out of the sandbox; the other finders look for the rest.

        A module of the app itself may have such a name.
        """
        if name.partition(".")[0] in ESCAPES and not _is_ours(PathFinder.find_spec(name, path)):
            _refuse(name, _importer(sys._getframe()))


def _import_name(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 - its callers may name it
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """`builtins.__import__`, which every import statement calls."""
    guard = _installed()
    if (level or name.partition(".")[0] in guard.watched) and _judge(name, fromlist or (), level):
        return _unsealed(guard.import_name, name, globals, locals, fromlist, level)
    return guard.import_name(name, globals, locals, fromlist, level)


def _import_module(name: str, package: str | None = None) -> ModuleType:
    """`importlib.import_module`, which does not look at `builtins.__import__`."""
    guard = _installed()
    if name.partition(".")[0] in guard.watched and _judge(name, (), 0):
        return _unsealed(guard.import_module, name, package)
    return guard.import_module(name, package)


# Warnings and tracebacks skip the frames of the import system, which are known by this name.
_import_name.__code__ = _import_name.__code__.replace(co_filename="<frozen importlib._bootstrap>")


def _unsealed(function: Callable[..., ModuleType], *arguments: object) -> ModuleType:
    if not _sealed.closed:
        return function(*arguments)
    unseal()
    try:
        return function(*arguments)
    finally:
        seal()


def _judge(name: str, fromlist: Sequence[str], level: int) -> bool:
    """Whether an import may see what is sealed. Raises `ImportError` if it is refused."""
    guard = _installed()
    leads_out = name.partition(".")[0] in ESCAPES
    frame = _importer(sys._getframe())
    if frame is None:
        return leads_out  # the worker's JavaScript asks
    package = str(frame.f_globals.get("__name__")).partition(".")[0]
    if package in _TRUSTED:
        return leads_out or (level > 0 and package in ESCAPES)
    allowed = guard.project.get(_file(frame) or "")
    if level or allowed is None:
        return False
    for full in (name, *(f"{name}.{item}" for item in fromlist)):
        banned = _banned(full)
        # of the app's own modules one may be called `js`: the finder tells
        if banned and banned not in allowed and banned not in ESCAPES:
            _refuse(banned, frame)
    return False


def _banned(name: str) -> str | None:
    """The banned module that a name is, or is a part of."""
    while name and name not in _installed().bans:
        name = name.rpartition(".")[0]
    return name or None


def _is_ours(spec: ModuleSpec | None) -> bool:
    """Whether a module is one of the app's files."""
    return spec is not None and str(spec.origin).startswith(_installed().root)


def _importer(frame: FrameType | None) -> FrameType | None:
    """The frame of the code that imports: that of a file, not of the import system or of evaluated text."""
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if (
            module != __name__
            and str(module).partition(".")[0] != "importlib"
            and "__file__" in frame.f_globals
        ):
            return frame
        frame = frame.f_back
    return None


def _file(frame: FrameType) -> str | None:
    """The file of a frame's module below the app's root; None if it is elsewhere."""
    file = str(frame.f_globals.get("__file__"))
    root = _installed().root
    return file.removeprefix(root).removesuffix("c") if file.startswith(root) else None


def _refuse(name: str, frame: FrameType | None) -> NoReturn:
    raise ImportError(_message(name, _reason(name), frame), name=name)


def _reason(name: str) -> str:
    bans = _installed().bans
    return bans.get(name) or bans.get(name.partition(".")[0]) or "it leads out of the sandbox"


def _message(name: str, reason: str, frame: FrameType | None) -> str:
    text = f"{_RULE}: {name} does not work on edge: {reason}"
    if frame is not None:
        text += f" ({_file(frame) or frame.f_globals.get('__name__')}:{frame.f_lineno}"
        route = _route()
        text += f", while {route} is served)" if route else ")"
    return text


def _route() -> str | None:
    from runtimes.context import route  # noqa: PLC0415 - this module comes before all others

    try:
        return route()
    except RuntimeError:
        return None


def _replace(name: str, reason: str) -> None:
    """Put functions that raise in the place of a banned one, if its module is there and has it."""
    module_name, _, pattern = name.partition(":")
    module = sys.modules.get(module_name)
    for attribute in fnmatch.filter(dir(module), pattern) if module else ():
        value = getattr(module, attribute)
        if callable(value) and not isinstance(value, type):
            refused = _refused(f"{module_name}.{attribute}", reason)
            setattr(module, attribute, refused)
            # what `os` has was imported from there
            if module is os and hasattr(sys.modules.get("posix"), attribute):
                setattr(sys.modules["posix"], attribute, refused)


def _refused(name: str, reason: str) -> Callable[..., NoReturn]:
    def refused(*_arguments: object, **_options: object) -> NoReturn:
        raise OSError(errno.ENOSYS, _message(name, reason, _importer(sys._getframe())))

    return refused


def _installed() -> _Guard:
    assert _guard is not None
    return _guard
