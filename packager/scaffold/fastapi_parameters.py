"""The parameters of FastAPI functions: what FastAPI would fill each with, and what that is here."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from packager.scaffold.source import Edit, Function, Source, dotted, span

type Kind = Literal[
    "params", "query", "headers", "cookies", "body", "form", "request", "dependency", "tasks", "plain"
]

_MARKERS: Mapping[str, Kind] = {
    "Path": "params",
    "Query": "query",
    "Header": "headers",
    "Cookie": "cookies",
    "Body": "body",
    "Form": "form",
    "Depends": "dependency",
}
_FIELD = {
    *("gt", "ge", "lt", "le", "min_length", "max_length", "pattern", "multiple_of", "title", "description"),
    *("examples", "deprecated", "alias", "strict", "allow_inf_nan", "max_digits", "decimal_places"),
    *("json_schema_extra", "discriminator", "default_factory"),
}
"""Arguments of markers that `pydantic.Field` takes too."""

_DROPPED = {"embed", "include_in_schema", "openapi_examples", "example", "use_cache", "media_type"}
_REFUSED = {
    "File": "uploaded files are read from `await request.form()`",
    "Security": "scopes of OAuth 2 have no counterpart: check the token in middleware or in the handler",
}
_TYPES: Mapping[str, Kind] = {"Request": "request", "BackgroundTasks": "tasks"}
_REFUSED_TYPES = {
    "Response": "return a Response with the headers and cookies that the handler sets",
    "WebSocket": "functions answer requests and keep no connections open",
    "HTTPConnection": "take the request",
    "UploadFile": _REFUSED["File"],
    "SecurityScopes": _REFUSED["Security"],
}
_COLLECTIONS = {
    *("list", "dict", "set", "frozenset", "tuple", "List", "Dict", "Set", "FrozenSet", "Tuple", "Sequence"),
    *("Mapping", "MutableMapping", "Iterable"),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `annotation` and `default` are texts, `default` None without one; `field` what `Field` is given.

    `whole`: the annotation is the model of the whole source. `provider` is what `Depends` names.
    """

    name: str
    kind: Kind
    annotation: str
    default: str | None = None
    field: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    embedded: bool = False
    provider: ast.expr | None = None


def parameters(
    source: Source, function: Function, path: Iterable[str], models: Iterable[str]
) -> tuple[Parameter, ...]:
    """The parameters of an endpoint or of a dependency, for a URL with the parameters `path`.

    `models` are the names of classes that describe JSON. Raises `ValueError` with the reason for what has no
    counterpart.
    """
    if function.args.vararg or function.args.kwarg:
        raise ValueError("it takes any arguments")
    in_path, known = set(path), set(models)
    rows = [_parameter(source, node, default) for node, default in arguments(function)]
    return tuple(_placed(row, in_path, known) for row in rows if row.name != "self")


def spell_out(source: Source) -> set[ast.stmt]:
    """Put `Annotated[…]` of FastAPI's markers in the place of the names that a file gives them.

    Returns the statements that bind those names: nothing needs them any more.
    """
    aliases: dict[str, tuple[ast.stmt, ast.expr]] = {}
    for statement in source.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() as value):
                pass
            case ast.TypeAlias(name=ast.Name(id=name), value=ast.Subscript() as value):
                pass
            case _:
                continue
        inner = value.slice
        annotated = dotted(value.value).endswith("Annotated") and isinstance(inner, ast.Tuple)
        if annotated and any(map(_marker, inner.elts[1:])):  # type: ignore[attr-defined]
            aliases[name] = statement, value
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.arg)
            and isinstance(node.annotation, ast.Name)
            and node.annotation.id in aliases
        ):
            node.annotation = aliases[node.annotation.id][1]
    return {statement for statement, _ in aliases.values()}


def arguments(function: Function) -> list[tuple[ast.arg, ast.expr | None]]:
    """Every argument with its default."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults))
    rows = list(zip(positional, [*missing, *given.defaults], strict=True))
    return rows + list(zip(given.kwonlyargs, given.kw_defaults, strict=True))


def plain_signature(source: Source, function: Function) -> list[Edit]:
    """The edits that take FastAPI's markers out of a signature, so that it can be called; none without any.

    The arguments are passed by name from then on.
    """
    rows = [(node, _parameter(source, node, default)) for node, default in arguments(function)]
    if all(row.kind in ("plain", "request") for _, row in rows):
        return []
    ends = [span(source, node)[1] for node, _ in rows]
    ends += [span(source, default)[1] for _, default in arguments(function) if default is not None]
    texts = [_text(row) for _, row in rows if row.name != "self"]
    first = [row.name for _, row in rows if row.name == "self"]
    return [(min(span(source, node)[0] for node, _ in rows), max(ends), ", ".join([*first, "*", *texts]))]


def _text(row: Parameter) -> str:
    annotation = f": {row.annotation}" if row.annotation else ""
    default = "" if row.default is None else f" = {row.default}" if annotation else f"={row.default}"
    return f"{row.name}{annotation}{default}"


def _parameter(source: Source, node: ast.arg, default: ast.expr | None) -> Parameter:
    annotation = node.annotation
    markers: list[ast.Call] = []
    if isinstance(annotation, ast.Subscript) and dotted(annotation.value).endswith("Annotated"):
        inner = annotation.slice
        assert isinstance(inner, ast.Tuple)
        markers = [row for row in inner.elts[1:] if _marker(row)]  # type: ignore[misc]
        if len(markers) == len(inner.elts) - 1:
            annotation = inner.elts[0]
    text = "" if annotation is None else source.segment(annotation)
    if default is not None and _marker(default):
        assert isinstance(default, ast.Call)
        markers, default = [default], None
    given = None if default is None else source.segment(default)
    if not markers:
        return Parameter(node.arg, _of_type(text), text, given)
    return _marked(source, node.arg, text, markers[0], given)


def _marked(source: Source, name: str, annotation: str, call: ast.Call, default: str | None) -> Parameter:
    marker = dotted(call.func).rpartition(".")[2]
    if marker in _REFUSED:
        raise ValueError(f"{name}: {_REFUSED[marker]}")
    kind = _MARKERS[marker]
    options = {row.arg: row.value for row in call.keywords if row.arg}
    if kind == "dependency":
        provider = call.args[0] if call.args else options.get("dependency")
        return Parameter(name, kind, annotation, provider=provider)
    given = call.args[0] if call.args else options.pop("default", None)
    if given is not None and not (isinstance(given, ast.Constant) and given.value is ...):
        default = source.segment(given)
    rows: dict[str, str] = {}
    for option, value in options.items():
        if option == "regex":
            rows["pattern"] = source.segment(value)
        elif option in _FIELD:
            rows[option] = source.segment(value)
        elif option == "convert_underscores" or option not in _DROPPED:
            raise ValueError(f"{name}: {marker}({option}=…) has no counterpart")
    embedded = isinstance(options.get("embed"), ast.Constant) and bool(options["embed"].value)  # type: ignore[attr-defined]
    return Parameter(name, kind, annotation, default, rows, embedded=embedded)


def _placed(row: Parameter, path: set[str], models: set[str]) -> Parameter:
    """A parameter without a marker is of the path, the query or the body, by FastAPI's rules."""
    if row.annotation:
        bare = row.annotation.split("|")[0].strip().partition("[")[0].rpartition(".")[2]
        if bare in _REFUSED_TYPES and row.kind != "dependency":
            raise ValueError(f"{row.name}: {_REFUSED_TYPES[bare]}")
    if row.name in path and row.kind in ("plain", "params"):
        return _as(row, "params")
    words = set(_words(row.annotation))
    model = bool(words & models)
    if row.kind == "plain":
        collection = bool(words & _COLLECTIONS)
        return _as(row, "body" if model or collection else "query", whole=model or collection)
    if row.kind in ("query", "headers", "cookies", "form"):
        return _as(row, row.kind, whole=model and not words & _COLLECTIONS)
    if row.kind == "body":
        return _as(row, "body", whole=True)
    return row


def _as(row: Parameter, kind: Kind, *, whole: bool = False) -> Parameter:
    return Parameter(
        row.name, kind, row.annotation, row.default, row.field, whole, row.embedded, row.provider
    )


def _of_type(annotation: str) -> Kind:
    return _TYPES.get(annotation.rpartition(".")[2], "plain")


def _marker(node: ast.expr) -> bool:
    name = dotted(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    return name in _MARKERS or name in _REFUSED


def _words(annotation: str) -> list[str]:
    try:
        tree = ast.parse(annotation.strip("\"'"), mode="eval")
    except SyntaxError:
        return []
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
