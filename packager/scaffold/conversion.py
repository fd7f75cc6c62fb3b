"""From an app of another framework to a project: what was made, and what has to be moved by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from packager.scaffold.imports import Import


@dataclass(frozen=True, slots=True)
class Left:
    """Something that was not moved: where it stands, what it is and why."""

    place: str
    what: str
    reason: str

    def as_json(self) -> dict[str, str]:
        return {"place": self.place, "what": self.what, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler as it will stand in a route file.

    `segments` are those of the folder, `[id]` and `[...path]` for parameters. `text` is the function, named after the
    first of `methods`; `support` are the classes above it; `imports` what the text needs beside what the source has.
    `what` and `place` tell where it comes from.
    """

    segments: tuple[str, ...]
    methods: tuple[str, ...]
    text: str
    place: str
    what: str
    support: str = ""
    cors: dict[str, Any] | None = None
    imports: dict[str, Import] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversion:
    """A project's files, texts by path; `found` and `moved` count handlers, `left` is for people."""

    files: dict[str, str]
    left: Sequence[Left]
    found: int
    moved: int
