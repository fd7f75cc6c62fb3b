"""What an endpoint answers, in the words of a handler: the return annotation, or a response made in place."""

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from packager.scaffold.source import Edit, Function, Source, dotted, edited, own_nodes, span

MODULE = "lib.answers"
TEXT = '''\
"""Answers as FastAPI gives them: any value becomes JSON."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json
from runtimes import Response
from starlette.responses import Response as AnyResponse


def answer(value: Any, status_code: int = 200) -> AnyResponse:
    """A response of `value`, unless it is one."""
    if isinstance(value, AnyResponse):
        return value
    return Response(to_json(value), status_code, media_type="application/json")


def shaped(value: Any, kind: Any) -> Any:
    """`value` as the model `kind`, without what that has not; attributes of objects count."""
    if isinstance(value, AnyResponse):
        return value
    return _adapter(kind).validate_python(value, from_attributes=True)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
'''
"""`lib/answers.py` of a converted app."""

_OPEN = {
    *("", "None", "Any", "typing.Any", "object", "str", "bytes", "dict", "list", "Dict", "List"),
    *("str | None", "Optional[str]"),
}
"""Annotations that say too little to make JSON by them, or that mean a text which FastAPI quotes."""

_STATUS = re.compile(r"HTTP_(\d{3})_\w+")
_TEXTS = {"HTMLResponse": "text/html; charset=utf-8", "PlainTextResponse": "text/plain; charset=utf-8"}
_JSON = {"JSONResponse", "ORJSONResponse", "UJSONResponse"}
_LINE = 88
_SAFE_CALLS = {"len", "str", "int", "float", "bool", "round", "sum"}


type Named = Callable[[str, str], str]
"""Has a name of a module imported, and gives the name under which it is."""


@dataclass(frozen=True, slots=True)
class Maker:
    """The function `name` of `module` that makes responses; it is told a `status` other than 200."""

    named: Named
    name: str
    module: str
    status: int = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """`returns` is the annotation, empty without one; `edits` are those of the body, `end` what stands below it."""

    returns: str
    edits: tuple[Edit, ...]
    end: str = ""


def answer(
    source: Source,
    function: Function,
    options: Mapping[str, ast.expr],
    named: Named,
    scalars: Iterable[str],
    inner: Sequence[Edit],
) -> Answer:
    """How an endpoint with the decorator's `options` answers.

    `named(name, module)` has a name imported; `scalars` are variables whose values are JSON as they are, `inner`
    edits that are made in what is returned too. Raises `ValueError` with the reason for what has no counterpart.
    """
    status = _status(options.get("status_code"))
    kind = dotted(options.get("response_class")).rpartition(".")[2]
    own = "" if function.returns is None else source.segment(function.returns).strip("\"'")
    model = options.get("response_model")
    none = isinstance(model, ast.Constant) and model.value is None
    declared = own if model is None else "" if none else source.segment(model)
    returns = [node for node in own_nodes(function) if isinstance(node, ast.Return)]
    if kind in _TEXTS:
        media = f'{named("content_type", "runtimes")}("{_TEXTS[kind]}")'
        code = f", {named('status', 'runtimes')}({status})" if status != 200 else ""
        return Answer(f"{named('Annotated', 'typing')}[str, {media}{code}]", ())
    if kind and kind not in _JSON:
        raise ValueError(f"response_class={kind}: return that response")
    if own.endswith("Response") and not declared.removeprefix(own):
        return Answer(own, ())
    if status in (204, 304):
        return _empty(source, function, returns, named, status)
    if declared not in _OPEN and not re.match(r"(dict|list|Dict|List)\[.*\bAny\b", declared):
        edits = [] if model is None else _shaped(source, returns, declared, own, named, inner)
        return Answer(_with_status(declared, status, named), tuple(edits))
    made = in_place(source, function, set(scalars), inner, Maker(named, "answer", MODULE, status))
    plain = not made.edits and not made.end and own.startswith(("dict", "Dict"))
    return replace(made, returns="dict") if plain else made


def _status(node: ast.expr | None) -> int:
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return 200
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    found = _STATUS.fullmatch(dotted(node).rpartition(".")[2])
    if found is None:
        raise ValueError("its status_code is not a number")
    return int(found[1])


def _with_status(annotation: str, status: int, named: Named) -> str:
    if status == 200:
        return annotation
    return f"{named('Annotated', 'typing')}[{annotation}, {named('status', 'runtimes')}({status})]"


def _empty(
    source: Source,
    function: Function,
    returns: list[ast.Return],
    named: Named,
    status: int,
) -> Answer:
    text = f"return {named('Response', 'runtimes')}(status_code={status})"
    edits = tuple(
        (*span(source, row), text)
        for row in returns
        if row.value is None or (isinstance(row.value, ast.Constant) and row.value.value is None)
    )
    return Answer("", edits, "" if _ends(function) else f"    {text}")


def _shaped(
    source: Source, returns: Iterable[ast.Return], model: str, own: str, named: Named, inner: Sequence[Edit]
) -> list[Edit]:
    """A response model filters what is returned, unless that is plainly one, or JSON, which is checked anyway."""
    edits: list[Edit] = []
    for row in returns:
        value = row.value
        made = isinstance(value, ast.Call) and dotted(value.func) == model
        if value is None or made or own == model or isinstance(value, ast.Dict) or _is_response(value):
            continue
        edits.append(
            (*span(source, value), _call(source, named("shaped", MODULE), value, f", {model}", inner))
        )
    return edits


def in_place(
    source: Source, function: Function, scalars: set[str], inner: Sequence[Edit], maker: Maker
) -> Answer:
    """Responses made where a function returns, unless they are plain JSON or made there already."""
    returns = [node for node in own_nodes(function) if isinstance(node, ast.Return)]
    whole = bool(returns) and _ends(function)
    if (
        whole
        and maker.status == 200
        and all(_is_plain(row.value, scalars) or _is_response(row.value) for row in returns)
    ):
        return Answer("", ())
    name = maker.named(maker.name, maker.module)
    code = f", {maker.status}" if maker.status != 200 else ""
    edits: list[Edit] = []
    for row in returns:
        if row.value is None:
            edits.append((*span(source, row), f"return {name}(None{code})"))
        elif not _is_response(row.value):
            edits.append((*span(source, row.value), _call(source, name, row.value, code, inner)))
    return Answer("", tuple(edits), "" if _ends(function) else f"    return {name}(None{code})")


def _is_response(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func).endswith("Response")


def _column(source: Source, value: ast.expr) -> int:
    """Where the `return` of a value begins; one on the line of its `def` gets a line of its own."""
    start = source.starts[value.lineno - 1]
    before = source.data[start : start + value.col_offset]
    indent = len(before) - len(before.lstrip())
    return indent if before.strip() == b"return" else indent + 4


def _call(source: Source, name: str, value: ast.expr, code: str, edits: Sequence[Edit]) -> str:
    """`name(value)`, a dict too long for its line with a line for each key."""

    def written(node: ast.expr) -> str:
        return edited(source, *span(source, node), edits)

    text = f"{name}({written(value)}{code})"
    column = _column(source, value)
    one_line = value.lineno == value.end_lineno
    if not one_line or column + len(f"return {text}") <= _LINE:
        return text
    pad = "\n" + " " * (column + 4)
    inner = written(value)
    if isinstance(value, ast.Dict) and None not in value.keys:
        rows = zip(value.keys, value.values, strict=True)
        pairs = [f"{written(key)}: {written(item)}," for key, item in rows if key is not None]
        inner = "{" + "".join(f"{pad}    {pair}" for pair in pairs) + pad + "}"
    arguments = [inner + code]
    if column + 4 + len(inner + code) > _LINE and code:
        arguments = [f"{inner},", f"{code.removeprefix(', ')},"]
    return f"{name}({''.join(pad + row for row in arguments)}\n{' ' * column})"


def _ends(function: Function) -> bool:
    """Whether the end of the body is never reached, as far as its last statement tells."""

    def ends(body: list[ast.stmt]) -> bool:
        match body[-1] if body else None:
            case ast.Return() | ast.Raise():
                return True
            case ast.If(body=first, orelse=second):
                return ends(first) and ends(second)
            case ast.With(body=inner) | ast.AsyncWith(body=inner):
                return ends(inner)
            case ast.Try(body=first, handlers=handlers, finalbody=last):
                return ends(last) or (ends(first) and all(ends(row.body) for row in handlers))
        return False

    return ends(function.body)


def _is_plain(node: ast.expr | None, scalars: set[str], *, top: bool = True) -> bool:
    """Whether a value is a dict or list of what JSON has; at the top nothing else is a handler's answer."""
    match node:
        case ast.Dict(keys=keys, values=values):
            return None not in keys and all(_is_plain(row, scalars, top=False) for row in values)
        case ast.List(elts=items):
            return all(_is_plain(row, scalars, top=False) for row in items)
        case _ if top:
            return False
        case ast.Constant(value=value):
            return isinstance(value, str | int | float | bool | None)
        case ast.JoinedStr():
            return True
        case ast.Name(id=name):
            return name in scalars
        case ast.Call(func=ast.Name(id=name)):
            return name in _SAFE_CALLS
        case ast.BinOp(left=left, right=right):
            return _is_plain(left, scalars, top=False) and _is_plain(right, scalars, top=False)
    return False
