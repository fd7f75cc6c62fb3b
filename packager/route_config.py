"""The module constants of a `route.py`: `runtime`, `max_duration`, `memory`, … and their rules."""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from infra.manifest import DeclaredRuntime, Runtime
from packager import sizes
from packager.diagnostics import Diagnostic
from packager.literals import LiteralError, constants, evaluate
from packager.sources import Node, Source, column
from runtimes.table import ORIGIN_RULE, Cors, is_origin

RULE = "invalid-config"
EDGE_MAX_DURATION = 30
"""Seconds: what CloudFront gives a Lambda@Edge function on origin events."""
HTTP_API_MAX_DURATION = 30
"""Seconds: after that an HTTP API answers 503 itself, whatever its function does."""

_CORS_KEYS = ("origins", "methods", "headers", "credentials", "max_age")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a route has if it says nothing: seconds, MB, bytes."""

    max_duration: int
    memory: int
    max_body_size: int


DEFAULTS: Mapping[Runtime, Defaults] = {
    "nodejs": Defaults(max_duration=30, memory=512, max_body_size=6 * 2**20),
    "edge": Defaults(max_duration=30, memory=256, max_body_size=2**20),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """What a route's source says; None where it says nothing.

    `files` are globs, relative to the project, of data files for the route's artifact.
    """

    runtime: DeclaredRuntime = "nodejs"
    max_duration: int | None = None
    memory: int | None = None
    max_body_size: int | None = None
    revalidate: int | Literal[False] | None = None
    cors: Cors | None = None
    isolate: bool = False
    files: tuple[str, ...] = ()


class _ValueError(ValueError):
    """A constant has a value that it cannot have; the text says which it can have."""


def read(source: Source, bound: Mapping[str, list[Node]]) -> tuple[Declared, tuple[Diagnostic, ...]]:
    """The constants of a route and an `invalid-config` for each that is not a literal or breaks its rule.

    `bound` are the module's `literals.bindings`. A constant with a fault counts as absent.
    """
    names = constants(source.tree, bound)
    values: dict[str, object] = {}
    found: list[Diagnostic] = []
    for name, parse in _PARSERS.items():
        if name not in bound:
            continue
        if name not in names:
            found.append(_unclear(source, name, bound[name]))
            continue
        try:
            values[name] = parse(evaluate(names[name], names))
        except LiteralError as error:
            hint = f"Write the value of {name} as a literal; the build reads it and runs nothing."
            found.append(_at(source, error.node, f"{name}: {error}", hint))
        except _ValueError as error:
            shown = ast.unparse(names[name])
            message = f"{name} cannot be {shown if len(shown) <= 60 else 'that'}"
            found.append(_at(source, names[name], message, str(error)))
    declared = Declared(**values)  # type: ignore[arg-type]
    if declared.max_duration is not None:
        found += _too_long(source, declared, names["max_duration"])
    return declared, tuple(found)


def _unclear(source: Source, name: str, nodes: list[Node]) -> Diagnostic:
    node = nodes[-1]
    times = "more than once" if len(nodes) > 1 else "other than by a plain assignment at the top level"
    hint = f"Write one line {name} = … at the top level of the file, with a literal value."
    return _at(source, node, f"{name} is bound {times}, so the build cannot read it", hint)


def _too_long(source: Source, declared: Declared, node: ast.expr) -> list[Diagnostic]:
    seconds = declared.max_duration or 0
    if declared.runtime == "edge" and seconds > EDGE_MAX_DURATION:
        hint = f'Choose at most {EDGE_MAX_DURATION}, or runtime = "nodejs".'
        return [
            _at(source, node, f"max_duration is {seconds} s, and edge stops at {EDGE_MAX_DURATION} s", hint)
        ]
    if seconds > HTTP_API_MAX_DURATION:
        message = f"max_duration is {seconds} s, but the HTTP API answers 503 after {HTTP_API_MAX_DURATION} s"
        return [_at(source, node, message, "Answer sooner; what takes longer belongs in a queue.", "warning")]
    return []


def _at(
    source: Source, node: Node, message: str, hint: str, severity: Literal["error", "warning"] = "error"
) -> Diagnostic:
    return Diagnostic(RULE, source.file, node.lineno, column(source, node), message, hint, severity)


def _runtime(value: object) -> DeclaredRuntime:
    if value not in ("edge", "nodejs", "python", "auto"):
        raise _ValueError('It is "edge", "nodejs" ("python" is the same) or "auto".')
    return value


def _integer(value: object, low: int, high: int | None, unit: str) -> int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or value < low
        or (high is not None and value > high)
    ):
        limits = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise _ValueError(f"It is a whole number {limits}, in {unit}.")
    return value


def _max_body_size(value: object) -> int:
    if isinstance(value, str):
        size = sizes.parse(value)
        if size is None:
            raise _ValueError('It is a number of bytes, or a text such as "500kb" or "2mb".')
        return size
    return _integer(value, 0, None, "bytes")


def _revalidate(value: object) -> int | Literal[False]:
    return False if value is False else _integer(value, 0, None, "seconds (or it is False)")


def _isolate(value: object) -> bool:
    if not isinstance(value, bool):
        raise _ValueError("It is True or False.")
    return value


def _files(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise _ValueError(
            'It is a list of patterns, such as ["templates/*.html"], from the project\'s folder.'
        )
    return _texts("files", value)


def _cors(value: object) -> Cors:
    if not isinstance(value, dict) or not isinstance(value.get("origins"), list | tuple):
        raise _ValueError('It is a dict such as {"origins": ["https://example.com"]}.')
    if unknown := [key for key in value if key not in _CORS_KEYS]:
        raise _ValueError(f"{unknown[0]!r} is not one of its keys: {', '.join(_CORS_KEYS)}.")
    lists = {key: _texts(key, value[key]) for key in ("origins", "methods", "headers") if key in value}
    for origin in lists["origins"]:
        if not is_origin(origin):
            raise _ValueError(f"{origin!r} is not an origin: {ORIGIN_RULE}")
    credentials = _isolate(value.get("credentials", False))
    if credentials and any("*" in items for items in lists.values()):
        raise _ValueError('Browsers refuse "*" with credentials; name every one.')
    max_age = _integer(value["max_age"], 0, None, "seconds") if "max_age" in value else None
    return Cors(**lists, credentials=credentials, max_age=max_age)


def _texts(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(item and isinstance(item, str) for item in value):
        raise _ValueError(f"{key} is a list of texts.")
    if key == "origins" and not value:
        raise _ValueError('origins names at least one origin, or "*".')
    return tuple(value)


_PARSERS: Mapping[str, Callable[[object], object]] = {
    "runtime": _runtime,
    "max_duration": lambda value: _integer(value, 1, 900, "seconds"),
    "memory": lambda value: _integer(value, 128, 10240, "MB"),
    "max_body_size": _max_body_size,
    "revalidate": _revalidate,
    "cors": _cors,
    "isolate": _isolate,
    "files": _files,
}
