"""What an app tells of its faults while somebody develops it; nothing that is deployed imports this.

The response to an uncaught exception holds where it was raised, as JSON and marked by a header; who serves it
knows the sources and makes a page or a document of it.
"""

import logging
import time
import traceback
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from starlette.responses import Response as StarletteResponse

from runtimes import chain
from runtimes.chain import Middleware, Passage
from runtimes.context import RequestContext
from runtimes.handlers import handlers_of, load_module, module_name
from runtimes.responses import Response
from runtimes.table import METHODS

logger = logging.getLogger("runtimes")

MARK = "x-packager-fault"
"""The header of a response that is a fault's description."""

SPANS = "x-packager-spans"
"""The header that tells when middleware ran, in milliseconds since 1970, and how long."""

_OURS = Path(__file__).parents[1]
_told: set[str] = set()


class NotImportedError(ImportError):
    """A route or middleware could not be imported, for `reason`, which the log has had already."""

    def __init__(self, file: str, reason: BaseException, fault: str) -> None:
        super().__init__(f"{file} could not be imported: {fault}")
        self.reason = reason


class _WithoutKnownSteps(logging.Filter):
    """Leaves the steps of a failed import out of the log of each request that meets it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], NotImportedError):
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[1]}", ()
            record.exc_info = None
        return True


logger.addFilter(_WithoutKnownSteps())


def importer(root: Path, file: str) -> ModuleType:
    """The module of a file; in place of one that cannot be imported, one that says so whenever it is called."""
    try:
        module = load_module(root, file)
        handlers_of(module, file)
    except BaseException as error:
        # sys.exit() in a module is a fault like others
        frame = _frames(root, error)[-1]
        fault = f"{frame['file']}:{frame['line']} {_summary(error)}"
        # What several routes import is told once with all of its steps.
        known = fault in _told or isinstance(error, SyntaxError)
        _told.add(fault)
        logger.error("%s could not be imported: %s", file, fault, exc_info=None if known else error)
        return failing(file, error, fault)
    return module


def failing(file: str, error: BaseException, fault: str | None = None) -> ModuleType:
    """A module for a file that could not be imported: whatever is called in it raises `NotImportedError`.

    `fault` is the reason in a line, the exception's own without it.
    """

    def fail() -> NoReturn:
        raise NotImportedError(file, error, fault or _summary(error))

    module = ModuleType(module_name(file))
    for name in (*METHODS, "middleware"):
        setattr(module, name, fail)
    return module


async def timed_step(item: Middleware, passage: Passage, context: RequestContext) -> None:
    """Run one middleware as `chain.step` does, and tell in a header of the response when it ran and how long."""
    started, start = time.time(), time.perf_counter()
    try:
        await chain.step(item, passage, context)
    finally:
        row = f"{item.file};start={started * 1000:.3f};dur={(time.perf_counter() - start) * 1000:.3f}"

        def tell(response: StarletteResponse) -> None:
            before = response.headers.get(SPANS)
            response.headers[SPANS] = f"{row}, {before}" if before else row

        context.on_response.append(tell)


def explained(root: Path, raised: BaseException, place: str) -> Response:
    """The 500 that describes an exception; `place` is the file below `root` whose function raised it, and its name.

    In it are `error`, `place` and `frames` with file, line and function, outermost first; files below `root` are
    relative to it, our own to the folder of `runtimes`. `importing` tells that the module could not be imported.
    """
    importing = isinstance(raised, NotImportedError)
    if isinstance(raised, NotImportedError):
        raised = raised.reason
    document = {
        "error": _summary(raised),
        "importing": importing,
        "place": place,
        "frames": _frames(root, raised),
    }
    return Response.json(document, 500, {MARK: "1"})


def _summary(raised: BaseException) -> str:
    return "".join(traceback.format_exception_only(raised)).strip().splitlines()[-1]


def _frames(root: Path, raised: BaseException) -> list[dict[str, str | int]]:
    frames: list[dict[str, str | int]] = [
        {"file": _relative(root, frame.filename), "line": frame.lineno or 0, "function": frame.name}
        for frame in traceback.extract_tb(raised.__traceback__)
    ]
    if isinstance(raised, SyntaxError) and raised.filename:
        frames.append({"file": _relative(root, raised.filename), "line": raised.lineno or 0, "function": ""})
    return frames


def _relative(root: Path, file: str) -> str:
    for folder in (root, _OURS):
        prefix = f"{str(folder).rstrip('/')}/"
        if file.startswith(prefix):
            return file.removeprefix(prefix)
    return file
