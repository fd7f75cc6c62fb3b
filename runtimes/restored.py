"""Functions that run once in every process, before its first request: `after_restore`.

A module is imported once, at build, and then kept in a snapshot of the memory that many processes start from. What
has to differ between them, or needs the environment, does not belong in the module but here.
"""

import inspect
from collections.abc import Callable
from typing import Any

_callbacks: list[Callable[[], Any]] = []


def after_restore[F: Callable[[], Any]](function: F) -> F:
    """Run `function` when a process begins to serve, after it has its environment and fresh randomness.

    To be called, or used as a decorator, while a module is imported. Functions run in the order they were given;
    what one raises ends the process. Raises `TypeError` for what is no plain function without arguments.
    """
    check_plain(function, "after_restore")
    _callbacks.append(function)
    return function


def run() -> None:
    """Run what was given, each once."""
    while _callbacks:
        _callbacks.pop(0)()


def check_plain(function: Callable[[], Any], name: str) -> None:
    """Raise `TypeError` if `function`, which was given to `name`, is no plain function without arguments."""
    if not callable(function) or _is_deferred(function):
        raise TypeError(f"{name}() needs a plain function: no event loop runs when it is called")
    try:
        inspect.signature(function).bind()
    except TypeError:
        raise TypeError(f"{name}() calls the function without arguments, and it wants some") from None
    except ValueError:
        pass  # of some built-in functions nothing is known


def _is_deferred(function: Callable[[], Any]) -> bool:
    """Whether a call runs nothing yet."""
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    return any(kind(item) for kind in kinds for item in (function, type(function).__call__))
