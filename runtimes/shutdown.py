"""Functions that run before Lambda ends a process: `on_shutdown`."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from runtimes.restored import check_plain

logger = logging.getLogger("runtimes")

_EXTENSION = "packager-shutdown"
_EXTENSIONS_API = "/2020-01-01/extension"
_callbacks: list[Callable[[], Any]] = []


def on_shutdown[F: Callable[[], Any]](function: F) -> F:
    """Run `function` before the process is ended, the last one given first; together they have 500 ms on Lambda.

    To be called, or used as a decorator, while a module is imported. What one raises is logged, and the next one
    runs. An edge worker is ended without a word, and so is a process that crashes or overstays its time: nothing
    that must happen belongs here. Raises `TypeError` for what is no plain function without arguments.
    """
    check_plain(function, "on_shutdown")
    _callbacks.append(function)
    return function


def run() -> None:
    """Run what was given, each once, the last one first."""
    while _callbacks:
        function = _callbacks.pop()
        try:
            function()
        except Exception:
            logger.exception("a function given to on_shutdown() failed")


def listen() -> None:
    """Run them on SIGTERM, if there are any. To be called once, when all modules are imported.

    Lambda sends the signal only to environments with an extension, so one is registered that wants no events.
    Sources: docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html (shutdown phase),
    runtimes-extensions-api.html, github.com/aws-samples/graceful-shutdown-with-aws-lambda.
    """
    if not _callbacks:
        return
    before = signal.getsignal(signal.SIGTERM)

    def terminated(number: int, frame: FrameType | None) -> None:
        run()
        if callable(before):
            before(number, frame)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        # An orderly exit would wait for the thread in which the runtime waits for the next event.
        os._exit(0)

    signal.signal(signal.SIGTERM, terminated)
    if address := os.environ.get("AWS_LAMBDA_RUNTIME_API"):
        _register(address)


def _register(address: str) -> None:
    """Become an environment with an extension; without it the functions do not run, and all else does."""
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - most processes need none
    from threading import Thread  # noqa: PLC0415

    connection = HTTPConnection(address)
    try:
        headers = {"Lambda-Extension-Name": _EXTENSION, "Content-Type": "application/json"}
        connection.request("POST", f"{_EXTENSIONS_API}/register", '{"events":[]}', headers)
        response = connection.getresponse()
        response.read()
        identifier = response.headers["Lambda-Extension-Identifier"]
    except (OSError, HTTPException) as error:
        logger.warning("on_shutdown() is of no effect: %r", error)
        return
    if identifier is None:
        logger.warning("on_shutdown() is of no effect: Lambda answered %d", response.status)
        return

    def wait() -> None:
        # The start is over only when every extension has asked for an event; there never is one.
        connection.request(
            "GET", f"{_EXTENSIONS_API}/event/next", headers={"Lambda-Extension-Identifier": identifier}
        )
        try:
            connection.getresponse()
        except (OSError, HTTPException):
            connection.close()

    Thread(target=wait, name=_EXTENSION, daemon=True).start()
