"""Module constants by their literal values: read from the syntax tree, never executed.

A value is a literal, a container of such values, or a name that the module binds once, at its top level,
to one of them.
"""

import ast
from collections.abc import Iterator, Mapping

from packager.sources import Node

MAX_NODES = 10_000
"""How large a value may grow; names that hold names could otherwise grow without end."""


class LiteralError(ValueError):
    """The expression at `node` has no literal value; the text says why."""

    def __init__(self, message: str, node: ast.expr | ast.stmt) -> None:
        super().__init__(message)
        self.node = node


def bindings(tree: ast.Module) -> dict[str, list[Node]]:
    """Every name bound in the module's own scope, with the nodes that bind it, in the order of the text.

    Functions that declare a name `global` bind it too, and so does `from x import *` for the name `*`.
    """
    found: dict[str, list[Node]] = {}
    for name, node in _bound(tree):
        found.setdefault(name, []).append(node)
    return found


def constants(tree: ast.Module, bound: Mapping[str, list[Node]]) -> dict[str, ast.expr]:
    """The names bound exactly once, by a plain assignment at the module's top level, with their expressions."""
    assigned: dict[str, ast.expr] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets: list[ast.expr] = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        value = statement.value
        if value is not None:
            assigned |= {item.id: value for item in targets if isinstance(item, ast.Name)}
    stars = [node.lineno for node in bound.get("*", ())]
    return {
        name: value
        for name, value in assigned.items()
        if len(bound[name]) == 1 and not any(line > bound[name][0].lineno for line in stars)
    }


def evaluate(node: ast.expr, names: Mapping[str, ast.expr]) -> object:
    """The value of an expression; `names` are the module's `constants`.

    Raises `LiteralError` at the part that is neither a literal nor a name bound once, above, to one.
    """
    try:
        return _evaluate(node, names, [0])
    except RecursionError:
        raise LiteralError("the value is nested too deeply", node) from None


def _evaluate(node: ast.expr, names: Mapping[str, ast.expr], count: list[int]) -> object:
    count[0] += 1
    if count[0] > MAX_NODES:
        raise LiteralError(f"the value has more than {MAX_NODES} parts", node)
    match node:
        case ast.Constant(value=value) if value is not ...:
            return value
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return _signed(node, _evaluate(operand, names, count))
        case ast.List(elts=items):
            return [_evaluate(item, names, count) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_evaluate(item, names, count) for item in items)
        case ast.Set(elts=items):
            return {_hashable(item, _evaluate(item, names, count)) for item in items}
        case ast.Dict(keys=keys, values=values):
            return {
                _hashable(key or value, _evaluate(_key(key, value), names, count)): _evaluate(
                    value, names, count
                )
                for key, value in zip(keys, values, strict=True)
            }
        case ast.Name(id=name):
            if name not in names:
                raise LiteralError(f"{name!r} is not bound once, at the top level, to a literal", node)
            if names[name].lineno >= node.lineno:
                raise LiteralError(f"{name!r} is used before it is bound", node)
            return _evaluate(names[name], names, count)
    raise LiteralError(f"{_shown(node)} is computed, not a literal", node)


def _signed(node: ast.UnaryOp, value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | complex):
        raise LiteralError(f"{_shown(node)} is computed, not a literal", node)
    return -value if isinstance(node.op, ast.USub) else value


def _key(key: ast.expr | None, value: ast.expr) -> ast.expr:
    if key is None:
        raise LiteralError(f"**{_shown(value)} is computed, not a literal", value)
    return key


def _hashable(node: ast.expr, value: object) -> object:
    try:
        hash(value)
    except TypeError:
        raise LiteralError(f"{_shown(node)} cannot be a key or in a set", node) from None
    return value


def _shown(node: ast.expr) -> str:
    try:
        text = ast.unparse(node)
    except (RecursionError, ValueError):
        return "the expression"
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}…`"


def _bound(tree: ast.AST) -> Iterator[tuple[str, Node]]:
    """The names bound in the scope of a tree, without recursion: sources may nest deeper than Python's stack."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Global):
                        yield from ((name, inner) for name in inner.names)
            case ast.Lambda():
                pass
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                walrus = (item for item in ast.walk(node) if isinstance(item, ast.NamedExpr))
                yield from ((item.target.id, item.target) for item in walrus)
            case _:
                yield from _names(node)
                waiting += reversed(list(ast.iter_child_nodes(node)))


def _names(node: ast.AST) -> Iterator[tuple[str, Node]]:
    """The names that a node itself binds."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name, node
        case ast.Import(names=aliases):
            yield from ((item.asname or item.name.partition(".")[0], item) for item in aliases)
        case ast.ImportFrom(names=aliases):
            yield from ((item.asname or item.name, item) for item in aliases)
        case ast.ExceptHandler(name=str(name)):
            yield name, node
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name, node
