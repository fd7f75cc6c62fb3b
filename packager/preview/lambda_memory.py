"""How much memory a function's processes hold, and what ends them when it is too much.

Two things do. A control group of the kernel's, where this user may make one, kills at once whatever goes far beyond:
its limit has room for a full `/tmp`, which is memory here and is not on Lambda. And the tool looks, so often that
nothing gets far in between, which is exact and works on every Linux.
Sources: docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/memory.html
"""

import contextlib
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_FASTEST = 4 * 2**30
"""Bytes a second that a process takes at most: what the kernel hands out in zeroed pages on one processor."""
_SOONEST, _LATEST = 0.005, 0.05
"""Seconds until the next look."""
_MOUNT = Path("/sys/fs/cgroup")
_MEMBERS = "cgroup.procs"
_NAME = "packager-"
_V1, _V2 = ("memory.limit_in_bytes", "memory.oom_control"), ("memory.max", "memory.events")


def peak_memory(pid: int) -> int | None:
    """The most memory (bytes) that the process held so far, with what its children hold now.

    None where the system does not tell (not Linux) or the process has ended.
    """
    own = _status(pid, b"VmHWM:")
    if own is None:
        return None
    return own + sum(_status(child, b"VmRSS:") or 0 for child in descendants(pid))


def next_look(peak: int | None, limit: int) -> float:
    """Seconds until the memory of a process with that peak must be looked at again, if it may have `limit` bytes."""
    left = limit - (peak or 0)
    return min(max(left / _FASTEST, _SOONEST), _LATEST)


def _status(pid: int, key: bytes) -> int | None:
    try:
        descriptor = os.open(f"/proc/{pid}/status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(descriptor, 4096)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    at = text.find(key)
    return None if at < 0 else int(text[at + len(key) :].split(None, 1)[0]) * 1024


def descendants(pid: int) -> list[int]:
    """The processes below `pid`, as far as the kernel lists them."""
    found: list[int] = []
    above = [pid]
    while above:
        parent = above.pop()
        with contextlib.suppress(OSError):
            descriptor = os.open(f"/proc/{parent}/task/{parent}/children", os.O_RDONLY | os.O_CLOEXEC)
            try:
                children = [int(word) for word in os.read(descriptor, 65536).split()]
            finally:
                os.close(descriptor)
            found += children
            above += children
    return found


@dataclass(frozen=True, slots=True)
class Cap:
    """A control group of this tool's own; a process belongs to it from when its number is written to `members`."""

    folder: Path
    members: str
    events: str

    @property
    def has_killed(self) -> bool:
        """Whether the kernel ended a process because the group was full."""
        with contextlib.suppress(OSError):
            for row in (self.folder / self.events).read_text(encoding="ascii").splitlines():
                name, _, count = row.partition(" ")
                if name == "oom_kill":
                    return int(count) > 0
        return False

    def remove(self) -> None:
        """Remove the group, whose processes have ended."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def make_cap(limit: int) -> Cap | None:
    """A control group that may hold `limit` bytes, without swap; None where this user cannot make one."""
    for parent, (limits, events) in _parents():
        _sweep(parent)
        folder = parent / f"{_NAME}{os.getpid()}-{uuid.uuid4().hex}"
        with contextlib.suppress(OSError):
            folder.mkdir()
            try:
                _write(folder / limits, str(limit))
            except OSError:
                folder.rmdir()
                continue
            with contextlib.suppress(OSError):
                _write(folder / "memory.swap.max", "0")
            return Cap(folder, str(folder / _MEMBERS), events)
    return None


def _write(path: Path, text: str) -> None:
    # A file that is not there is a kernel's that does not have it: nothing is to be created.
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)


def _sweep(parent: Path) -> None:
    """Remove the groups of tools that were killed; the kernel keeps those that have processes."""
    with contextlib.suppress(OSError):
        for folder in parent.glob(f"{_NAME}*-*"):
            owner = folder.name.removeprefix(_NAME).partition("-")[0]
            if not Path("/proc", owner).exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _parents() -> Sequence[tuple[Path, tuple[str, str]]]:
    """Where a group with a limit of memory may be made: below this process's own, or beside it in version 2.

    There a group that has processes cannot limit the ones below it.
    """
    try:
        rows = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    found = []
    for row in rows:
        _, controllers, path = row.split(":", 2)
        if "memory" in controllers.split(","):
            found.append((_MOUNT / "memory" / path.lstrip("/"), _V1))
        elif not controllers:
            found.append(((_MOUNT / path.lstrip("/")).parent if path != "/" else _MOUNT, _V2))
    return [(parent, files) for parent, files in found if (parent / _MEMBERS).exists()]
