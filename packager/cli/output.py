"""What the command line prints: errors and diagnostics in one format on stderr, documents on stdout."""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from infra.errors import Fault
from packager.diagnostics import Diagnostic
from packager.errors import DiagnosticsError, PackagerError, StacksError

_COLOURS = {"error": "red", "warning": "yellow"}


def document(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, ensure_ascii=True, indent=1))


def note(text: str) -> None:
    """One line on stderr: progress, or what is worth knowing."""
    _print(text)


def diagnostics(items: Iterable[Diagnostic]) -> None:
    """Each as `error[rule] file:line:column message`, the chain's steps below it, then the hint."""
    for item in items:
        label = click.style(f"{item.severity}[{item.rule}]", fg=_COLOURS[item.severity], bold=True)
        _print(f"{label} {safe(f'{item.file}:{item.line}:{item.column} {item.message}')}")
        for step in item.chain:
            _print(f"    {safe(step)}")
        _print(_hint(item.hint))


def error(item: PackagerError) -> None:
    """An error that ended the command, in the format of the diagnostics; what it is made of comes first."""
    if isinstance(item, DiagnosticsError):
        diagnostics(item.diagnostics)
    if isinstance(item, StacksError):
        for fault in item.faults:
            _error(fault)
    _error(item)


def _error(item: PackagerError | Fault) -> None:
    label = click.style("error", fg=_COLOURS["error"], bold=True)
    place = f"{item.place} " if item.place else ""
    _print(f"{label} {safe(place + item.message)}")
    _print(_hint(item.hint))


def path(place: Path) -> str:
    """How a path is shown: relative to the working directory if it lies below."""
    return str(place.relative_to(Path.cwd())) if place.is_relative_to(Path.cwd()) else str(place)


def is_plain() -> bool:
    """Whether nothing is to be coloured, even on a terminal (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def discard() -> None:
    """Stop writing to a pipe that nobody reads, so that the interpreter's last flush is silent too."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(null, stream.fileno())
    os.close(null)


def safe(text: str) -> str:
    """The text with what could steer a terminal, or cannot be encoded, spelled out; lines stay lines."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable() or char == "\n"
        else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def _hint(text: str) -> str:
    return f"    {click.style('hint:', fg='cyan')} {safe(text)}"


def _print(text: str) -> None:
    click.echo(text, err=True, color=sys.stderr.isatty() and not is_plain())
