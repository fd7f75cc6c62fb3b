"""What a FastAPI file declares: its endpoints, its CORS settings, and what has no counterpart here."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from packager.scaffold.conversion import Left
from packager.scaffold.source import Function, Source, dotted, is_function

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
_APPS = ("FastAPI", "APIRouter")
_HARMLESS = {
    *("path", "tags", "summary", "description", "response_description", "responses", "deprecated", "name"),
    *("operation_id", "include_in_schema", "openapi_extra", "methods", "dependencies"),
    *("response_model", "status_code", "response_class"),
}
"""Arguments of a decorator that only document, or that are read here."""

_PLACES = {
    "on_event": "a start-up function is given to runtimes.after_restore, one for the end to runtimes.on_shutdown",
    "exception_handler": "raise starlette's HTTPException, or catch the exception in the handlers",
    "middleware": "middleware here runs before the handler and returns a response or nothing: see middleware.py",
    "websocket": "functions answer requests and keep no connections open",
    "mount": "there are no mounted apps; static files belong to the CDN",
    "add_middleware": "see runtimes.middleware for what there is",
    "add_event_handler": "a start-up function is given to runtimes.after_restore",
    "add_api_route": "only decorators are read",
    "include_router": "its routes are in another file: convert that one too",
}
_UNKNOWN = "\0"
"""In the place of a prefix that is computed."""

_SERVER = {"Mangum", "run", "uvicorn.run"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A function and one decorator that gives it a URL. `dependencies` are run before it, for their effect."""

    function: Function
    methods: tuple[str, ...]
    pattern: str
    options: Mapping[str, ast.expr]
    dependencies: tuple[ast.expr, ...]


@dataclass(slots=True)
class Declared:
    """All that a file declares. `names` are the apps and routers, `consumed` the statements that are done with."""

    names: dict[str, "_Router"] = field(default_factory=dict)
    endpoints: list[Endpoint] = field(default_factory=list)
    cors: dict[str, Any] | None = None
    left: list[Left] = field(default_factory=list)
    consumed: set[ast.stmt] = field(default_factory=set)
    decorated: int = 0


@dataclass(slots=True)
class _Router:
    prefix: str
    dependencies: tuple[ast.expr, ...]
    is_app: bool
    mounts: list[tuple["_Router", str, tuple[ast.expr, ...]]] = field(default_factory=list)

    def reached(self) -> Iterator[tuple[str, tuple[ast.expr, ...]]]:
        """The prefix and the dependencies of each way to the app."""
        if self.is_app:
            yield self.prefix, self.dependencies
        for parent, prefix, dependencies in self.mounts:
            for outer, before in parent.reached():
                yield outer + prefix + self.prefix, (*before, *dependencies, *self.dependencies)


def declared(source: Source, literals: Mapping[str, Any]) -> Declared:
    """Read the statements of a file, in their order; `literals` are the values of its constants."""
    found = Declared()
    for statement in source.tree.body:
        _app(source, statement, found, literals)
    for statement in source.tree.body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            _call(source, statement, statement.value, found, literals)
        elif _is_main(statement) or _is_server(statement):
            found.consumed.add(statement)
    for statement in source.tree.body:
        if is_function(statement):
            _function(source, statement, found)
    return found


def keywords(call: ast.Call, *positional: str) -> dict[str, ast.expr]:
    """The arguments of a call by name; `positional` are the names of those without one."""
    given = {item.arg: item.value for item in call.keywords if item.arg}
    return {**dict(zip(positional, call.args, strict=False)), **given}


def _app(source: Source, statement: ast.stmt, found: Declared, literals: Mapping[str, Any]) -> None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call):
            pass
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call):
            pass
        case _:
            return
    kind = dotted(call.func).rpartition(".")[2]
    if kind not in _APPS:
        return
    options = keywords(call)
    found.names[name] = _Router(_prefix(options, literals), _listed(options), kind == "FastAPI")
    found.consumed.add(statement)
    for option in ("lifespan", "on_startup", "on_shutdown", "exception_handlers", "middleware", "root_path"):
        if option in options:
            reason = _PLACES["on_event"] if option != "root_path" else "see base_path in [tool.packager]"
            found.left.append(Left(source.place(options[option]), f"{kind}({option}=…)", reason))
    if "default_response_class" in options or "default" in options:
        found.left.append(Left(source.place(call), f"{kind}(default…)", "each handler makes its response"))


def _call(
    source: Source, statement: ast.stmt, call: ast.Call, found: Declared, literals: Mapping[str, Any]
) -> None:
    owner, _, method = dotted(call.func).rpartition(".")
    if owner not in found.names or not method:
        if dotted(call.func) in _SERVER:
            found.consumed.add(statement)
        return
    found.consumed.add(statement)
    options = keywords(call, "first")
    target = dotted(options.get("first"))
    if method == "include_router" and target in found.names:
        mount = (found.names[owner], _prefix(options, literals), _listed(options))
        found.names[target].mounts.append(mount)
    elif method == "mount" and (inner := _mounted(call, found)):
        path = value_of(keywords(call, "path", "app")["path"], literals)
        # what the outer app depends on is not run for it
        inner.mounts.append((_Router("", (), True), path if isinstance(path, str) else _UNKNOWN, ()))
        inner.is_app = False
    elif method == "add_middleware" and target.rpartition(".")[2] == "CORSMiddleware":
        found.cors = _cors(source, call, options, literals, found.left)
    else:
        reason = _PLACES.get(method, "there is no app object here")
        found.left.append(Left(source.place(call), f"{owner}.{method}({target or '…'})", reason))


def _mounted(call: ast.Call, found: Declared) -> _Router | None:
    """The app of this file that is mounted."""
    options = keywords(call, "path", "app")
    return found.names.get(dotted(options.get("app"))) if "path" in options else None


def _cors(
    source: Source,
    call: ast.Call,
    options: Mapping[str, ast.expr],
    literals: Mapping[str, Any],
    left: list[Left],
) -> dict[str, Any] | None:
    values = {name: value_of(node, literals) for name, node in options.items() if name != "first"}
    origins = values.get("allow_origins")
    if not isinstance(origins, list) or "allow_origin_regex" in values:
        left.append(
            Left(source.place(call), "CORSMiddleware", "its origins are not a list of texts: see `cors`")
        )
        return None
    cors: dict[str, Any] = {"origins": origins}
    for key in ("methods", "headers"):
        given = values.get(f"allow_{key}")
        # without a list, a preflight allows what it asks for, as FastAPI does for "*"
        if isinstance(given, list) and given and "*" not in given:
            cors[key] = given
    if values.get("allow_credentials") and "*" in origins:
        left.append(Left(source.place(call), "allow_credentials", "browsers refuse it beside every origin"))
    elif values.get("allow_credentials"):
        cors["credentials"] = True
    if isinstance(values.get("max_age"), int):
        cors["max_age"] = values["max_age"]
    if values.get("expose_headers"):
        left.append(
            Left(source.place(call), "expose_headers", "set Access-Control-Expose-Headers in the handler")
        )
    return cors


def _function(source: Source, function: Function, found: Declared) -> None:
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        owner, _, method = dotted(call.func if call else decorator).rpartition(".")
        if owner not in found.names:
            continue
        found.consumed.add(function)
        if call is None or method not in (*METHODS, "api_route", "trace"):
            reason = _PLACES.get(method, "there is no app object here")
            found.left.append(Left(source.place(function), f"@{owner}.{method} {function.name}", reason))
            continue
        found.decorated += 1
        options = keywords(call, "path")
        try:
            methods = _methods(method, options)
            refuse(options)
        except ValueError as error:
            found.left.append(Left(source.place(function), f"@{owner}.{method} {function.name}", str(error)))
            continue
        ways = list(found.names[owner].reached())
        if not ways:
            reason = f"nothing in this file includes {owner}"
            found.left.append(Left(source.place(function), f"@{owner}.{method} {function.name}", reason))
        for prefix, dependencies in ways:
            pattern = prefix + str(value_of(options["path"], {}))
            if _UNKNOWN in pattern:
                found.left.append(
                    Left(
                        source.place(function), f"@{owner}.{method} {function.name}", "its prefix is no text"
                    )
                )
                continue
            own = (*dependencies, *_listed(options))
            found.endpoints.append(Endpoint(function, methods, pattern, options, own))


def _methods(decorator: str, options: Mapping[str, ast.expr]) -> tuple[str, ...]:
    if not isinstance(options.get("path"), ast.Constant):
        raise ValueError("its path is not a text")
    if decorator != "api_route":
        methods: tuple[str, ...] = (decorator.upper(),)
    else:
        given = value_of(options.get("methods", ast.Constant(None)), {})
        if not isinstance(given, list | tuple | set):
            raise ValueError("its methods are not a list of texts")
        methods = tuple(sorted(str(item).upper() for item in given))
    unknown = [name for name in methods if name.lower() not in METHODS]
    if unknown:
        raise ValueError(f"no route answers {unknown[0]}")
    return methods


def refuse(options: Mapping[str, ast.expr]) -> None:
    """Raise `ValueError` for an argument of a decorator that changes the answer in a way that is not kept."""
    for name in options:
        if name not in _HARMLESS:
            raise ValueError(f"{name} has no counterpart: return what is to be sent")


def value_of(node: ast.expr, literals: Mapping[str, Any]) -> Any:
    """The value of a literal, or of a constant of the file; None for anything else."""
    if isinstance(node, ast.Name):
        return literals.get(node.id)
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def _listed(options: Mapping[str, ast.expr]) -> tuple[ast.expr, ...]:
    given = options.get("dependencies")
    return tuple(given.elts) if isinstance(given, ast.List | ast.Tuple) else (given,) if given else ()


def _prefix(options: Mapping[str, ast.expr], literals: Mapping[str, Any]) -> str:
    value = value_of(options.get("prefix", ast.Constant("")), literals)
    return value if isinstance(value, str) else _UNKNOWN


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__name__" in {
        node.id for node in ast.walk(statement.test) if isinstance(node, ast.Name)
    }


def _is_server(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Assign) else None
    return isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] == "Mangum"
