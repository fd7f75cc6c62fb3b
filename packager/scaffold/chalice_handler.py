"""A Chalice view as a handler: the current request becomes the handler's, what it returns a response."""

import ast
import re

from packager.scaffold import answers, chalice_answers
from packager.scaffold.chalice_app import View, uses
from packager.scaffold.conversion import Handler
from packager.scaffold.imports import Import
from packager.scaffold.shared import Shared
from packager.scaffold.source import (
    Edit,
    Function,
    Source,
    body_of,
    dotted,
    loads,
    names,
    own_nodes,
    span,
)
from packager.scaffold.urls import Url

_AWAITED = {"json_body": "await request.json()", "raw_body": "await request.body()"}
_RENAMED = {"uri_params": "params", "path": "request.url.path"}
_SAME = {"query_params", "headers", "method"}
_CURRENT = "current_request"


def handler(source: Source, shared: Shared, view: View, url: Url) -> Handler:
    """The handler of a view. Raises `ValueError` with the reason if it cannot be moved."""
    function = view.function
    imports: dict[str, Import] = {}

    def named(name: str, module: str) -> str:
        local = name if shared.is_free(name, module) else f"{name}_"
        imports[local] = Import(module, name)
        return local

    edits, awaits = _request_edits(source, shared, function, named)
    _refuse(shared, function)
    scalars = {row.name for row in url.params}
    answer = answers.in_place(
        source, function, scalars, edits, answers.Maker(named, "reply", chalice_answers.MODULE)
    )
    docstring, body = body_of(source, function, [*edits, *answer.edits])
    needs = bool(edits) or bool(url.params)
    used = loads(function.body)
    prelude = [f'    {row.name} = params["{row.key}"]' for row in url.params if row.name in used]
    arguments = [f"request: {named('Request', 'runtimes')}"] if needs else []
    if prelude or re.search(r"\bparams\b", body):
        arguments.append("params: dict")
    word = "async def" if awaits or isinstance(function, ast.AsyncFunctionDef) else "def"
    decorators = [
        f"@{source.segment(row)}"
        for row in function.decorator_list
        if dotted(row.func if isinstance(row, ast.Call) else row).partition(".")[0] not in shared.apps
    ]
    head = f"{word} {view.methods[0]}({', '.join(arguments)}):"
    parts = [*decorators, head, docstring, *prelude, body, answer.end]
    text = "\n".join(part for part in parts if part)
    what = f"{'/'.join(view.methods)} {view.pattern}"
    return Handler(
        url.segments, view.methods, text, source.place(function), what, cors=view.cors, imports=imports
    )


def _refuse(shared: Shared, function: Function) -> None:
    for node in own_nodes(function):
        if isinstance(node, ast.Global):
            raise ValueError(f"it assigns the global {node.names[0]}: let a function of lib/ do that")
    bare = ast.FunctionDef(function.name, function.args, function.body, [], type_params=[])
    for name in sorted(names([bare]) - shared.apps):
        if name in shared.lost:
            raise ValueError(f"{name}: {shared.lost[name]}")


def _request_edits(
    source: Source, shared: Shared, function: Function, named: answers.Named
) -> tuple[list[Edit], bool]:
    """The edits that put the handler's request in the place of the current one, and whether they await."""
    apps = dict.fromkeys(shared.apps, "")
    edits: list[Edit] = []
    current = []
    for node, what in uses(function, apps):
        if what == _CURRENT:
            current.append(node)
        elif what == "log":
            edits.append((*span(source, node), named("log", chalice_answers.MODULE)))
        else:
            raise ValueError(f"app.{what} has no counterpart")
    spoken = sum(
        isinstance(node, ast.Name) and node.id in apps for node in ast.walk(ast.Module(function.body, []))
    )
    if spoken != len(current) + len(edits):
        raise ValueError("it hands the app on")
    aliases = _aliases(source, function, current, edits)
    awaits = False
    own = {id(node) for node in own_nodes(function)}
    for parent in ast.walk(ast.Module(function.body, [])):
        for child in ast.iter_child_nodes(parent):
            if not (child in current or (isinstance(child, ast.Name) and child.id in aliases)):
                continue
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                continue
            if not isinstance(parent, ast.Attribute):
                if isinstance(parent, ast.Assign) and child in current:
                    continue
                raise ValueError("it hands the request on")
            if id(parent) not in own and parent.attr in _AWAITED:
                raise ValueError(f"{parent.attr} is read in a function inside of it")
            edits.append((*span(source, parent), _of_request(function, parent)))
            awaits = awaits or parent.attr in _AWAITED
    return edits, awaits


def _aliases(source: Source, function: Function, current: list[ast.Attribute], edits: list[Edit]) -> set[str]:
    """The variables that are the request; the statements that make them go."""
    found = set()
    for node in own_nodes(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value in current:
                found.add(name)
                assert node.end_lineno is not None
                edits.append((source.starts[node.lineno - 1], source.starts[node.end_lineno], ""))
    return found


def _of_request(function: Function, node: ast.Attribute) -> str:
    if node.attr in _AWAITED:
        alone = any(
            isinstance(row, ast.Assign | ast.Return | ast.AnnAssign) and row.value is node
            for row in own_nodes(function)
        )
        return _AWAITED[node.attr] if alone else f"({_AWAITED[node.attr]})"
    if node.attr in _RENAMED:
        return _RENAMED[node.attr]
    if node.attr in _SAME:
        return f"request.{node.attr}"
    raise ValueError(f"current_request.{node.attr} has no counterpart")
