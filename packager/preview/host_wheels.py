"""This machine's wheels in place of an artifact's native ones, which were built for the target."""

import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.manifest import Function
from packager.preview.http import Log

_MACHINES = {"aarch64": "arm64", "amd64": "x86_64"}

type Overlay = Callable[[Function], Sequence[Path]]
"""Gives the folders that go before a function's artifact on `sys.path`, so that it runs on this machine."""


def host_folders(function: Function, overlay: Overlay, log: Log) -> Sequence[Path]:
    """The folders of the overlay, and a line that says so, if the function has native distributions of elsewhere."""
    natives = _foreign_natives(function)
    if not natives:
        return ()
    log(f"this machine's wheels take the place of the artifact's: {', '.join(natives)}")
    return overlay(function)


def _foreign_natives(function: Function) -> list[str]:
    """The native distributions of an artifact that was built for another platform than this one."""
    machine = platform.machine().lower()
    this = (
        sys.platform,
        _MACHINES.get(machine, machine),
        f"{sys.version_info.major}.{sys.version_info.minor}",
    )
    if this == ("linux", function.architecture, function.python):
        return []
    return [f"{item.name} {item.version}" for item in function.distributions if item.native]
