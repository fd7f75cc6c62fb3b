"""Which AWS operations modules call through boto3, as far as their source says it literally.

What names are bound to is followed through assignments, `with`, functions that return it and imports between the
project's modules, not through containers and arguments. Nothing is imported or executed.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packager import aws_models
from packager.aws_models import Operation
from packager.diagnostics import Diagnostic
from packager.imports import locate
from packager.literals import LiteralError, bindings, constants, evaluate
from packager.model import Project
from packager.sources import Source, read

type Parameters = tuple[tuple[str, tuple[str, ...]], ...]
"""The parameters of a call whose values are known; more than one value if they are the keys of a table."""

_SDKS = frozenset({"boto3", "botocore", "aioboto3", "aiobotocore"})
_MAKERS = {"client": "client", "create_client": "client", "resource": "resource"}
_ROUNDS = 4
"""How many modules and functions a value may pass through before it is used."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call; `shown` is how the source writes it. `operation` is None if the service is no literal."""

    file: str
    line: int
    shown: str
    operation: Operation | None
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class _Handle:
    """What boto3 gave: a client, a resource (`kind` empty: the service's own) or a collection of one.

    A paginator and a waiter are clients that call one operation only.
    """

    service: str
    client: bool
    kind: str = ""
    identifiers: tuple[tuple[str, str], ...] = ()
    collection: str = ""
    only: Operation | None = None


@dataclass(slots=True)
class _Module:
    """One module while it is read: what its names, dotted ones too, and its functions give."""

    source: Source
    uses_sdk: bool
    constants: Mapping[str, ast.expr]
    names: dict[str, set[_Handle]] = field(default_factory=lambda: defaultdict(set))
    returned: dict[str, set[_Handle]] = field(default_factory=lambda: defaultdict(set))


def calls(project: Project, files: Sequence[str], environment: Mapping[str, str]) -> tuple[Call, ...]:
    """The calls in `files`, in the order of file and line. `environment` are variables whose values are known."""
    modules: dict[str, _Module] = {}
    for file in files:
        source = read(project.root, file)
        if not isinstance(source, Diagnostic):
            tops = {name.partition(".")[0] for name in _imported(source.tree)}
            bound = constants(source.tree, bindings(source.tree))
            modules[file] = _Module(source, bool(tops & _SDKS), bound)
    if not any(module.uses_sdk for module in modules.values()):
        return ()
    for _ in range(_ROUNDS):
        for module in modules.values():
            _bind_imports(project, module, modules)
            _bind(module, environment)
    found = (call for file in sorted(modules) for call in _calls(modules[file], environment))
    return tuple(sorted(set(found), key=lambda call: (call.file, call.line, call.shown)))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _bind_imports(project: Project, module: _Module, modules: Mapping[str, _Module]) -> None:
    """Give the names of other modules to those that import them."""
    for node in ast.walk(module.source.tree):
        match node:
            case ast.Import(names=aliases):
                for item in aliases:
                    _adopt(module, item.asname or item.name, _module(project, item.name, modules))
            case ast.ImportFrom(module=name, names=aliases, level=level):
                base = _absolute(project, module.source.file, name or "", level)
                origin = _module(project, base, modules)
                for item in aliases:
                    own = item.asname or item.name
                    _adopt(module, own, _module(project, f"{base}.{item.name}".lstrip("."), modules))
                    if origin:
                        module.names[own] |= origin.names.get(item.name, set())
                        module.returned[own] |= origin.returned.get(item.name, set())


def _absolute(project: Project, file: str, name: str, level: int) -> str:
    if not level:
        return name
    folders = file.split("/")[:-level]
    if project.import_root and folders[:1] == [project.import_root]:
        folders = folders[1:]
    return ".".join([*folders, *filter(None, [name])])


def _module(project: Project, name: str, modules: Mapping[str, _Module]) -> _Module | None:
    found = locate(project.root, project.import_root, name.split(".")) if name else None
    return modules.get(found.files[-1]) if found and found.complete and found.files else None


def _adopt(module: _Module, name: str, other: _Module | None) -> None:
    """What `other` binds is called `name.x` in `module`."""
    if other is None or other is module:
        return
    for own, theirs in ((module.names, other.names), (module.returned, other.returned)):
        for key, handles in [*theirs.items()]:
            if "." not in key:
                own[f"{name}.{key}"] |= handles


def _bind(module: _Module, environment: Mapping[str, str]) -> None:
    for node in ast.walk(module.source.tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                _assign(module, targets, _handles(module, value, environment))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                _assign(module, [target], _handles(module, value, environment))
            case ast.NamedExpr(target=target, value=value):
                _assign(module, [target], _handles(module, value, environment))
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                _assign(module, [target], _handles(module, value, environment))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return | ast.Yield) and inner.value:
                        module.returned[name] |= _handles(module, inner.value, environment)


def _assign(module: _Module, targets: Iterable[ast.expr], handles: set[_Handle]) -> None:
    for target in targets if handles else ():
        if isinstance(target, ast.Name | ast.Attribute):
            module.names[ast.unparse(target)] |= handles


def _handles(module: _Module, node: ast.expr, environment: Mapping[str, str]) -> set[_Handle]:
    """What an expression can be, of all that boto3 gives."""
    match node:
        case ast.Await(value=inner) | ast.NamedExpr(value=inner):
            return _handles(module, inner, environment)
        case ast.IfExp(body=body, orelse=orelse):
            return _handles(module, body, environment) | _handles(module, orelse, environment)
        case ast.BoolOp(values=values):
            return set().union(*(_handles(module, item, environment) for item in values))
        case ast.Name(id=name):
            return set(module.names.get(name, ()))
        case ast.Attribute(value=value, attr=attr):
            known = set(module.names.get(ast.unparse(node), ()))
            return known | {
                _Handle(item.service, False, item.kind, item.identifiers, attr)
                for item in _handles(module, value, environment)
                if not item.client and aws_models.of_collection(item.service, item.kind, attr, "all")
            }
        case ast.Call():
            return _of_call(module, node, environment)
    return set()


def _of_call(module: _Module, node: ast.Call, environment: Mapping[str, str]) -> set[_Handle]:
    made = _made(module, node, environment)
    if made is not None:
        return {made} if made.service else set()
    found = set(module.returned.get(ast.unparse(node.func), ()))
    if isinstance(node.func, ast.Attribute):
        for item in _handles(module, node.func.value, environment):
            if item.client:
                found |= _repeating(module, item, node, environment)
            if item.client or item.collection:
                continue
            sub = aws_models.sub_resource(item.service, item.kind, node.func.attr)
            if sub:
                given = _texts(module, node.args, environment)
                taken = ((name, text) for name, text in zip(sub.taken, given, strict=False) if text)
                have = dict(item.identifiers)
                kept = ((name, have[source]) for name, source in sub.kept if source in have)
                found.add(_Handle(item.service, False, sub.kind, (*kept, *taken)))
    return found


def _repeating(
    module: _Module, handle: _Handle, node: ast.Call, environment: Mapping[str, str]
) -> set[_Handle]:
    """The paginator or waiter that a client's method gives."""
    assert isinstance(node.func, ast.Attribute)
    named = next(iter(_texts(module, node.args[:1], environment)), None)
    if not named or node.func.attr not in {"get_paginator", "get_waiter"}:
        return set()
    of = aws_models.of_client if node.func.attr == "get_paginator" else aws_models.of_waiter
    return {_Handle(handle.service, True, only=operation) for operation in of(handle.service, named)}


def _made(module: _Module, node: ast.Call, environment: Mapping[str, str]) -> _Handle | None:
    """The client or resource that a call makes, without a service if that is not known."""
    match node.func:
        case ast.Attribute(attr=name) | ast.Name(id=name) if name in _MAKERS and module.uses_sdk:
            given = [*node.args, *(item.value for item in node.keywords if item.arg == "service_name")]
            if not given:
                return None
            service = next(iter(_texts(module, given[:1], environment)), None)
            if service in aws_models.services():
                return _Handle(service, _MAKERS[name] == "client")
            own = ast.unparse(node.func).partition(".")[0] in {*_SDKS, "session", "client", "resource"}
            return _Handle("", True) if own else None
    return None


def _texts(module: _Module, nodes: Iterable[ast.expr], environment: Mapping[str, str]) -> list[str | None]:
    return [next(iter(_known(module, node, environment)), None) for node in nodes]


def _known(module: _Module, node: ast.expr, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The text that an expression is: a literal, a constant of the module, or a variable of the environment."""
    match node:
        case ast.Subscript(value=source, slice=ast.Constant(value=str(name))) if _is(source, "environ"):
            return (environment[name],) if name in environment else ()
        case ast.Call(func=source, args=[ast.Constant(value=str(name)), *_]) if _is(
            source, "environ.get", "getenv"
        ):
            return (environment[name],) if name in environment else ()
        case ast.Name(id=name) if name in module.constants:
            return _known(module, module.constants[name], environment)
        case ast.Dict(keys=keys):
            return tuple(text for key in keys if key for text in _known(module, key, environment))
    try:
        value = evaluate(node, module.constants)
    except LiteralError:
        return ()
    return (value,) if isinstance(value, str) else ()


def _is(node: ast.expr, *names: str) -> bool:
    """Whether an expression is one of these names of `os`."""
    return ast.unparse(node).removeprefix("os.") in names


def _calls(module: _Module, environment: Mapping[str, str]) -> Iterator[Call]:
    file = module.source.file
    for node in ast.walk(module.source.tree):
        if not isinstance(node, ast.Call):
            continue
        made = _made(module, node, environment)
        if made and not made.service:
            yield Call(file, node.lineno, ast.unparse(node), None, ())
        if not isinstance(node.func, ast.Attribute):
            continue
        for handle in _handles(module, node.func.value, environment):
            for operation in _operations(module, handle, node, environment):
                given = _parameters(module, handle, operation, node, environment)
                yield Call(file, node.lineno, f"{ast.unparse(node.func)}()", operation, given)


def _parameters(
    module: _Module, handle: _Handle, operation: Operation, node: ast.Call, environment: Mapping[str, str]
) -> Parameters:
    have = dict(handle.identifiers)
    found: dict[str, tuple[str, ...]] = {name: (have[key],) for name, key in operation.filled if key in have}
    given = {item.arg: item.value for item in node.keywords if item.arg}
    given |= dict(zip(operation.positional, node.args, strict=False))
    # of a presigned URL the operation's own parameters are one argument
    if isinstance(signed := given.get("Params"), ast.Dict):
        for key, value in zip(signed.keys, signed.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                given[key.value] = value
    for name, expression in given.items():
        if known := _known(module, expression, environment):
            found[name] = known
    return tuple(sorted(found.items()))


def _operations(
    module: _Module, handle: _Handle, node: ast.Call, environment: Mapping[str, str]
) -> tuple[Operation, ...]:
    assert isinstance(node.func, ast.Attribute)
    method = node.func.attr
    if handle.only:
        return (handle.only,) if method in {"paginate", "wait"} else ()
    if handle.collection:
        return aws_models.of_collection(handle.service, handle.kind, handle.collection, method)
    if not handle.client:
        return aws_models.of_resource(handle.service, handle.kind, method)
    if method == "generate_presigned_url":
        named = next(iter(_texts(module, node.args[:1], environment)), None)
        return aws_models.of_client(handle.service, named or "")
    return aws_models.of_client(
        handle.service, "put_object" if method == "generate_presigned_post" else method
    )
