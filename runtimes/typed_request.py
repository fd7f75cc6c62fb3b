"""The parts of a request as the types of a handler's parameters, validated by pydantic.

A `Reader` of each part is made when the route is imported. What does not fit is a list of faults, all of them, each
with its path; nothing that was sent is repeated in it.
"""

import dataclasses
from collections import abc
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAliasType, Union, get_args, get_origin, get_type_hints, is_typeddict
from urllib.parse import parse_qsl

from pydantic import AliasChoices, BaseModel, PydanticUserError, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from runtimes.requests import BadJSONError, Request, parse_json
from runtimes.signature import Signature, SignatureError

type Faults = list[dict[str, Any]]
"""Each with `loc` (the part of the request, then the path in it), `msg` and `type`."""
type Reader = Callable[[Request, Mapping[str, Any], Faults], Any]
"""Gives the value of one parameter, or puts what is wrong with it into the faults."""
type BodyReader = Callable[[Request, Faults], Awaitable[Any]]
type Pairs = Iterable[tuple[str, Any]]

_LISTS = (
    list,
    set,
    frozenset,
    tuple,
    abc.Sequence,
    abc.MutableSequence,
    abc.Set,
    abc.Collection,
    abc.Iterable,
)
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_BOM = b"\xef\xbb\xbf"
_NO_DEFAULT = object()
MOST_FAULTS = 1000
"""How many faults of a part are told one by one; a body of a million wrong items is not worth a gigabyte."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The keys that a type takes: all of them, and those that take several values.

    `others`: what else there is counts too, as the type allows or forbids it; `all_lists`: that as lists.
    """

    names: frozenset[str]
    lists: frozenset[str]
    others: bool = False
    all_lists: bool = False


def readers(
    found: Signature, function: Callable[..., Any]
) -> tuple[tuple[tuple[str, Reader], ...], BodyReader | None]:
    """The readers of all parts but the body, by name, and the one of the body, which is asynchronous.

    Raises `SignatureError` for a type that pydantic does not know, or that has no fields where it needs some.
    """
    made: list[tuple[str, Reader]] = []
    body = None
    for name, annotation in found.sources.items():
        validate = validator(annotation, f"the annotation of {name}", function)
        default = found.defaults.get(name, _NO_DEFAULT)
        if name == "body":
            body = _body(annotation, validate, default)
        elif name == "params":
            made.append((name, _params(validate)))
        else:
            fields = fields_of(annotation)
            if fields is None:
                raise SignatureError(
                    f"the annotation of {name} has no fields: use a model, a dataclass, a TypedDict or a dict",
                    function,
                )
            made.append((name, _part(name, fields, validate, default)))
    return tuple(made), body


def validator(annotation: Any, what: str, function: Callable[..., Any]) -> TypeAdapter[Any]:
    """pydantic's adapter for a type. Raises `SignatureError` if there is none."""
    try:
        adapter = TypeAdapter(annotation)
        if not adapter.pydantic_complete:
            adapter.rebuild(force=True, raise_errors=True)
        return adapter
    except (PydanticUserError, NameError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise SignatureError(f"{what} is no type that pydantic validates: {reason}", function) from error


def faults_of(error: ValidationError, part: str) -> Faults:
    """What is wrong, as it is sent: without the values that were received."""
    if (count := error.error_count()) > MOST_FAULTS:
        return [{"loc": [part], "msg": f"{count} faults, too many to tell", "type": "too_many_faults"}]
    rows = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"loc": [part, *row["loc"]], "msg": row["msg"], "type": row["type"]} for row in rows]


def _missing(part: str) -> dict[str, Any]:
    return {"loc": [part], "msg": "Field required", "type": "missing"}


def _params(adapter: TypeAdapter[Any]) -> Reader:
    validate = adapter.validator.validate_python

    def read(_request: Request, params: Mapping[str, Any], faults: Faults) -> Any:
        try:
            return validate(params)
        except ValidationError as error:
            faults += faults_of(error, "params")

    return read


def _part(name: str, fields: Fields, adapter: TypeAdapter[Any], default: Any) -> Reader:
    """The reader of query, headers or cookies; the default stands if nothing of what it takes is there."""
    validate = adapter.validator.validate_python
    pairs = {"query": _query, "headers": _headers(fields), "cookies": _cookies}[name]

    def read(request: Request, _params: Mapping[str, Any], faults: Faults) -> Any:
        values = gathered(pairs(request), fields)
        if not values and default is not _NO_DEFAULT:
            return default
        try:
            return validate(values)
        except ValidationError as error:
            faults += faults_of(error, name)

    return read


def _query(request: Request) -> Pairs:
    query: bytes = request.scope["query_string"]
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True) if query else ()


def _cookies(request: Request) -> Pairs:
    return request.cookies.items()


def _headers(fields: Fields) -> Callable[[Request], Pairs]:
    """The headers under the names that the fields have: `user_agent` is `User-Agent`; others in lower case."""
    names = {name.lower().replace("_", "-"): name for name in fields.names}

    def read(request: Request) -> Pairs:
        for header, value in request.headers.items():
            name = names.get(header, header)
            if name in fields.lists or fields.all_lists:
                yield from ((name, part.strip()) for part in value.split(","))
            else:
                yield name, value

    return read


def gathered(pairs: Pairs, fields: Fields) -> dict[str, Any]:
    """Names and values as the fields take them: a list of all values, or the last one."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields.names and not fields.others:
            continue
        if name in fields.lists or (fields.all_lists and name not in fields.names):
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def _body(annotation: Any, adapter: TypeAdapter[Any], default: Any) -> BodyReader:
    """The reader of the body: as it came for `bytes` and `str`, else JSON, or a form."""
    raw = raw_kind(annotation)
    fields = None if raw else fields_of(annotation)
    validate = adapter.validator.validate_python

    async def read(request: Request, faults: Faults) -> Any:
        content = await request.body()
        if not content and default is not _NO_DEFAULT:
            return default
        try:
            if raw:
                return validate(content if raw is bytes else await request.text())
            if not content:
                faults.append(_missing("body"))
                return None
            media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media in FORMS and fields is not None:
                return validate(await _form(request, fields))
            if media and media != "application/json" and not media.endswith("+json"):
                raise HTTPException(415, "Unsupported Media Type")
            return _from_json(adapter, content)
        except ValidationError as error:
            faults += faults_of(error, "body")

    return read


def _from_json(adapter: TypeAdapter[Any], content: bytes) -> Any:
    """Raises `BadJSONError` for what is no JSON, `ValidationError` for what does not fit."""
    if b"NaN" in content or b"Infinity" in content:
        parse_json(content)  # pydantic takes them for numbers
    content = content.removeprefix(_BOM)
    try:
        return adapter.validator.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] != "json_invalid":
            raise
        parse_json(content)
        # Python reads it, pydantic does not: it is nested too deeply, or has half of a surrogate pair.
        raise BadJSONError(str(first["ctx"]["error"]).partition(" at line ")[0], "", 0) from None


async def _form(request: Request, fields: Fields) -> dict[str, Any]:
    """The fields of a form; a file is its bytes. Raises `HTTPException` (400) for what is no form."""
    try:
        form = await request.form()
    except MultiPartException as error:
        raise HTTPException(400, error.message) from None
    pairs = [
        (name, item if isinstance(item, str) else await item.read()) for name, item in form.multi_items()
    ]
    await form.close()
    return gathered(pairs, fields)


def raw_kind(annotation: Any) -> type[bytes | str] | None:
    """`bytes` or `str` if that, or nothing, is what a body is to be."""
    bare = [item for item in _flat(annotation) if item is not NoneType]
    return bare[0] if len(bare) == 1 and bare[0] in (bytes, str) else None


def _flat(annotation: Any) -> list[Any]:
    """The members of a union, of an alias, and below `Annotated`."""
    origin = get_origin(annotation)
    if isinstance(annotation, TypeAliasType):
        return _flat(annotation.__value__)
    if isinstance(origin, TypeAliasType):
        return _flat(origin.__value__)
    if origin is Annotated:
        return _flat(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [item for member in get_args(annotation) for item in _flat(member)]
    return [annotation]


def fields_of(annotation: Any) -> Fields | None:
    """The fields of a type, or of all members of a union; None if one of them has none."""
    found = [_fields(item) for item in _flat(annotation) if item is not NoneType]
    known = [item for item in found if item is not None]
    if not known or len(known) != len(found):
        return None
    return Fields(
        frozenset().union(*(item.names for item in known)),
        frozenset().union(*(item.lists for item in known)),
        any(item.others for item in known),
        any(item.all_lists for item in known),
    )


def _fields(kind: Any) -> Fields | None:
    if kind is Any or kind is object:
        return Fields(frozenset(), frozenset(), others=True)
    origin = get_origin(kind) or kind
    if origin in _MAPPINGS:
        values = get_args(kind)[1:]
        return Fields(
            frozenset(), frozenset(), others=True, all_lists=bool(values) and _takes_lists(values[0])
        )
    if not isinstance(origin, type):
        return None
    if issubclass(origin, BaseModel):
        return _of_model(origin)
    if dataclasses.is_dataclass(origin) or is_typeddict(origin):
        hints = get_type_hints(origin, include_extras=True)
        keys = [(name, hint, _alias(hint)) for name, hint in hints.items()]
        names = {alias or name: _takes_lists(hint) for name, hint, alias in keys}
        config = getattr(origin, "__pydantic_config__", {})
        return _made(names, config.get("extra"))
    return None


def _made(names: Mapping[str, bool], extra: str | None) -> Fields:
    lists = frozenset(name for name, many in names.items() if many)
    return Fields(frozenset(names), lists, others=extra in ("allow", "forbid"))


def _of_model(model: type[BaseModel]) -> Fields | None:
    if "root" in model.model_fields and model.__pydantic_root_model__:
        return fields_of(model.model_fields["root"].annotation)
    names: dict[str, bool] = {}
    config = model.model_config
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        aliases = [item for item in choices if isinstance(item, str)]
        for key in (*aliases, *([name] if by_name or not aliases else [])):
            names[key] = _takes_lists(field.annotation)
    return _made(names, config.get("extra"))


def _alias(hint: Any) -> str | None:
    """The name that `Annotated[…, Field(alias=…)]` gives a field."""
    for item in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        alias = getattr(item, "validation_alias", None) or getattr(item, "alias", None)
        if isinstance(alias, str):
            return alias
    return None


def _takes_lists(annotation: Any) -> bool:
    return any((get_origin(item) or item) in _LISTS for item in _flat(_unwrapped(annotation)))


def _unwrapped(annotation: Any) -> Any:
    """Without `Required`, `NotRequired` and `ReadOnly`."""
    while get_origin(annotation) is not None and getattr(get_origin(annotation), "_name", "").endswith(
        ("Required", "ReadOnly")
    ):
        annotation = get_args(annotation)[0]
    return annotation
