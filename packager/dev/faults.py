"""Faults of the project as responses: a page for browsers, JSON for everybody else."""

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

from packager.errors import PackagerError
from packager.preview.http import Answer, Send, send_answer

MARK = b"x-packager-fault"
"""As `runtimes.development` names it."""

BASE_STYLE = Path(__file__).parents[1] / "console" / "page" / "base.css"

_AROUND = 4
"""Lines of source shown before and after the one at fault."""
_NOT_OURS = (".venv/", ".packager/", "node_modules/", "runtimes/")


@dataclass(frozen=True, slots=True)
class Frame:
    """A step of a traceback; `file` is relative to the project if it lies there, `own` then."""

    file: str
    line: int
    function: str
    own: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong. `frames` lead to it, the last one nearest; `excerpt` are numbered lines around it."""

    error: str
    file: str | None
    line: int | None
    hint: str
    frames: tuple[Frame, ...] = ()
    excerpt: tuple[tuple[int, str], ...] = field(default=())


def of_response(root: Path, body: bytes) -> Fault:
    """The fault that a response of `runtimes.development` describes, of the project in `root`."""
    document = json.loads(body)
    steps = tuple(_frames(root, document["frames"]))
    first = next((at for at, frame in enumerate(steps) if frame.own), len(steps))
    # What leads to the project's code is the runtime itself, and tells nobody anything.
    frames = tuple(frame for frame in steps[first:] if not frame.file.startswith("<"))
    place = next((frame for frame in reversed(frames) if frame.own), None)
    place = place or _definition(root, document["place"])
    hint = document.get("hint") or (
        "The file cannot be imported. Mend it and save: it is imported anew."
        if document["importing"]
        else "Mend it and save: the next request is answered by the new code."
    )
    if place is None:
        return Fault(document["error"], None, None, hint, frames)
    return Fault(document["error"], place.file, place.line, hint, frames or (place,), excerpt(root, place))


async def send_fault(send: Send, error: PackagerError | None, method: str) -> None:
    """Answer with an error that keeps a function from being made."""
    message = error.message if error else "the function cannot be served; the terminal says why"
    frames = []
    if error and error.place:
        file, _, line = error.place.partition(":")
        frames.append({"file": file, "line": int(line) if line.isdigit() else 1, "function": ""})
    hint = error.hint if error else None
    document = {"error": message, "importing": False, "place": "", "frames": frames, "hint": hint}
    body = json.dumps(document).encode()
    await send_answer(send, Answer(500, ((MARK, b"1"), (b"content-type", b"application/json")), body), method)


def excerpt(root: Path, place: Frame) -> tuple[tuple[int, str], ...]:
    """The lines around a place, numbered from 1; none if the file cannot be read."""
    try:
        lines = (root / place.file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    first = max(place.line - _AROUND, 1)
    return tuple(enumerate(lines[first - 1 : place.line + _AROUND], first))


def to_json(fault: Fault) -> bytes:
    """The document for programs: `error`, `file`, `line`, `hint` and `chain`."""
    document = {
        "error": fault.error,
        "file": fault.file,
        "line": fault.line,
        "hint": fault.hint,
        "chain": [f"{frame.file}:{frame.line} {frame.function}".rstrip() for frame in fault.frames],
    }
    return json.dumps(document).encode()


def to_html(fault: Fault, request: str) -> bytes:
    """The page for people; `request` is the request's line."""
    rows = "".join(
        f"<li{' class=at' if number == fault.line else ''}><i>{number}</i>{html.escape(text) or ' '}</li>"
        for number, text in fault.excerpt
    )
    steps = "".join(
        f"<li{'' if frame.own else ' class=other'}>{html.escape(f'{frame.file}:{frame.line}')} "
        f"<span>{html.escape(frame.function)}</span></li>"
        for frame in fault.frames
    )
    place = f"{fault.file}:{fault.line}" if fault.file else ""
    return _page(
        "fault.html",
        {"error": fault.error, "place": place, "request": request, "hint": fault.hint},
        {"excerpt": rows, "chain": steps},
    )


def not_found_html(path: str, routes: Iterable[str]) -> bytes:
    """The page for a URL that no route has."""
    rows = "".join(f"<li>{html.escape(route)}</li>" for route in routes)
    return _page("not_found.html", {"path": path}, {"routes": rows})


def _page(name: str, texts: Mapping[str, str], markup: Mapping[str, str]) -> bytes:
    folder = Path(__file__).parent
    # The console's colours and type: the two are seen side by side.
    style = BASE_STYLE.read_text(encoding="utf-8") + (folder / "page.css").read_text(encoding="utf-8")
    template = Template((folder / name).read_text(encoding="utf-8"))
    escaped = {key: html.escape(value) for key, value in texts.items()}
    return template.substitute({**escaped, **markup, "style": style}).encode()


def _definition(root: Path, place: str) -> Frame | None:
    """Where the function of a place such as `app/api/route.py GET` is defined."""
    file, _, name = place.partition(" ")
    try:
        text = (root / file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(rf"^(?:async )?def {re.escape(name or 'middleware')}\b", text, re.MULTILINE)
    return Frame(file, text.count("\n", 0, found.start()) + 1 if found else 1, name, own=True)


def _frames(root: Path, rows: Iterable[Mapping[str, Any]]) -> Iterable[Frame]:
    for row in rows:
        file = str(row["file"])
        own = not file.startswith(("/", "<", *_NOT_OURS)) and (root / file).is_file()
        yield Frame(file, int(row["line"]), str(row["function"]), own)
