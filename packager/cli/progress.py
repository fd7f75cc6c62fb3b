"""How long work is shown: live on a terminal, line by line everywhere else; always on stderr.

Whoever follows a pipeline's log wants what has happened, in order, once; a terminal shows what is happening now too,
in a few lines at its bottom that vanish when the work ends.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packager import sizes
from packager.cli import output
from packager.deploy.progress import Progress, State

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

_FRAMES = 10
"""Pictures a second."""

_BAR = 30
_RUNNING_SHOWN = 6
"""Resources of all stacks that are named while they change; the others are counted."""


@contextmanager
def progress() -> Iterator[Progress]:
    """Progress on stderr for the block. However it ends, the terminal is left as it was, and the step told about."""
    if _is_live():
        from rich.live import Live  # noqa: PLC0415 - 60 ms that only a terminal needs

        shown = _Live(_console())
        with Live(shown, console=shown.console, refresh_per_second=_FRAMES, transient=True):
            yield from _told(shown)
    else:
        yield from _told(_Lines())


def _told(shown: "_Live | _Lines") -> Iterator[Progress]:
    try:
        yield shown
    except BaseException:
        shown.end(well=False)
        raise
    shown.end(well=True)


def _is_live() -> bool:
    """A terminal that can move its cursor and that a person looks at."""
    known = os.environ.get("TERM", "") not in {"", "dumb", "unknown"}
    return known and sys.stderr.isatty() and not os.environ.get("CI")


def _console() -> "Console":
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


class _Lines:
    """One line for each step, and for each resource that is done or has failed."""

    def __init__(self) -> None:
        self._step: str | None = None
        self._started = time.monotonic()

    def step(self, text: str) -> None:
        self._step, self._started = text, time.monotonic()
        output.note(output.safe(text))

    def sent(self, done: int, total: int) -> None:
        pass

    def stack(self, name: str, resources: int) -> None:
        output.note(output.safe(f"{name}: {_counted(resources)} to change"))

    def resource(self, stack: str, name: str, kind: str, state: State, reason: str = "") -> None:
        if state != "running":
            output.note(output.safe(f"  {stack} {name} ({kind}) {state}{_because(reason)}"))

    def note(self, text: str) -> None:
        output.note(output.safe(text))

    def end(self, *, well: bool) -> None:
        if self._step and not well:
            output.note(output.safe(f"stopped after {_elapsed(self._started)}: {self._step}"))


@dataclass(slots=True)
class _Stack:
    resources: int
    running: dict[str, tuple[str, float]] = field(default_factory=dict)
    done: int = 0
    failed: int = 0


class _Live:
    """What rich draws again and again: the step, its bytes, and the stacks that are being changed."""

    def __init__(self, console: "Console") -> None:
        self.console = console
        self._begun = self._started = time.monotonic()
        self._step: str | None = None
        self._bytes: tuple[int, int] | None = None
        self._stacks: dict[str, _Stack] = {}

    def step(self, text: str) -> None:
        self._finish("✓", "green")
        self._step, self._started, self._bytes = text, time.monotonic(), None

    def sent(self, done: int, total: int) -> None:
        self._bytes = done, total

    def stack(self, name: str, resources: int) -> None:
        self._stacks[name] = _Stack(resources)

    def resource(self, stack: str, name: str, kind: str, state: State, reason: str = "") -> None:
        shown = self._stacks.setdefault(stack, _Stack(0))
        if state == "running":
            shown.running.setdefault(name, (kind, time.monotonic()))
            return
        shown.running.pop(name, None)
        if state == "done":
            shown.done += 1
            return
        shown.failed += 1
        self._print(("✗ ", "red bold"), (f"{stack} {name} ({kind}){_because(reason)}", "red"))

    def note(self, text: str) -> None:
        self._print(("  ", ""), (text, ""))

    def end(self, *, well: bool) -> None:
        self._finish(*(("✓", "green") if well else ("✗", "red bold")))

    def _finish(self, sign: str, style: str) -> None:
        step, self._step, self._stacks = self._step, None, {}
        if step is not None:
            amount = f", {sizes.shown(self._bytes[1])}" if self._bytes and self._bytes[1] else ""
            self._print((f"{sign} ", style), (step, ""), (f"{amount}  {_elapsed(self._started)}", "dim"))

    def _print(self, *parts: tuple[str, str]) -> None:
        self.console.print(_text(*parts))

    def __rich_console__(self, _console: "Console", options: "ConsoleOptions") -> "RenderResult":
        if self._step is None:
            return
        width = options.max_width
        for row in self._rows():
            row.truncate(width, overflow="ellipsis")
            yield row

    def _rows(self) -> Iterator["Text"]:
        spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
        frame = spinner[int((time.monotonic() - self._begun) * _FRAMES) % len(spinner)]
        yield _text((f"{frame} ", "cyan"), (self._step or "", ""), (f"  {_elapsed(self._started)}", "dim"))
        if self._bytes and self._bytes[1]:
            done, total = self._bytes
            yield _text(("  ", ""), *_bar(done, total), (f" {sizes.shown(done)} of {sizes.shown(total)}", ""))
        for name, stack in list(self._stacks.items()):
            total = max(stack.resources, stack.done + stack.failed + len(stack.running))
            failed = ((f", {stack.failed} failed", "red"),) if stack.failed else ()
            yield _text(("  ", ""), *_bar(stack.done, total), (f" {name} {stack.done}/{total}", ""), *failed)
        yield from self._running()

    def _running(self) -> Iterator["Text"]:
        found = [row for stack in list(self._stacks.values()) for row in list(stack.running.items())]
        for name, (kind, since) in found[:_RUNNING_SHOWN]:
            yield _text((f"    {name} ", ""), (f"{kind} {_elapsed(since)}", "dim"))
        if len(found) > _RUNNING_SHOWN:
            yield _text((f"    and {len(found) - _RUNNING_SHOWN} more", "dim"))


def _bar(done: int, total: int) -> tuple[tuple[str, str], tuple[str, str]]:
    full = _BAR if total <= 0 else min(_BAR, done * _BAR // total)
    return ("━" * full, "green"), ("━" * (_BAR - full), "bright_black")


def _text(*parts: tuple[str, str]) -> Any:
    from rich.text import Text  # noqa: PLC0415

    return Text.assemble(*((output.safe(text), style) for text, style in parts))


def _because(reason: str) -> str:
    return f": {' '.join(reason.split())}" if reason else ""


def _counted(resources: int) -> str:
    return f"{resources} resource{'' if resources == 1 else 's'}"


def _elapsed(since: float) -> str:
    seconds = time.monotonic() - since
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
