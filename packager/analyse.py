"""What the sources of routes and middleware say, read from their syntax trees. Nothing is imported."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from infra.manifest import Middleware
from packager.diagnostics import Diagnostic, in_order
from packager.literals import LiteralError, bindings, constants, evaluate
from packager.model import MiddlewareFile, Project, RouteFile, Tree
from packager.route_config import Declared
from packager.route_config import read as read_config
from packager.sources import Node, Source, column, read
from runtimes.matchers import MatcherError, parse
from runtimes.table import METHODS

_LOWERCASE = frozenset(METHODS) - {"QUERY"}
"""Names that are surely meant as handlers in whatever case; `query` is a common name for a helper."""


@dataclass(frozen=True, slots=True)
class RouteSource:
    """A route file with what its source says. `methods` are those it defines itself."""

    file: RouteFile
    declared: Declared
    methods: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sources:
    """All that the sources of routes and middleware say; where `auto` routes run is not known yet."""

    project: Project
    routes: tuple[RouteSource, ...]
    middleware: tuple[Middleware, ...]


def analyse(project: Project, tree: Tree) -> tuple[Sources, tuple[Diagnostic, ...]]:
    """Read every route and middleware of the tree.

    Routes that Python refuses or that have no handlers are left out; constants with a fault count as absent.
    Middleware stays: with a fault it is before every request of its folder, so that nothing that it should
    guard goes unguarded. Reports `syntax-error`, `no-handlers`, `lowercase-method`, `invalid-config` and
    `invalid-matcher`.
    """
    found: list[Diagnostic] = []
    middleware = tuple(_middleware(project, file, found) for file in tree.middleware)
    routes = tuple(item for file in tree.routes if (item := _route(project, file, found)))
    return Sources(project, routes, middleware), in_order(found)


def handlers(bound: Mapping[str, list[Node]], names: Mapping[str, ast.expr]) -> frozenset[str]:
    """The methods that a module binds to something that can be called, or at least is no literal."""
    return frozenset(
        method for method in bound.keys() & METHODS if not isinstance(names.get(method), ast.Constant)
    )


def _route(project: Project, file: RouteFile, found: list[Diagnostic]) -> RouteSource | None:
    source = read(project.root, file.file)
    if isinstance(source, Diagnostic):
        found.append(source)
        return None
    bound = bindings(source.tree)
    declared, faults = read_config(source, bound)
    misspelt = _misspelt(source)
    methods = handlers(bound, constants(source.tree, bound))
    found += (*faults, *misspelt)
    if not methods and not misspelt:
        found.append(_no_handlers(source))
    return RouteSource(file, declared, methods) if methods else None


def _misspelt(source: Source) -> list[Diagnostic]:
    return [
        Diagnostic(
            "lowercase-method",
            source.file,
            node.lineno,
            column(source, node),
            f"{node.name} answers no request: handlers are named in capitals",
            f"Rename it to {node.name.upper()}, or give a helper another name.",
        )
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name not in METHODS
        and node.name.upper() in _LOWERCASE
    ]


def _no_handlers(source: Source) -> Diagnostic:
    return Diagnostic(
        "no-handlers",
        source.file,
        1,
        1,
        "the route has no handler at the top level of the file",
        "Define one, such as `async def GET(request): …`; names that `import *` brings do not count.",
    )


def _middleware(project: Project, file: MiddlewareFile, found: list[Diagnostic]) -> Middleware:
    source = read(project.root, file.file)
    if isinstance(source, Diagnostic):
        found.append(source)
        return Middleware(file.file, file.scope, None)
    bound = bindings(source.tree)
    if "middleware" not in bound:
        message = "the file has no function named middleware"
        found.append(
            Diagnostic("no-handlers", file.file, 1, 1, message, "Define `def middleware(request): …`.")
        )
    try:
        matchers = _matchers(source, bound)
    except _ConfigError as error:
        found.append(error.diagnostic)
        matchers = None
    return Middleware(file.file, file.scope, matchers)


class _ConfigError(Exception):
    """The `config` of a middleware has a fault."""

    def __init__(self, source: Source, rule: str, node: Node, message: str, hint: str) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(rule, source.file, node.lineno, column(source, node), message, hint)


_CONFIG_HINT = 'Write config = {"matcher": "/api/:path*"}, or a list, with literal values, at the top level.'


def _matchers(source: Source, bound: Mapping[str, list[Node]]) -> tuple[object, ...] | None:
    """The checked value of `config["matcher"]` as a tuple, None without one."""
    if "config" not in bound:
        return None
    names = constants(source.tree, bound)
    if "config" not in names:
        message = "config is not bound once by a plain assignment, so the build cannot read it"
        raise _ConfigError(source, "invalid-config", bound["config"][-1], message, _CONFIG_HINT)
    node = names["config"]
    try:
        config = evaluate(node, names)
    except LiteralError as error:
        raise _ConfigError(source, "invalid-config", error.node, f"config: {error}", _CONFIG_HINT) from None
    if not isinstance(config, dict):
        raise _ConfigError(source, "invalid-config", node, "config must be a dict", _CONFIG_HINT)
    if unknown := [key for key in config if key != "matcher"]:
        raise _ConfigError(
            source, "invalid-config", node, f"config has the unknown key {unknown[0]!r}", _CONFIG_HINT
        )
    if "matcher" not in config:
        return None
    matcher = config["matcher"]
    try:
        parse(matcher)
    except MatcherError as error:
        hint = "Matchers are paths such as /api/:path*, or objects with source, has and missing in a list."
        raise _ConfigError(source, "invalid-matcher", node, str(error), hint) from None
    return tuple(matcher) if isinstance(matcher, list | tuple) else (matcher,)
