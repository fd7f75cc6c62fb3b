"""Which handlers of a route need pydantic, read from the annotations in its source.

`runtimes.signature` decides the same when the route is imported; here names are all there is to go by, and a name that
is not known is taken for a type that is validated.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from packager.literals import bindings
from packager.sources import Source
from runtimes.table import METHODS, SOURCES

_UNTYPED_PARAMS = frozenset(("dict", "Dict", "Mapping", "MutableMapping", "Any", "object"))
_ANYTHING = frozenset(("Any", "object", "Never", "NoReturn"))
_CONTAINERS = frozenset(
    ("dict", "Dict", "Mapping", "MutableMapping", "list", "List", "Sequence", "MutableSequence")
)
_AS_THEY_ARE = frozenset(("str", "bytes", "bytearray", "memoryview", "None"))
_MARKS = frozenset(("status", "content_type"))

type Handler = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class TypedHandler:
    """A handler that is validated. If `optional`, only where the project has pydantic: it promises an answer alone."""

    node: Handler
    optional: bool


def typed_handlers(source: Source) -> Iterator[TypedHandler]:
    """The typed handlers of a route, in the order of the text."""
    bound = bindings(source.tree)
    nodes = [node for method in METHODS for node in bound.get(method, ())]
    handlers = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in sorted(handlers, key=lambda item: item.lineno):
        if _asks(node) or _marks_json(node.returns):
            yield TypedHandler(node, optional=False)
        elif _is_json(node.returns):
            yield TypedHandler(node, optional=True)


def _asks(node: Handler) -> bool:
    """Whether a parameter is filled by its name and type."""
    arguments = node.args
    named = [(item, True) for item in arguments.kwonlyargs]
    named += [(item, False) for item in (*arguments.posonlyargs, *arguments.args)]
    for item, alone in named:
        annotation = _read(item.annotation)
        if item.arg not in SOURCES or not (alone or annotation):
            continue
        if item.arg != "params" or alone or _name(annotation) not in _UNTYPED_PARAMS:
            return True
    return False


def _marks_json(annotation: ast.expr | None) -> bool:
    """Whether a status or a content type is given to JSON."""
    for node in ast.walk(_read(annotation) or ast.Pass()):
        if isinstance(node, ast.Subscript) and _name(node.value) == "Annotated":
            inner, *rest = _inner(node)
            if _is_json(inner) and any(
                isinstance(item, ast.Call) and _name(item.func) in _MARKS for item in rest
            ):
                return True
    return False


def _is_json(annotation: ast.expr | None) -> bool:
    """Whether an answer is validated and written as JSON."""
    node = _read(annotation)
    match node:
        case None | ast.Constant():
            return False
        case ast.BinOp(left=left, right=right):
            return _is_json(left) or _is_json(right)
        case ast.Subscript() if _name(node.value) in ("Optional", "Union"):
            return any(map(_is_json, _inner(node)))
        case ast.Subscript() if _name(node.value) == "Annotated":
            return _is_json(_inner(node)[0])
        case ast.Subscript() if _name(node.value) in ("Awaitable", "Coroutine"):
            return _is_json(_inner(node)[-1])
    return not (_is_anything(node) or _name(node) in _AS_THEY_ARE or _name(node).endswith("Response"))


def _is_anything(annotation: ast.expr | None) -> bool:
    """Whether an annotation promises nothing that can be validated."""
    node = _read(annotation)
    if isinstance(node, ast.Subscript):
        return _name(node.value) in _CONTAINERS and all(
            _is_anything(item) or (index == 0 and _name(item) == "str" and len(_inner(node)) > 1)
            for index, item in enumerate(_inner(node))
        )
    return _name(node) in _ANYTHING | _CONTAINERS


def _read(annotation: ast.expr | None) -> ast.expr | None:
    """An annotation, also one that is written as a text."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value, mode="eval").body
        except (SyntaxError, ValueError):
            return None
    return annotation


def _inner(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _name(node: ast.expr | None) -> str:
    """The last part of a name, without what stands in brackets."""
    match node:
        case ast.Subscript(value=value):
            return _name(value)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case ast.Constant(value=None):
            return "None"
    return ""
