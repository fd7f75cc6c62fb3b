"""What a name in a source means: an import's module or attribute, a builtin, or the expression it is bound to."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from packager.sources import Source

PATH = "pathlib.Path()"
"""What an expression means that gives a path object."""

_MAX_DEPTH = 40
_PATHS = frozenset(("pathlib.Path", "pathlib.PosixPath", "pathlib.Path.cwd", "pathlib.Path.home"))
_PATH_METHODS = frozenset(
    f"{PATH}.{name}"
    for name in (
        *("absolute", "expanduser", "joinpath", "relative_to", "resolve"),
        *("with_name", "with_segments", "with_stem", "with_suffix"),
    )
)

type Binding = str | ast.expr | None
"""A dotted import, the expression assigned (or entered, for `with`), None for what is not known."""


@dataclass(slots=True, eq=False)
class _Scope:
    """The names bound in a module, class, function or comprehension. Functions within see no class's names."""

    parent: "_Scope | None" = None
    is_class: bool = False
    bound: dict[str, list[Binding]] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = field(default_factory=dict)
    declared: dict[str, "_Scope"] = field(default_factory=dict)

    def bind(self, name: str, value: Binding) -> None:
        scope = self.declared.get(name, self)
        scope.bound.setdefault(name, []).append(value)


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """The scope of every name in a source, and what was found out of its expressions so far."""

    scopes: dict[ast.Name, _Scope]
    meanings: dict[ast.expr, str | None] = field(default_factory=dict)


@lru_cache(maxsize=4096)
def names_of(source: Source) -> Names:
    """Find the scopes of a source, without recursion: sources may nest deeper than Python's stack."""
    scopes: dict[ast.Name, _Scope] = {}
    top = _Scope()
    waiting: list[tuple[ast.AST, _Scope]] = [(source.tree, top)]
    while waiting:
        node, scope = waiting.pop()
        if isinstance(node, ast.Name):
            scopes[node] = scope
        _bind(node, scope, top)
        waiting += reversed(list(_parts(node, scope)))
    return Names(scopes)


def meaning(names: Names, node: ast.expr, depth: int = 0) -> str | None:
    """The dotted name that an expression stands for, such as `os.listdir`, `builtins.open` or `PATH`.

    `getattr(module, "name")` is an attribute too. None if it is something else or not known.
    """
    if depth > _MAX_DEPTH:
        return None
    if node not in names.meanings:
        # names may be bound to each other in a circle
        names.meanings[node] = None
        names.meanings[node] = _meaning(names, node, depth)
    return names.meanings[node]


def _meaning(names: Names, node: ast.expr, depth: int) -> str | None:
    match node:
        case ast.Name(id=name):
            found = lookup(names, node)
            if found is None:
                return f"builtins.{name}"
            return _agreed(names, found, depth)
        case ast.Attribute(value=value, attr=attribute):
            return _attribute(meaning(names, value, depth + 1), attribute)
        case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(attribute)), *_]):
            return _attribute(meaning(names, value, depth + 1), attribute)
        case ast.Call(func=function):
            called = meaning(names, function, depth + 1)
            if called == "builtins.vars" and node.args:
                return _attribute(meaning(names, node.args[0], depth + 1), "__dict__")
            return PATH if called in _PATHS or called in _PATH_METHODS else None
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            return (
                PATH if PATH in (meaning(names, left, depth + 1), meaning(names, right, depth + 1)) else None
            )
        case ast.Subscript(value=value, slice=index):
            return _item(meaning(names, value, depth + 1), index)
        case ast.NamedExpr(value=value):
            return meaning(names, value, depth + 1)
    return None


def lookup(names: Names, node: ast.Name) -> list[Binding] | None:
    """All that the name is bound to in the scope that it is looked up in; None for a builtin."""
    scope = names.scopes.get(node)
    found = _scope_of(scope, node.id)
    return found.bound[node.id] if found else None


def assigned(names: Names, node: ast.Name) -> ast.expr | None:
    """The expression that a name is bound to, if there is just one."""
    found = lookup(names, node) or []
    return found[0] if len(found) == 1 and isinstance(found[0], ast.expr) else None


def is_assigned(names: Names, node: ast.Name) -> bool:
    """True if the name is a variable: bound to an expression, not to an import."""
    return any(isinstance(item, ast.expr) for item in lookup(names, node) or ())


def function(names: Names, node: ast.expr) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function of the same source that a name stands for, if it is bound once."""
    if not isinstance(node, ast.Name):
        return None
    scope = _scope_of(names.scopes.get(node), node.id)
    return scope.functions.get(node.id) if scope and len(scope.bound[node.id]) == 1 else None


def _scope_of(scope: _Scope | None, name: str) -> _Scope | None:
    own = True
    while scope:
        if name in scope.declared:
            scope, own = scope.declared[name], True
        if name in scope.bound and (own or not scope.is_class):
            return scope
        scope, own = scope.parent, False
    return None


def _item(value: str | None, index: ast.expr) -> str | None:
    """What an item of something is: of `sys.modules` a module, of a module's `__dict__` an attribute."""
    if value == f"{PATH}.parents":
        return PATH
    if value and isinstance(index, ast.Constant) and isinstance(index.value, str):
        if value == "sys.modules":
            return index.value
        if value.endswith(".__dict__"):
            return f"{value.removesuffix('.__dict__')}.{index.value}"
    return None


def _attribute(value: str | None, attribute: str) -> str | None:
    if value is None:
        return None
    return PATH if value == PATH and attribute == "parent" else f"{value}.{attribute}"


def _agreed(names: Names, found: list[Binding], depth: int) -> str | None:
    """What the bindings of a name agree on; of several imports the last, which an ImportError may put there."""
    known = [item for item in found if not (isinstance(item, ast.Constant) and item.value is None)]
    imports = [item for item in known if isinstance(item, str)]
    if imports and len(imports) == len(known):
        return imports[-1]
    meanings = {meaning(names, item, depth + 1) if isinstance(item, ast.expr) else item for item in known}
    return meanings.pop() if len(meanings) == 1 else None


def _bind(node: ast.AST, scope: _Scope, top: _Scope) -> None:
    """Note what a node itself binds in its scope."""
    match node:
        case ast.Import(names=aliases):
            for item in aliases:
                first = item.name.partition(".")[0]
                scope.bind(item.asname or first, item.name if item.asname else first)
        case ast.ImportFrom(module=module, names=aliases, level=level):
            for item in aliases:
                scope.bind(item.asname or item.name, None if level else f"{module}.{item.name}")
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            scope.bind(name, None)
            scope.functions[name] = node
        case ast.Global(names=names):
            scope.declared |= dict.fromkeys(names, top)
        case ast.Nonlocal(names=names):
            scope.declared |= {name: _scope_of(scope.parent, name) or top for name in names}
        case ast.arg(arg=name, annotation=annotation):
            scope.bind(name, _annotated(annotation))
        case _:
            for name, value in _assigned(node):
                scope.bind(name, value)


def _annotated(annotation: ast.expr | None) -> Binding:
    """A parameter declared as a `Path` is one: as good as a call of its type."""
    if annotation is None or not isinstance(annotation, ast.Name | ast.Attribute):
        return None
    return ast.Call(annotation, [], [])


def _assigned(node: ast.AST) -> Iterator[tuple[str, Binding]]:
    targets: list[ast.expr] = []
    value: ast.expr | None = None
    match node:
        case ast.ClassDef(name=str(name)) | ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name, None
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name, None
        case ast.Assign(targets=targets, value=value):
            pass
        case (
            ast.AnnAssign(target=target, value=ast.expr() as value)
            | ast.NamedExpr(target=target, value=value)
        ):
            targets = [target]
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            targets = [target]
        case ast.AugAssign(target=target) | ast.For(target=target) | ast.AsyncFor(target=target):
            targets = [target]
        case ast.comprehension(target=target):
            targets = [target]
        case ast.Delete(targets=targets):
            pass
    for target in targets:
        for inner in ast.walk(target):
            if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
                yield inner.id, value


def _parts(node: ast.AST, scope: _Scope) -> Iterator[tuple[ast.AST, _Scope]]:
    """The children of a node, each with the scope in which it is evaluated."""
    match node:
        case ast.FunctionDef(args=args, body=body) | ast.AsyncFunctionDef(args=args, body=body):
            outside = [*node.decorator_list, *_outside(args), *([node.returns] if node.returns else ())]
            yield from _function(scope, args, outside, body)
        case ast.Lambda(args=args, body=value):
            yield from _function(scope, args, _outside(args), [value])
        case ast.ClassDef(body=body):
            outside = [*node.decorator_list, *node.bases, *(item.value for item in node.keywords)]
            yield from ((item, scope) for item in outside)
            inner = _Scope(scope, is_class=True)
            yield from ((item, inner) for item in body)
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            inner = _Scope(scope)
            yield from ((item, inner) for item in ast.iter_child_nodes(node))
        case _:
            yield from ((item, scope) for item in ast.iter_child_nodes(node))


def _function(
    scope: _Scope, args: ast.arguments, outside: list[ast.expr], body: list[ast.stmt] | list[ast.expr]
) -> Iterator[tuple[ast.AST, _Scope]]:
    yield from ((item, scope) for item in outside)
    inner = _Scope(scope)
    for item in (*args.posonlyargs, *args.args, *args.kwonlyargs):
        _bind(item, inner, inner)
    for name in (args.vararg, args.kwarg):
        if name:
            inner.bind(name.arg, None)
    yield from ((item, inner) for item in body)


def _outside(args: ast.arguments) -> list[ast.expr]:
    """The parts of a function's head that are evaluated where it is defined."""
    rows = (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg)
    annotations = [row.annotation for row in rows if row and row.annotation]
    return [*args.defaults, *(item for item in args.kw_defaults if item), *annotations]
