"""Writing values into a `.env` file: what else is in it, comments too, stays as it was."""

import io
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from packager.errors import ProjectError, ToolError

if TYPE_CHECKING:
    from dotenv.parser import Binding

_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=~^&*?!;<>|()\[\]{}-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\a": r"\a", "\b": r"\b", "\f": r"\f", "\v": r"\v"}
_HEAD = re.compile(r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=#\s]+)[^\S\r\n]*=[^\S\r\n]*")
_LINE_END = re.compile(r"(?P<comment>[^\S\r\n]+#[^\r\n]*)?(?P<end>[^\S\r\n]*(?:\r\n|\n|\r)?)\Z")


def read(path: Path) -> str:
    """The text of a `.env` file, line ends as they are; empty without one. Raises `ProjectError`."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(
            f"the file cannot be read: {error}", place=path.name, hint="Make it a readable file in UTF-8."
        ) from error


def values(text: str) -> dict[str, str]:
    """The values of a `.env` file; the last one of a name counts, as everywhere."""
    return {row.key: row.value for row in _bindings(text) if row.key and row.value is not None}


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """The text with those values: in the place of the ones that counted, or at its end.

    Raises `ToolError` if the text is so broken that it would swallow a value.
    """
    rows = list(_bindings(text))
    last = {row.key: number for number, row in enumerate(rows) if row.key in changes}
    parts = [
        _rewritten(row, changes[row.key]) if row.key and last.get(row.key) == number else row.original.string
        for number, row in enumerate(rows)
    ]
    end = "\r\n" if "\r\n" in text else "\n"
    for name, value in changes.items():
        if name not in last:
            if parts and parts[-1] and not parts[-1].endswith(("\n", "\r")):
                parts.append(end)
            parts.append(f"{name}={quoted(value)}{end}")
    made = "".join(parts)
    kept = values(made)
    for name, value in changes.items():
        if kept.get(name) != value:
            raise ToolError(
                f"the value of {name} cannot be written into a .env file",
                hint="Look for a quote that is opened in the file and never closed: it takes in what follows.",
            )
    return made


def quoted(value: str) -> str:
    """A value as it is written: bare if nothing in it means anything, in quotes that nothing is replaced in otherwise.

    Only what has line breaks and the like goes into double quotes, which have escapes for them.
    """
    if _BARE.fullmatch(value):
        return value
    if _CONTROL.search(value):
        text = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{"".join(_ESCAPES.get(char, char) for char in text)}"'
    return "'{}'".format(value.replace("\\", "\\\\").replace("'", "\\'"))


def write(path: Path, text: str) -> None:
    """Put the text into the file, whole or not at all; only its owner may read it. Raises `OSError`."""
    target = path.resolve()  # where the file is a link, the link stays
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    fresh = Path(name)
    try:
        # mkstemp's files are their owner's alone (0600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _rewritten(row: "Binding", value: str) -> str:
    line = row.original.string
    head = _HEAD.match(line)
    tail = _LINE_END.search(line)
    end = tail["end"] if tail else "\n"
    if head is None:  # a name without "="
        return f"{line.rstrip()}={quoted(value)}{end}"
    comment = (tail and tail["comment"]) or ""
    # what looks like a comment may be in quotes
    if comment and values(line.removesuffix(comment + end)) != {row.key: row.value}:
        comment = ""
    return f"{head[0]}{quoted(value)}{comment}{end}"


def _bindings(text: str) -> "Iterator[Binding]":
    from dotenv.parser import parse_stream  # noqa: PLC0415 - 20 ms that only those with such a file need

    return parse_stream(io.StringIO(text, newline=""))
