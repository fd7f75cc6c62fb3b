"""A child process that imports the project's code, within a time limit and with no environment but the given one."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_STEP = 0.1
"""Seconds between two looks at whether somebody wants the child to end."""


def run(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    seconds: float,
    stop: threading.Event | None = None,
) -> str:
    """Run in `folder` to the end, for so many seconds at most or until `stop`; how it ended, and its last words.

    `variables` are its whole environment. All that it has started ends with it.
    """
    with subprocess.Popen(  # noqa: S603 - our own command line
        command,
        cwd=folder,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            errors = _errors(process, time.monotonic() + seconds, stop)
        finally:
            # all that it started, too
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    if errors is None:
        return f"not imported within {seconds} seconds"
    said = " ".join(errors.strip().splitlines()[-1:])
    return f"the process ended with status {process.returncode}" + (f": {said}" if said else "")


def _errors(process: "subprocess.Popen[str]", end: float, stop: threading.Event | None) -> str | None:
    """What the process has written when it ends; None if it has to be ended."""
    while (left := end - time.monotonic()) > 0 and not (stop and stop.is_set()):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=left if stop is None else min(left, _STEP))[1]
    return None
