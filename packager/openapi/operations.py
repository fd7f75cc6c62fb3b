"""What the route tree says without being imported: every operation, with what the text of its handler tells."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from infra.manifest import Param
from packager.analyse import RouteSource, analyse
from packager.diagnostics import Diagnostic
from packager.discover import discover
from packager.errors import DiagnosticsError
from packager.literals import bindings
from packager.model import Project
from packager.route_config import DEFAULTS
from packager.sources import Node, Source
from packager.sources import read as read_source
from runtimes.table import SOURCES

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
"""The methods that OpenAPI 3.1 has an operation for, in the order of the document; QUERY is none of them."""

_ENDS = {"not_found": 404, "forbidden": 403, "unauthorized": 401, "redirect": 307, "permanent_redirect": 308}
"""The functions of `runtimes` that end a request, with what they answer, each without a body."""

_OPTIONAL = "/[[..."
_SEGMENT = re.compile(r"\[+(?:\.\.\.)?([^\[\]]+)\]+")
_UNTYPED_RETURNS = {"Response", "StarletteResponse", "HTMLResponse", "PlainTextResponse", "RedirectResponse"}
_UNTYPED_PARAMS = {"dict", "Mapping", "Any"}

type Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as far as text tells it.

    `id` is unique in the document, `path` is spelled as OpenAPI does (`/api/users/{id}`), with all of `params` in it.
    `limit` is the largest body in bytes, None if only a build knows it. `reads_request`: the handler takes the
    request, and so perhaps its body. `ends` are the statuses that it answers without a body, `cookies` those that it
    sets, as far as its file spells them out.
    """

    id: str
    file: str
    method: str
    path: str
    params: tuple[Param, ...]
    tag: str
    limit: int | None
    summary: str | None = None
    description: str | None = None
    deprecated: bool = False
    reads_request: bool = True
    ends: tuple[int, ...] = ()
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operations:
    """All operations, sorted by path and method.

    `typed` are the files whose handlers may be typed, so that only an import tells. `left_out` are routes with their
    method, `QUERY /api/search`, that OpenAPI has no operation for. `edge`: some routes run on edge, or may.
    """

    rows: tuple[Operation, ...]
    typed: tuple[str, ...]
    left_out: tuple[str, ...]
    edge: bool


def read(project: Project) -> Operations:
    """The operations of the project. Raises `DiagnosticsError` if the tree or a route has an error."""
    tree, of_tree = discover(project)
    sources, of_sources = analyse(project, tree)
    if any(item.severity == "error" for item in (*of_tree, *of_sources)):
        raise DiagnosticsError([*of_tree, *of_sources])
    rows: list[Operation] = []
    typed: list[str] = []
    for item in sources.routes:
        source = read_source(project.root, item.file.file)
        assert not isinstance(source, Diagnostic)
        functions = _functions(source)
        rows += _operations(item, source, functions)
        bound = bindings(source.tree)
        if any(method not in functions or len(bound[method]) > 1 for method in item.methods) or any(
            _may_be_typed(function) for function in functions.values()
        ):
            typed.append(item.file.file)
    return Operations(
        rows=_unique(sorted(rows, key=lambda row: (row.path, METHODS.index(row.method)))),
        typed=tuple(sorted(typed)),
        left_out=tuple(
            sorted(f"QUERY {item.file.path}" for item in sources.routes if "QUERY" in item.methods)
        ),
        edge=any(item.declared.runtime in ("edge", "auto") for item in sources.routes),
    )


def _functions(source: Source) -> dict[str, Function]:
    return {
        node.name: node
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in (*METHODS, "QUERY")
    }


def _operations(item: RouteSource, source: Source, functions: Mapping[str, Function]) -> Iterator[Operation]:
    declared = item.declared
    limit = declared.max_body_size
    if limit is None and declared.runtime != "auto":
        limit = DEFAULTS["edge" if declared.runtime == "edge" else "nodejs"].max_body_size
    imported = _imported(source)
    for method in item.methods:
        if method not in METHODS:
            continue
        function = functions.get(method)
        for path, params in _paths(item):
            row = Operation(
                id=_id(method, path),
                file=item.file.file,
                method=method,
                path=path,
                params=params,
                tag=_tag(item.file.path),
                limit=limit,
            )
            yield _told(row, function, imported) if function else row


def _told(row: Operation, function: Function, imported: Mapping[str, str]) -> Operation:
    """The operation with what its handler's own text tells."""
    summary, _, description = (ast.get_docstring(function) or "").partition("\n\n")
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = [imported.get(node.func.id, "") for node in calls if isinstance(node.func, ast.Name)]
    taken = [
        item.arg for item in (*function.args.posonlyargs, *function.args.args) if item.arg not in SOURCES
    ]
    return replace(
        row,
        summary=" ".join(summary.split()) or None,
        description=description.strip() or None,
        deprecated=any(_name(item) == "deprecated" for item in function.decorator_list),
        reads_request=bool(taken or function.args.vararg),
        ends=tuple(sorted({_ENDS[name] for name in names if name in _ENDS})),
        cookies=tuple(sorted({name for node in calls if (name := _cookie(node))})),
    )


def _imported(source: Source) -> dict[str, str]:
    """What the names that the module imports from `runtimes` are called there."""
    return {
        alias.asname or alias.name: alias.name
        for node in source.tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "runtimes"
        for alias in node.names
    }


def _cookie(call: ast.Call) -> str | None:
    """The name in `response.cookies.set("name", …)` and `cookies().set("name", …)`."""
    match call:
        case ast.Call(
            func=ast.Attribute(
                attr="set", value=ast.Attribute(attr="cookies") | ast.Call(func=ast.Name("cookies"))
            ),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return name
    return None


def _may_be_typed(function: Function) -> bool:
    """Whether an import could find more than the text: a false yes costs an import, no more."""
    arguments = function.args
    for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if item.arg == "params":
            if item in arguments.kwonlyargs or not (
                item.annotation is None or _name(item.annotation) in _UNTYPED_PARAMS
            ):
                return True
        elif item.arg in SOURCES:
            return True
    return function.returns is not None and _name(function.returns) not in _UNTYPED_RETURNS


def _name(node: Node) -> str:
    """The last name of `a.b.name`, `name[…]` or `name(…)`; "" for any other expression."""
    match node:
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _name(inner)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _paths(item: RouteSource) -> Iterator[tuple[str, tuple[Param, ...]]]:
    """The route's paths: two if its last segments may be missing."""
    path, params = item.file.path, item.file.params
    if _OPTIONAL in path:
        yield path.partition(_OPTIONAL)[0] or "/", params[:-1]
    yield _SEGMENT.sub(r"{\1}", path), params


def _id(method: str, path: str) -> str:
    return "_".join([method.lower(), *re.findall(r"[A-Za-z0-9]+", path)])


def _tag(path: str) -> str:
    """The first segment that tells apart: `api` alone does not."""
    static = [part for part in path.split("/") if part and not part.startswith("[")]
    return next((part for part in static if part != "api"), "api")


def _unique(rows: Iterable[Operation]) -> tuple[Operation, ...]:
    """One operation for each path and method, and an id for each: of two that are the same the second gets a number.

    `[slug]` and `[...slug]` in one folder are one path for OpenAPI.
    """
    found: dict[tuple[str, str], Operation] = {}
    counts: dict[str, int] = {}
    for row in rows:
        if (row.path, row.method) not in found:
            counts[row.id] = number = counts.get(row.id, 0) + 1
            found[row.path, row.method] = row if number == 1 else replace(row, id=f"{row.id}_{number}")
    return tuple(found.values())
