"""What a project does while it is imported that a memory snapshot would wrongly keep.

A snapshot is taken once, at build, without the environment of any deployment: what was read from it then would
hold for ever, and a task that was started then would never go on.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

_WHOLE = "*"
_ON_BEHALF = (__name__, "os", "posixpath", "_collections_abc", "collections.abc", "collections")
"""The modules that read what others ask them for: `os.getenv`, `os.path.expandvars`, `dict(os.environ)`."""

_NEVER_SET = ("PYTHON", "LC_")
"""What begins so configures an interpreter, of which there is one at build and at run time."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Something that was seen. `file` is that of the project whose import led to it, relative to the root."""

    file: str
    line: int
    what: str


@dataclass(slots=True)
class Seen:
    """`reads` are of environment variables (by name, `*` for all of them), `tasks` were left to the event loop."""

    reads: list[Sight] = field(default_factory=list)
    tasks: list[Sight] = field(default_factory=list)


@contextmanager
def watching(root: str, project: frozenset[str]) -> Iterator[Seen]:
    """Watch the imports in the block. `root` is the artifact's folder, `project` the project's files in it.

    A library that reads a variable of its own name, such as `PYDANTIC_DISABLE_PLUGINS`, configures itself, as the
    standard library does: neither is reported.
    """
    seen = Seen()
    prefix = f"{root.rstrip('/')}/"
    kind = _watched(lambda name: _note_read(seen.reads, prefix, project, name))
    plain = type(os.environ)
    loop = asyncio.get_event_loop()
    scheduling = {name: getattr(loop, name) for name in ("create_task", "call_later", "call_soon")}
    os.environ.__class__ = kind
    for name, original in scheduling.items():
        setattr(loop, name, _noting(original, seen.tasks, prefix, project))
    try:
        yield seen
    finally:
        os.environ.__class__ = plain
        for name in scheduling:
            delattr(loop, name)


def _watched(note: Callable[[str], None]) -> type[Any]:
    class WatchedEnvironment(type(os.environ)):  # type: ignore[misc]
        """`os.environ` that tells who reads it."""

        def __getitem__(self, key: str) -> str:
            note(key)
            return str(super().__getitem__(key))

        def __iter__(self) -> Iterator[str]:
            note(_WHOLE)
            return iter(super().__iter__())

        def __len__(self) -> int:
            note(_WHOLE)
            return int(super().__len__())

    return WatchedEnvironment


def _note_read(reads: list[Sight], prefix: str, project: frozenset[str], name: str) -> None:
    reader = _reader(sys._getframe(2), prefix)
    own = reader.partition("/")[0].removesuffix(".py").upper()
    configures_itself = reader not in project and name.startswith(f"{own}_")
    if reader and not configures_itself and not name.startswith(_NEVER_SET):
        _note(reads, prefix, project, name)


def _reader(frame: FrameType | None, prefix: str) -> str:
    """The artifact's file whose code reads; none if the standard library does for itself."""
    while frame is not None and frame.f_globals.get("__name__") in _ON_BEHALF:
        frame = frame.f_back
    file = "" if frame is None else frame.f_code.co_filename
    return file.removeprefix(prefix) if file.startswith(prefix) else ""


def _noting(
    original: Callable[..., Any], tasks: list[Sight], prefix: str, project: frozenset[str]
) -> Callable[..., Any]:
    def scheduled(*arguments: Any, **options: Any) -> Any:
        _note(tasks, prefix, project, original.__name__)
        return original(*arguments, **options)

    return scheduled


def _note(sights: list[Sight], prefix: str, project: frozenset[str], what: str) -> None:
    """Note the module of the project that is being imported, and its line."""
    for file, frame in _files(sys._getframe(2), prefix):
        if file in project and frame.f_code.co_name == "<module>":
            sights.append(Sight(file, frame.f_lineno, what))
            return


def _files(frame: FrameType | None, prefix: str) -> Iterator[tuple[str, FrameType]]:
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(prefix) and not name.startswith(f"{prefix}runtimes/"):
            yield name[len(prefix) :], frame
        frame = frame.f_back
