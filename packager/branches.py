"""Walking a module's syntax tree without the branches that never run where the module will.

`if TYPE_CHECKING` and `if __name__ == "__main__"` never run in an artifact; comparisons of `sys.platform` and
`sys.version_info` are decided by the platform.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

type _Names = Mapping[str, str | ast.expr]
"""What names at the top level of a module stand for: a dotted import, or the condition assigned."""

type Visit = tuple[ast.AST, bool, bool, tuple[str, ...] | None]
"""A node, whether it runs later than the module (in a function), whether a failing import is caught, and a cause.

The cause is None for what surely runs; the modules of which one must fail to be imported, for the handler of an
`ImportError`; and empty for what waits for a condition that is not known.
"""


@dataclass(frozen=True, slots=True)
class Platform:
    """What `sys.platform` and the first two parts of `sys.version_info` are where the code will run.

    `os.name` is `posix` everywhere, `sys.implementation.name` is `cpython`; `system` is `platform.system()`.
    """

    name: str
    version: tuple[int, int]
    system: str = "Linux"


EDGE = Platform("emscripten", (3, 14), "Emscripten")
"""Pyodide 314."""

_ASKS = frozenset(("find_spec", "hasattr"))
_CATCHES = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))
_UNKNOWN = object()
_TELLING = frozenset(("sys", "os", "platform", "typing"))
_FACTS: dict[str, Callable[[Platform], object]] = {
    "sys.platform": lambda platform: platform.name,
    "sys.version_info": lambda platform: platform.version,
    "sys.implementation.name": lambda _: "cpython",
    "os.name": lambda _: "posix",
    "platform.system()": lambda platform: platform.system,
    "platform.python_implementation()": lambda _: "CPython",
}
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


def walk(tree: ast.Module, platform: Platform | None, *, functions: bool = True) -> Iterator[Visit]:
    """Every node that can run, in the order of the text. Without a platform, both sides of its comparisons.

    Annotations are left out: where they are evaluated at all, nothing depends on it. Without `functions`, the
    bodies of functions are left out too, and all expressions.
    """
    names = _conditions(tree)
    waiting: list[Visit] = [(tree, False, False, None)]
    while waiting:
        visit = waiting.pop()
        yield visit
        children = _children(visit, names, platform)
        if not functions:
            children = (item for item in children if not item[1] and not isinstance(item[0], ast.expr))
        waiting += reversed(list(children))


def _children(visit: Visit, names: _Names, platform: Platform | None) -> Iterator[Visit]:
    node, lazy, guarded, cause = visit
    match node:
        case ast.If(test=test, body=body, orelse=orelse) | ast.IfExp(test=test, body=body, orelse=orelse):
            yield from _branches(visit, test, (_listed(body), _listed(orelse)), _truth(test, names, platform))
        case ast.Match(subject=subject, cases=cases):
            yield subject, lazy, guarded, cause
            known = _value(subject, names, platform)
            yield from ((item, lazy, guarded, cause or ()) for item in cases if _can_match(item, known))
        case ast.Module(body=body):
            yield from ((item, lazy, guarded, cause) for item in _reached(body, names, platform))
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from ((item, lazy, guarded, cause) for item in (*node.decorator_list, node.args))
            yield from ((item, True, False, None) for item in _reached(node.body, names, platform))
        case ast.Lambda(args=args, body=value):
            yield args, lazy, guarded, cause
            yield value, True, False, None
        case ast.arguments(defaults=defaults, kw_defaults=more):
            yield from ((item, lazy, guarded, cause) for item in (*defaults, *filter(None, more)))
        case ast.AnnAssign(target=target, value=value):
            yield from ((item, lazy, guarded, cause) for item in (target, value) if item)
        case ast.Try() | ast.TryStar():
            yield from _parts_of_try(node, visit)
        case ast.With(items=items, body=body):
            yield from ((item, lazy, guarded, cause) for item in items)
            yield from ((item, lazy, guarded or any(map(_suppresses, items)), cause) for item in body)
        case _:
            yield from ((item, lazy, guarded, cause) for item in ast.iter_child_nodes(node))


def _branches(
    visit: Visit,
    test: ast.expr,
    sides: tuple[list[ast.AST], list[ast.AST]],
    outcome: bool | None,
) -> Iterator[Visit]:
    _, lazy, guarded, cause = visit
    if outcome is not None:
        yield from ((item, lazy, guarded, cause) for item in sides[not outcome])
        return
    yield test, lazy, guarded, cause
    looked_for = guarded or any(
        isinstance(item, ast.Call) and _last_name(item.func) in _ASKS for item in ast.walk(test)
    )
    yield from ((item, lazy, looked_for, cause or ()) for item in (*sides[0], *sides[1]))


def _parts_of_try(node: ast.Try | ast.TryStar, visit: Visit) -> Iterator[Visit]:
    _, lazy, guarded, cause = visit
    catching = [item for item in node.handlers if item.type is None or _catches([item.type])]
    yield from ((item, lazy, guarded or bool(catching), cause) for item in node.body)
    tried = tuple(_modules(node.body)) if catching else ()
    yield from ((item, lazy, guarded, tried or cause or ()) for item in node.handlers)
    yield from ((item, lazy, guarded, cause or ()) for item in node.orelse)
    yield from ((item, lazy, guarded, cause) for item in node.finalbody)


def _modules(statements: Sequence[ast.stmt]) -> Iterator[str]:
    for statement in statements:
        match statement:
            case ast.Import(names=aliases):
                yield from (item.name for item in aliases)
            case ast.ImportFrom(module=str(module), level=0):
                yield module


def _reached(body: Sequence[ast.stmt], names: _Names, platform: Platform | None) -> Iterator[ast.stmt]:
    """The statements of a block up to one that surely leaves it, such as a `return` for this platform."""
    for statement in body:
        yield statement
        if _leaves(statement, names, platform):
            return


def _leaves(statement: ast.stmt, names: _Names, platform: Platform | None) -> bool:
    match statement:
        case ast.Return() | ast.Raise():
            return True
        case ast.If(test=test, body=body, orelse=orelse):
            outcome = _truth(test, names, platform)
            taken = [] if outcome is None else body if outcome else orelse
            return any(_leaves(item, names, platform) for item in taken)
    return False


def _listed(part: ast.expr | Sequence[ast.stmt]) -> list[ast.AST]:
    return [part] if isinstance(part, ast.expr) else list(part)


def _can_match(case: ast.match_case, known: object) -> bool:
    """Whether a case can be taken when the subject's value is known; only literals rule it out."""
    patterns = case.pattern.patterns if isinstance(case.pattern, ast.MatchOr) else [case.pattern]
    values = [
        item.value.value
        for item in patterns
        if isinstance(item, ast.MatchValue) and isinstance(item.value, ast.Constant)
    ]
    return known is _UNKNOWN or len(values) < len(patterns) or known in values


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


def _truth(test: ast.expr, names: _Names, platform: Platform | None) -> bool | None:
    """Whether a condition holds; None if that is not known before it runs."""
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return False
        case ast.Name(id=name) if names.get(name) == "typing.TYPE_CHECKING":
            return False
        case ast.Name(id=name) if isinstance(names.get(name), ast.expr):
            # without its own name, so that names bound in a circle end
            others = {key: value for key, value in names.items() if key != name}
            return _truth(cast("ast.expr", names[name]), others, platform)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            outcome = _truth(operand, names, platform)
            return None if outcome is None else not outcome
        case ast.BoolOp(op=op, values=values):
            outcomes = [_truth(item, names, platform) for item in values]
            decisive = isinstance(op, ast.Or)
            return decisive if decisive in outcomes else None if None in outcomes else not decisive
        case ast.Compare(
            left=ast.Name(id="__name__"), ops=[op], comparators=[ast.Constant(value="__main__")]
        ):
            return {ast.Eq: False, ast.NotEq: True}.get(type(op))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(op, _value(left, names, platform), _value(right, names, platform))
        case ast.Call(func=ast.Attribute(value=text, attr="startswith"), args=[prefix], keywords=[]):
            known, start = _value(text, names, platform), _value(prefix, names, platform)
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


def _value(node: ast.expr, names: _Names, platform: Platform | None) -> object:
    """What an expression is on the platform, `_UNKNOWN` if it is not known."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            values = tuple(_value(item, names, platform) for item in items)
            return _UNKNOWN if _UNKNOWN in values else values
        case ast.Name() | ast.Attribute() | ast.Call(args=[], keywords=[]) if platform and (
            fact := _FACTS.get(_dotted(node, names))
        ):
            return fact(platform)
        case ast.Attribute(value=inner, attr="major" | "minor" as attr):
            version = _value(inner, names, platform)
            return version[attr == "minor"] if isinstance(version, tuple) else _UNKNOWN
        case ast.Subscript(value=inner, slice=ast.Constant(value=int(index))):
            version = _value(inner, names, platform)
            return version[index] if isinstance(version, tuple) and 0 <= index < len(version) else _UNKNOWN
        case ast.Subscript(
            value=inner, slice=ast.Slice(lower=None, upper=ast.Constant(value=int(stop)), step=None)
        ):
            version = _value(inner, names, platform)
            return version[:stop] if isinstance(version, tuple) else _UNKNOWN
    return _UNKNOWN


def _dotted(node: ast.expr, names: _Names) -> str:
    """The dotted name that an expression spells, with `()` for a call; empty if it spells none."""
    match node:
        case ast.Name(id=name):
            known = names.get(name, name)
            return known if isinstance(known, str) else ""
        case ast.Attribute(value=value, attr=attribute):
            return f"{_dotted(value, names)}.{attribute}"
        case ast.Call(func=function):
            return f"{_dotted(function, names)}()"
    return ""


def _conditions(tree: ast.Module) -> _Names:
    """What the top level imports of the modules that tell the platform, and the conditions that it gives a name."""
    names: dict[str, str | ast.expr] = {}
    for statement in tree.body:
        match statement:
            case ast.Import(names=aliases):
                names |= {item.asname: item.name for item in aliases if item.asname and item.name in _TELLING}
            case ast.ImportFrom(module=str(module), names=aliases) if module in _TELLING:
                names |= {item.asname or item.name: f"{module}.{item.name}" for item in aliases}
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Compare() | ast.BoolOp() | ast.UnaryOp() | ast.Call() as value,
            ):
                names[name] = ast.Name(name) if name in names else value
    return names
