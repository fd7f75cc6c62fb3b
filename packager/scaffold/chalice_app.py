"""What a Chalice file declares: its views, and what has no counterpart here."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from packager.scaffold.conversion import Left
from packager.scaffold.fastapi_app import keywords, value_of
from packager.scaffold.source import Function, Source, dotted, is_function

_KINDS = ("Chalice", "Blueprint")
_HEADERS = ["Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key", "X-Amz-Security-Token"]
"""What Chalice allows by `cors=True`."""

_KNOWN = {"path", "methods", "name", "cors", "content_types", "authorizer", "api_key_required"}
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_QUIET = {"debug", "log.setLevel"}
_REASONS = {
    "schedule": "routes answer requests: keep it as a function of its own, called by EventBridge",
    "lambda_function": "routes answer requests: keep it as a function of its own",
    "authorizer": "middleware decides who gets to a route: see middleware.py",
    "middleware": "middleware here runs before the handler: see middleware.py",
}
_EVENT = "routes answer requests: keep it as a function of its own, called by that event"
_PROTECTED = "it is protected by {}: guard its folder by a middleware.py, then move it"


@dataclass(frozen=True, slots=True)
class View:
    """A function and one `route` that gives it a URL; `cors` as a route file has it."""

    function: Function
    methods: tuple[str, ...]
    pattern: str
    cors: dict[str, Any] | None


@dataclass(slots=True)
class Declared:
    """All that a file declares. `apps` are names with their prefix, None for a blueprint that is not registered."""

    apps: dict[str, str | None] = field(default_factory=dict)
    views: list[View] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    consumed: set[ast.stmt] = field(default_factory=set)
    cors: dict[str, Any] | None = None
    decorated: int = 0


def declared(source: Source, literals: Mapping[str, Any]) -> Declared:
    """Read the statements of a file; `literals` are the values of its constants."""
    found = Declared()
    configs: dict[str, ast.expr] = {}
    for statement in source.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
                kind = dotted(call.func).rpartition(".")[2]
                if kind in _KINDS:
                    found.apps[name] = "" if kind == "Chalice" else None
                    found.consumed.add(statement)
                elif kind == "CORSConfig":
                    configs[name] = call
                    found.consumed.add(statement)
    for statement in source.tree.body:
        _setting(source, statement, found, configs, literals)
    for statement in source.tree.body:
        if is_function(statement):
            for decorator in statement.decorator_list:
                _decorator(source, statement, decorator, found, configs, literals)
    return found


def _setting(
    source: Source,
    statement: ast.stmt,
    found: Declared,
    configs: Mapping[str, ast.expr],
    literals: Mapping[str, Any],
) -> None:
    match statement:
        case ast.Expr(value=ast.Call(func=target) as call):
            options = keywords(call, "first")
        case ast.Assign(targets=[target], value=value):
            options = {"first": value}
        case _:
            return
    owner, _, what = dotted(target).partition(".")
    if owner not in found.apps or not what:
        return
    found.consumed.add(statement)
    first = options.get("first")
    if what == "register_blueprint":
        prefix = value_of(options.get("url_prefix", ast.Constant("")), literals)
        if dotted(first) in found.apps and isinstance(prefix, str):
            found.apps[dotted(first)] = prefix
        else:
            reason = "it is made in another file: convert that one too"
            found.left.append(Left(source.place(statement), f"register_blueprint({dotted(first)})", reason))
    elif what == "api.cors" and first is not None:
        found.cors = _cors(first, configs, literals)
    elif what not in _QUIET:
        found.left.append(Left(source.place(statement), dotted(target), "there is no app object here"))


def _decorator(
    source: Source,
    function: Function,
    decorator: ast.expr,
    found: Declared,
    configs: Mapping[str, ast.expr],
    literals: Mapping[str, Any],
) -> None:
    call = decorator if isinstance(decorator, ast.Call) else None
    owner, _, kind = dotted(call.func if call else decorator).rpartition(".")
    if owner not in found.apps:
        return
    found.consumed.add(function)
    what = f"@{owner}.{kind} {function.name}"
    if kind != "route" or call is None:
        found.left.append(Left(source.place(function), what, _REASONS.get(kind, _EVENT)))
        return
    found.decorated += 1
    options = keywords(call, "path")
    try:
        found.views.append(_view(function, options, found, owner, configs, literals))
    except ValueError as error:
        found.left.append(Left(source.place(function), what, str(error)))


def _view(
    function: Function,
    options: Mapping[str, ast.expr],
    found: Declared,
    owner: str,
    configs: Mapping[str, ast.expr],
    literals: Mapping[str, Any],
) -> View:
    for name in options:
        if name not in _KNOWN:
            raise ValueError(f"{name} has no counterpart")
    for guard in ("authorizer", "api_key_required"):
        if guard in options and value_of(options[guard], literals) is not False:
            raise ValueError(_PROTECTED.format(dotted(options[guard]) or guard))
    prefix = found.apps[owner]
    path = value_of(options["path"], literals) if "path" in options else None
    methods = value_of(options["methods"], literals) if "methods" in options else ["GET"]
    if not isinstance(path, str) or not isinstance(methods, list | tuple):
        raise ValueError("its path and methods are not texts")
    if prefix is None:
        raise ValueError(f"nothing in this file registers {owner}")
    unknown = [name for name in methods if name not in _METHODS]
    if unknown:
        raise ValueError(f"no route answers {unknown[0]}")
    cors = _cors(options["cors"], configs, literals) if "cors" in options else None
    return View(function, tuple(methods), prefix + path, cors)


def _cors(
    node: ast.expr, configs: Mapping[str, ast.expr], literals: Mapping[str, Any]
) -> dict[str, Any] | None:
    config = configs.get(dotted(node), node)
    if not isinstance(config, ast.Call):
        return {"origins": ["*"], "headers": list(_HEADERS)} if value_of(config, literals) is True else None
    options = keywords(
        config, "allow_origin", "allow_headers", "expose_headers", "max_age", "allow_credentials"
    )
    values = {name: value_of(value, literals) for name, value in options.items()}
    cors: dict[str, Any] = {"origins": [values.get("allow_origin") or "*"]}
    cors["headers"] = [*_HEADERS, *(values.get("allow_headers") or ())]
    if isinstance(values.get("max_age"), int):
        cors["max_age"] = values["max_age"]
    if values.get("allow_credentials") and cors["origins"] != ["*"]:
        cors["credentials"] = True
    return cors


def uses(function: Function, apps: Mapping[str, str | None]) -> Iterator[tuple[ast.Attribute, str]]:
    """The places of a body where an app is used: the whole expression `app.x`, and `x`."""
    for node in ast.walk(ast.Module(function.body, [])):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in apps:
            yield node, node.attr
