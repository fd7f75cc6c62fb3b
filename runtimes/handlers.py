"""Handlers and middleware of user modules: loading them, calling them, what they may return."""

import asyncio
import dataclasses
import importlib.util
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NoReturn, cast

from starlette.responses import Response as StarletteResponse

from runtimes.requests import Request
from runtimes.responses import REDIRECT_STATUSES, NextResponse, Response
from runtimes.signature import SignatureError, parameters, signature
from runtimes.table import METHODS

_HAS_THREADS = sys.platform != "emscripten"


@dataclass(frozen=True, slots=True)
class Handler:
    """A user's function. `arity` is how many of `(request, params)` it takes; `place` is for log lines."""

    function: Callable[..., Any]
    arity: int
    asynchronous: bool
    place: str


type Importer = Callable[[Path, str], ModuleType]
"""Gives the module of a file below a root."""


def module_name(file: str) -> str:
    """The name under which `load_module` imports a file."""
    return file.removesuffix(".py").replace("/", ".")


def load_module(root: Path, file: str) -> ModuleType:
    """Import a `route.py` or `middleware.py`, whose folders need not be identifiers. Raises what it raises."""
    name = module_name(file)
    spec = importlib.util.spec_from_file_location(name, root / file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be loaded", name=name, path=str(root / file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def handlers_of(module: ModuleType, file: str) -> dict[str, Handler]:
    """The handlers of a route module by method, automatic ones not included.

    Raises `SignatureError` for one that cannot be served as it is annotated, with its file and line in the text.
    """
    return {
        method: _route_handler(function, f"{file} {method}")
        for method in METHODS
        if callable(function := getattr(module, method, None))
    }


def _route_handler(function: Callable[..., Any], place: str) -> Handler:
    """Describe a handler. A typed one becomes a function of `(request, params)`."""
    plain = handler(function, place)
    try:
        found = signature(function)
        if found is None:
            return plain
        from runtimes import typed  # noqa: PLC0415 - most routes have no typed handler

        answer = typed.typed(found, function, place, asynchronous=plain.asynchronous)
    except SignatureError as error:
        _raise_there(SignatureError(f"{place}: {error}", error.code))
    return Handler(answer, 2, True, place)


def _raise_there(error: SignatureError) -> NoReturn:
    """Raise an error as if by the line of the handler, so that whoever tells of the traceback names that."""
    if error.code is None:
        raise error
    line = error.code.co_firstlineno
    there = _raise.__code__.replace(
        co_filename=error.code.co_filename, co_name=error.code.co_name, co_firstlineno=max(line - 1, 0)
    )
    FunctionType(there, {})(error)
    raise error


def _raise(error: BaseException) -> NoReturn:
    raise error


def handler(function: Callable[..., Any], place: str) -> Handler:
    """Describe a function. One whose signature cannot be read takes `(request, params)`."""
    found = parameters(function)
    if found is None:
        arity = 2
    else:
        kinds = [item.kind for item in found]
        positional = sum(kind in (kind.POSITIONAL_ONLY, kind.POSITIONAL_OR_KEYWORD) for kind in kinds)
        arity = 2 if inspect.Parameter.VAR_POSITIONAL in kinds else min(positional, 2)
    called = getattr(function, "__call__", None)  # noqa: B004  (an object with an async __call__ is a handler too)
    asynchronous = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)
    return Handler(function, arity, asynchronous, place)


def call(target: Handler, request: Request, params: dict[str, Any]) -> Awaitable[object]:
    """Call a handler: an async one here, a sync one, once it is awaited, in a thread where there are threads."""
    arguments = (request, params)[: target.arity]
    if target.asynchronous:
        return cast("Awaitable[object]", target.function(*arguments))
    return call_sync(target.function, arguments, {})


async def call_sync(
    function: Callable[..., Any], arguments: tuple[object, ...], keywords: Mapping[str, object]
) -> object:
    """Call a sync function in a thread, where there are threads, and await what it returns if that can be awaited."""
    if not _HAS_THREADS:
        result = function(*arguments, **keywords)
    else:
        result = await asyncio.to_thread(function, *arguments, **keywords)
    return await cast("Awaitable[object]", result) if inspect.isawaitable(result) else result


def to_response(result: object, place: str) -> StarletteResponse:
    """What a handler returned, as a response.

    A dict, list or dataclass becomes JSON. Raises `TypeError` for anything else, with the text for the log.
    """
    if isinstance(result, NextResponse):
        raise TypeError(
            f"{place} returned Response.next() or Response.rewrite(), which only middleware may return"
        )
    if isinstance(result, StarletteResponse):
        return result
    if isinstance(result, dict | list):
        return Response.json(result)
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return Response.json(dataclasses.asdict(result))
    raise TypeError(
        f"{place} returned {type(result).__name__}, not a response: "
        "return a Response, a dict, a list or a dataclass in every branch"
    )


def check(response: StarletteResponse, place: str) -> None:
    """Refuse what HTTP cannot carry. Raises `ValueError` with the text for the log."""
    status = response.status_code
    if not 200 <= status <= 599:
        raise ValueError(f"{place}: status {status} is outside 200–599")
    rows = response.raw_headers
    text = b" ".join(chain.from_iterable(rows))
    if len(text.translate(None, b"\r\n\0")) != len(text) or b"" in dict(rows):
        raise ValueError(f"{place}: a header of the response has no name, or a line break")
    if 300 <= status <= 399 and status not in REDIRECT_STATUSES and "location" in response.headers:
        raise ValueError(f"{place}: {status} is not a redirect status")
