"""A FastAPI endpoint as a handler: its parameters by source, its dependencies called, its answer said."""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from packager.scaffold import answers
from packager.scaffold.conversion import Handler
from packager.scaffold.fastapi_app import Endpoint
from packager.scaffold.fastapi_parameters import Parameter, parameters
from packager.scaffold.imports import Import
from packager.scaffold.shared import Shared
from packager.scaffold.source import (
    Edit,
    Function,
    Source,
    body_of,
    dotted,
    indented,
    is_function,
    loads,
    names,
    own_nodes,
    span,
)
from packager.scaffold.urls import Url

_SOURCES = ("params", "query", "headers", "cookies", "body")
_TAKEN = {"json", "copy", "dict", "schema", "validate", "construct", "parse_obj", "fields", "model_config"}
"""What a field of a pydantic model may not be called."""

_OF_APP = {"app", "url_for"}
_LINE = 88


@dataclass(slots=True)
class _Draft:
    """What is known of a handler while it is put together. `provided` are the variables of dependencies.

    `bare` are the steps, by their dependency, whose value nothing has wanted so far.
    """

    source: Source
    shared: Shared
    url: Url
    title: str
    groups: dict[str, dict[str, Parameter]] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    provided: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    bare: dict[str, int] = field(default_factory=dict)
    scopes: int = 0
    request: bool = False
    asynchronous: bool = False

    def named(self, name: str, module: str) -> str:
        """The name under which the route file will have `name` of `module`."""
        local = name if self.shared.is_free(name, module) else f"{name}_"
        self.imports[local] = Import(module, name)
        return local


def handler(source: Source, shared: Shared, endpoint: Endpoint, url: Url) -> Handler:
    """The handler of an endpoint. Raises `ValueError` with the reason if it cannot be moved."""
    function = endpoint.function
    title = "".join(word.capitalize() for word in function.name.split("_") if word)
    draft = _Draft(source, shared, url, title, asynchronous=isinstance(function, ast.AsyncFunctionDef))
    _refuse_body(shared, function)
    own = _gathered(draft, function)
    effects = [_provider(row) for row in endpoint.dependencies]
    for node in effects:
        _gather_provider(draft, node)
    support = "\n\n\n".join(_model(draft, kind) for kind in _SOURCES if _has_model(draft, kind))
    for node in effects:
        _provide(draft, node, None, bare=True)
    edits = _tasks(draft, function, own)
    used = loads(function.body)
    for row in own:
        if row.kind == "dependency":
            _provide(draft, row.provider or ast.Name(row.annotation), row.name)
    prelude = [
        f"{row.name} = {_reference(draft, row)}"
        for row in own
        if row.kind in (*_SOURCES, "form") and row.name in used
    ]
    prelude = [line for line in prelude if line.partition(" = ")[0] != line.partition(" = ")[2]]
    # a parameter that is called `query` takes the place of the whole query last
    late = [line for line in prelude if line.partition(" ")[0] in _SOURCES]
    draft.steps += ["    " * draft.scopes + line for line in late]
    aliases = [f"{row.name} = request" for row in own if row.kind == "request" and row.name != "request"]
    draft.request = draft.request or any(row.kind == "request" for row in own)
    answer = answers.answer(source, function, endpoint.options, draft.named, _scalars(own), edits)
    text = _function(
        draft,
        endpoint,
        [*aliases, *(line for line in prelude if line not in late)],
        [*edits, *answer.edits],
        answer,
    )
    what = f"{'/'.join(endpoint.methods)} {endpoint.pattern}"
    return Handler(
        url.segments, endpoint.methods, text, source.place(function), what, support, imports=draft.imports
    )


def _refuse_body(shared: Shared, function: Function) -> None:
    for node in own_nodes(function):
        if isinstance(node, ast.Global):
            raise ValueError(f"it assigns the global {node.names[0]}: let a function of lib/ do that")
        if (
            isinstance(node, ast.Attribute)
            and node.attr in _OF_APP
            and dotted(node.value) in {"request", "req"}
        ):
            raise ValueError(f"request.{node.attr} has no counterpart")
        if isinstance(node, ast.Yield | ast.YieldFrom):
            raise ValueError("it is a generator: return a StreamingResponse")
    for name in sorted(_outside(function)):
        if name in shared.lost:
            raise ValueError(f"{name}: {shared.lost[name]}")


def _outside(function: Function) -> set[str]:
    """The names that a function's body needs from outside."""
    bare = ast.FunctionDef(function.name, function.args, function.body, [], type_params=[])
    return names([bare]) - names([function.args])


def _gathered(draft: _Draft, function: Function) -> tuple[Parameter, ...]:
    """The parameters of a function, put into their groups, and those of its dependencies."""
    path = [row.name for row in draft.url.params]
    rows = parameters(draft.source, function, path, draft.shared.models)
    for row in rows:
        typed = row.kind not in ("request", "tasks", "dependency")
        for name in names([ast.parse(row.annotation or "None", mode="eval")]):
            if typed and name in draft.shared.lost:
                raise ValueError(f"{row.name}: {name}: {draft.shared.lost[name]}")
        if row.kind == "dependency":
            _gather_provider(draft, row.provider or ast.Name(row.annotation))
        elif row.kind == "request":
            draft.request = True
        elif row.kind != "tasks":
            draft.groups.setdefault("body" if row.kind == "form" else row.kind, {})[row.name] = row
    body = draft.groups.get("body", {}).values()
    if len({row.kind for row in body}) > 1:
        raise ValueError("it takes a form and JSON at once")
    for kind in ("query", "headers", "cookies"):
        group = draft.groups.get(kind, {}).values()
        if len(group) > 1 and any(row.whole for row in group):
            raise ValueError(f"it takes a model of the {kind} and single ones beside it")
    return rows


def _provider(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Call) and dotted(node.func).endswith("Depends") and node.args:
        return node.args[0]
    raise ValueError(f"{ast.unparse(node)} cannot be called here: check it in middleware")


def _provider_function(draft: _Draft, node: ast.expr) -> tuple[str, Function | None]:
    name = dotted(node)
    if name in draft.shared.lost:
        raise ValueError(f"Depends({name}): {draft.shared.lost[name]}")
    found = draft.shared.definitions.get(name)
    if isinstance(found, ast.ClassDef):
        return name, next((row for row in found.body if is_function(row) and row.name == "__init__"), None)
    if not is_function(found):
        raise ValueError(f"Depends({ast.unparse(node)}) is no function of this file")
    return name, found


def _gather_provider(draft: _Draft, node: ast.expr) -> None:
    _, function = _provider_function(draft, node)
    if function is not None:
        _gathered(draft, function)


def _provide(draft: _Draft, node: ast.expr, variable: str | None, *, bare: bool = False) -> str:
    """Add the call of a dependency, once, and those of its own; the name of the variable with its value.

    `bare`: the value is not wanted, only the effect.
    """
    name, function = _provider_function(draft, node)
    if name in draft.provided:
        known = draft.provided[name]
        if name in draft.bare:
            step = draft.steps[draft.bare.pop(name)]
            draft.steps[draft.steps.index(step)] = step.replace(step.lstrip(), f"{known} = {step.lstrip()}")
        if variable and variable != known:
            draft.steps.append("    " * draft.scopes + f"{variable} = {known}")
        return variable or known
    arguments = []
    path = [row.name for row in draft.url.params]
    rows = () if function is None else parameters(draft.source, function, path, draft.shared.models)
    for row in rows:
        if row.kind == "dependency":
            inner = _provide(draft, row.provider or ast.Name(row.annotation), None)
        elif row.kind == "request":
            inner = "request"
        elif row.kind == "tasks":
            raise ValueError(f"{name} takes background tasks")
        else:
            inner = _reference(draft, row)
        arguments.append(f"{row.name}={inner}")
    target = variable or re.sub(r"^get_", "", name.lower()) + ("_" if name.lower() == name else "")
    call = f"{name}({', '.join(arguments)})"
    if bare:
        draft.bare[name] = len(draft.steps)
    _step(draft, call, function if function and function.name != "__init__" else None, "" if bare else target)
    draft.provided[name] = target
    return target


def _step(draft: _Draft, call: str, function: Function | None, target: str) -> None:
    pad = "    " * draft.scopes
    generator = function is not None and any(isinstance(row, ast.Yield) for row in own_nodes(function))
    asynchronous = isinstance(function, ast.AsyncFunctionDef)
    draft.asynchronous = draft.asynchronous or asynchronous
    if generator:
        kind = draft.named("asynccontextmanager" if asynchronous else "contextmanager", "contextlib")
        name, _, rest = call.partition("(")
        word = "async with" if asynchronous else "with"
        draft.steps.append(f"{pad}{word} {kind}({name})({rest}{f' as {target}' if target else ''}:")
        draft.scopes += 1
        return
    value = f"await {call}" if asynchronous else call
    draft.steps.append(f"{pad}{target} = {value}" if target else f"{pad}{value}")


def _has_model(draft: _Draft, kind: str) -> bool:
    group = list(draft.groups.get(kind, {}).values())
    if kind == "params":
        return any(row.annotation not in ("str", "") or row.field for row in group)
    single = len(group) == 1 and group[0].whole and not group[0].embedded
    return bool(group) and not single


def _reference(draft: _Draft, row: Parameter) -> str:
    """The expression of a parameter's value."""
    kind = "body" if row.kind == "form" else row.kind
    if kind == "params":
        param = next(item for item in draft.url.params if item.name == row.name)
        value = f"params.{_attribute(row.name)}" if _has_model(draft, "params") else f'params["{param.key}"]'
        return f'"/".join({value})' if param.rest else value
    return f"{kind}.{_attribute(row.name)}" if _has_model(draft, kind) else kind


def _attribute(name: str) -> str:
    return f"{name.lstrip('_')}_" if name in _TAKEN or name.startswith(("_", "model_")) else name


def _model(draft: _Draft, kind: str) -> str:
    base = draft.named("BaseModel", "pydantic")
    lines = [f"class {draft.title}{kind.capitalize()}({base}):"]
    keys = {row.name: row for row in draft.url.params}
    for row in sorted(draft.groups[kind].values(), key=lambda row: row.default is not None):
        options = dict(row.field)
        name = _attribute(row.name)
        annotation = row.annotation or "str"
        if kind == "params":
            options.pop("alias", None)
            annotation = "list[str]" if keys[row.name].rest else annotation
            if keys[row.name].key != name:
                options["alias"] = f'"{keys[row.name].key}"'
        elif name != row.name:
            options.setdefault("alias", f'"{row.name}"')
        if kind == "headers" and "alias" in options:
            options["alias"] = options["alias"].lower()
        arguments = [*([row.default] if row.default is not None else [])]
        arguments += [f"{key}={value}" for key, value in options.items()]
        value = row.default
        if options:
            value = f"{draft.named('Field', 'pydantic')}({', '.join(arguments)})"
        lines.append(f"    {name}: {annotation}" + (f" = {value}" if value is not None else ""))
    return "\n".join(lines)


def _scalars(rows: Iterable[Parameter]) -> set[str]:
    """The parameters whose values are JSON as they are."""
    plain = {"str", "int", "float", "bool", "None", "Optional", "Union"}
    return {
        row.name
        for row in rows
        if row.kind in ("params", "query", "headers", "cookies", "form")
        and set(re.findall(r"\w+", row.annotation or "str")) <= plain
    }


def _tasks(draft: _Draft, function: Function, own: Iterable[Parameter]) -> list[Edit]:
    """`tasks.add_task(f, x)` becomes `after(partial(f, x))`."""
    tasks = {row.name for row in own if row.kind == "tasks"}
    edits: list[Edit] = []
    seen = 0
    for node in own_nodes(function):
        if isinstance(node, ast.Name) and node.id in tasks:
            seen += 1
        if not (isinstance(node, ast.Call) and dotted(node.func) in {f"{name}.add_task" for name in tasks}):
            continue
        seen -= 1
        rows: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
        begin, end = span(draft.source, rows[0])[0], max(span(draft.source, row)[1] for row in rows)
        inner = draft.source.data[begin:end].decode()
        if len(rows) > 1:
            inner = f"{draft.named('partial', 'functools')}({inner})"
        edits.append((*span(draft.source, node), f"{draft.named('after', 'runtimes')}({inner})"))
    if seen:
        raise ValueError("its background tasks are used for more than add_task")
    return edits


def _function(
    draft: _Draft, endpoint: Endpoint, prelude: list[str], edits: list[Edit], answer: answers.Answer
) -> str:
    function = endpoint.function
    docstring, body = body_of(draft.source, function, edits)
    body = "\n".join(part for part in (body, answer.end) if part)
    if draft.scopes:
        try:
            for _ in range(draft.scopes):
                body = indented(body, draft.source, function)
        except ValueError as error:
            raise ValueError("a text of several lines stands in what a `with` would hold") from error
    head = _head(draft, endpoint.methods[0], answer.returns)
    lines = [f"    {line}" for line in (*prelude, *draft.steps)]
    decorators = [
        f"@{draft.source.segment(row)}"
        for row in function.decorator_list
        if dotted(row.func if isinstance(row, ast.Call) else row).partition(".")[0] not in draft.shared.apps
    ]
    return "\n".join(
        [*decorators, *head, *([docstring] if docstring else []), *lines, *([body] if body else [])]
    )


def _head(draft: _Draft, name: str, returns: str) -> list[str]:
    word = "async def" if draft.asynchronous else "def"
    sources: Mapping[str, str] = {
        kind: _annotation(draft, kind) for kind in _SOURCES if draft.groups.get(kind)
    }
    untyped = bool(draft.groups.get("params")) and not _has_model(draft, "params")
    arguments = []
    if draft.request or untyped:
        arguments.append(f"request: {draft.named('Request', 'runtimes')}")
    if untyped:
        arguments.append("params: dict")
    typed = [f"{kind}: {text}" for kind, text in sources.items() if not (kind == "params" and untyped)]
    if typed:
        arguments += ["*", *typed]
    arrow = f" -> {returns}" if returns else ""
    line = f"{word} {name}({', '.join(arguments)}){arrow}:"
    if len(line) <= _LINE:
        return [line]
    inner = f"    {', '.join(arguments)}"
    if len(inner) <= _LINE:
        return [f"{word} {name}(", inner, f"){arrow}:"]
    return [f"{word} {name}(", *(f"    {item}," for item in arguments), f"){arrow}:"]


def _annotation(draft: _Draft, kind: str) -> str:
    if _has_model(draft, kind) or kind == "params":
        return f"{draft.title}{kind.capitalize()}"
    row = next(iter(draft.groups[kind].values()))
    default = "" if row.default is None else f" = {row.default}"
    return f"{row.annotation or draft.named('Any', 'typing')}{default}"
