"""Walking a module's syntax tree without the branches that never run where the module will.

`if TYPE_CHECKING` and `if __name__ == "__main__"` never run in an artifact; comparisons of `sys.platform` and
`sys.version_info` are decided by the platform.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

type Visit = tuple[ast.AST, bool, bool]
"""A node, whether it runs later than the module (in a function), and whether a failing import is caught."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What `sys.platform` and the first two parts of `sys.version_info` are where the code will run."""

    name: str
    version: tuple[int, int]


EDGE = Platform("emscripten", (3, 14))
"""Pyodide 314."""

_CATCHES = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))
_UNKNOWN = object()
_OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], object]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: operator.contains(items, item),
    ast.NotIn: lambda item, items: not operator.contains(items, item),
}


def walk(tree: ast.Module, platform: Platform | None) -> Iterator[Visit]:
    """Every node that can run, in the order of the text. Without a platform, both sides of its comparisons."""
    waiting: list[Visit] = [(tree, False, False)]
    while waiting:
        visit = waiting.pop()
        yield visit
        waiting += reversed(list(_children(visit, platform)))


def _children(visit: Visit, platform: Platform | None) -> Iterator[Visit]:
    node, lazy, guarded = visit
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            outcome = _truth(test, platform)
            parts: list[ast.stmt] = [] if outcome is False else list(body)
            parts += [] if outcome is True else orelse
            yield from ((item, lazy, guarded) for item in ([test, *parts] if outcome is None else parts))
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            eager = [*node.decorator_list, node.args, *([node.returns] if node.returns else ())]
            yield from ((item, lazy, guarded) for item in eager)
            yield from ((item, True, False) for item in node.body)
        case ast.Lambda(args=args, body=value):
            yield args, lazy, guarded
            yield value, True, False
        case ast.Try(body=body) | ast.TryStar(body=body):
            caught = guarded or any(item.type is None or _catches([item.type]) for item in node.handlers)
            yield from ((item, lazy, caught) for item in body)
            yield from ((item, lazy, guarded) for item in [*node.handlers, *node.orelse, *node.finalbody])
        case ast.With(items=items, body=body):
            yield from ((item, lazy, guarded) for item in items)
            yield from ((item, lazy, guarded or any(map(_suppresses, items))) for item in body)
        case _:
            yield from ((item, lazy, guarded) for item in ast.iter_child_nodes(node))


def _catches(types: Sequence[ast.expr]) -> bool:
    return any(
        _catches(item.elts) if isinstance(item, ast.Tuple) else _last_name(item) in _CATCHES for item in types
    )


def _suppresses(item: ast.withitem) -> bool:
    call = item.context_expr
    return isinstance(call, ast.Call) and _last_name(call.func) == "suppress" and _catches(call.args)


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _truth(test: ast.expr, platform: Platform | None) -> bool | None:
    """Whether a condition holds; None if that is not known before it runs."""
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return False
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            outcome = _truth(operand, platform)
            return None if outcome is None else not outcome
        case ast.BoolOp(op=op, values=values):
            outcomes = [_truth(item, platform) for item in values]
            decisive = isinstance(op, ast.Or)
            return decisive if decisive in outcomes else None if None in outcomes else not decisive
        case ast.Compare(
            left=ast.Name(id="__name__"), ops=[op], comparators=[ast.Constant(value="__main__")]
        ):
            return {ast.Eq: False, ast.NotEq: True}.get(type(op))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(op, _value(left, platform), _value(right, platform))
        case ast.Call(func=ast.Attribute(value=text, attr="startswith"), args=[prefix], keywords=[]):
            known, start = _value(text, platform), _value(prefix, platform)
            return (
                known.startswith(start) if isinstance(known, str) and isinstance(start, str | tuple) else None
            )
    return None


def _compared(op: ast.cmpop, left: object, right: object) -> bool | None:
    if left is _UNKNOWN or right is _UNKNOWN or type(op) not in _OPERATORS:
        return None
    if isinstance(left, tuple) and isinstance(right, tuple) and len(left) != len(right):
        common = min(len(left), len(right))
        if left[:common] == right[:common]:
            return None
    try:
        return bool(_OPERATORS[type(op)](left, right))
    except TypeError:
        return None


def _value(node: ast.expr, platform: Platform | None) -> object:
    """What an expression is on the platform, `_UNKNOWN` if it is not known."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            values = tuple(_value(item, platform) for item in items)
            return _UNKNOWN if _UNKNOWN in values else values
        case ast.Attribute(value=ast.Name(id="sys"), attr="platform") if platform:
            return platform.name
        case ast.Attribute(value=ast.Name(id="sys"), attr="version_info") if platform:
            return platform.version
        case ast.Attribute(value=inner, attr="major" | "minor" as attr):
            version = _value(inner, platform)
            return version[attr == "minor"] if isinstance(version, tuple) else _UNKNOWN
        case ast.Subscript(value=inner, slice=ast.Constant(value=int(index))):
            version = _value(inner, platform)
            return version[index] if isinstance(version, tuple) and 0 <= index < len(version) else _UNKNOWN
        case ast.Subscript(
            value=inner, slice=ast.Slice(lower=None, upper=ast.Constant(value=int(stop)), step=None)
        ):
            version = _value(inner, platform)
            return version[:stop] if isinstance(version, tuple) else _UNKNOWN
    return _UNKNOWN
