"""What a handler asks for by the names and types of its parameters, and what its return annotation promises.

    async def POST(request, *, body: NewUser, query: Page = Page()) -> Annotated[User, status(201)]: …

Decided once, when a route is imported, and without pydantic: a handler that asks for nothing here is called as ever.
"""

import functools
import inspect
import sys
from collections import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from types import CodeType, NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Never,
    NoReturn,
    TypeAliasType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from starlette.responses import Response as StarletteResponse

from runtimes.table import SOURCES

type Kind = Literal["json", "text", "bytes", "empty", "response", "open"]
"""`json`: validated and serialised; `text`, `bytes`: sent as they are; `empty`: None, without a body; `response`: the
handler's own response; `open`: JSON of which nothing is promised."""

_MISSING = inspect.Signature.empty
_MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)
_LISTS = (list, abc.Sequence, abc.MutableSequence)
_PLAIN = ("request", "params")
_CONTENT_TYPES = {
    "json": "application/json",
    "open": "application/json",
    "text": "text/plain; charset=utf-8",
    "bytes": "application/octet-stream",
}


@dataclass(frozen=True, slots=True)
class Status:
    """In `Annotated`: the status of an answer of that type."""

    code: int


@dataclass(frozen=True, slots=True)
class ContentType:
    """In `Annotated`: the media type of an answer of that type."""

    value: str


def status(code: int) -> Status:
    """For annotations: `-> User | Annotated[Problem, status(404)]`; what is returned decides, by its type.

    Raises `ValueError` for what is no status of an answer.
    """
    if not 200 <= code <= 599:
        raise ValueError(f"status {code} is outside 200–599")
    return Status(code)


def content_type(value: str) -> ContentType:
    """For annotations: `-> Annotated[bytes, content_type("image/png")]`."""
    return ContentType(value)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a typed handler takes and promises.

    `positional` is how many of `(request, params)` it takes as they are. `sources` has the annotations, resolved and
    with `Annotated`, of what is filled by name, `defaults` the values of those that may be missing. `returns` is the
    resolved return annotation, or `inspect.Signature.empty`. `arguments` names what is passed by position, in order
    (`request`, `params` or a source), `keywords` what is passed by name.
    """

    positional: int
    sources: Mapping[str, Any]
    defaults: Mapping[str, Any]
    returns: Any
    arguments: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the answers that a return annotation promises.

    `annotation` is the type without `status` and `content_type`. `content_type` is None where there is no body, or
    where the handler's own response has it.
    """

    annotation: Any
    kind: Kind
    status: int
    content_type: str | None


class SignatureError(TypeError):
    """A handler cannot be served as it is annotated. `code` is the handler's, if it has one, and so its place."""

    def __init__(self, message: str, function: Callable[..., Any] | CodeType | None) -> None:
        super().__init__(message)
        code = function if isinstance(function, CodeType) else getattr(function, "__code__", None)
        self.code: CodeType | None = code


def signature(handler: Callable[..., Any]) -> Signature | None:
    """What a handler asks for and promises; None if it is untyped, and nothing is validated for it.

    It is typed by a parameter that is named like one of `SOURCES` and annotated, or passed by keyword alone (`params`
    only with an annotation that is no mapping), or by a return annotation that says more than "a response". A return
    annotation alone, for what pydantic would have to validate, counts only where pydantic is installed. Raises
    `SignatureError` for an annotation that cannot be resolved, and for a parameter that nothing fills.
    """
    found = parameters(handler)
    if found is None:
        return None
    function = _function(handler)
    raw = _annotations(function)
    sources = _sources(function, found, raw)
    returns = _returns(function, raw, alone=not sources)
    if not sources and returns is _MISSING:
        return None
    arguments, keywords = _passed(function, found, sources)
    return Signature(
        sum(name not in sources for name in arguments),
        sources,
        {item.name: item.default for item in found if item.name in sources and item.default is not _MISSING},
        returns,
        arguments,
        keywords,
    )


def parameters(handler: Callable[..., Any]) -> Sequence[inspect.Parameter] | None:
    """The parameters of what can be called; None if they cannot be told. Their annotations are not evaluated."""
    try:
        if sys.version_info >= (3, 14):
            from annotationlib import Format  # noqa: PLC0415 - a module of Python 3.14

            found = inspect.signature(handler, annotation_format=Format.FORWARDREF)
        else:
            found = inspect.signature(handler)
    except (TypeError, ValueError):
        return None
    return tuple(found.parameters.values())


def answers(returns: Any) -> tuple[Answer, ...]:
    """The answers that `Signature.returns` promises, in the order of the text; none without an annotation.

    `str` and `bytes` go out as they are; None has no body, with status 204, if it is the whole annotation or has a
    status of its own, and is JSON's `null` beside other JSON.
    """
    if returns is _MISSING:
        return ()
    members = tuple(_members(returns))
    kinds = [_kind(annotation) for annotation, _ in members]
    found = []
    for (annotation, metadata), kind in zip(members, kinds, strict=True):
        if kind == "empty" and len(members) > 1 and not metadata:
            kind = "json" if "json" in kinds else "open"  # noqa: PLW2901
        code = next(
            (item.code for item in metadata if isinstance(item, Status)), 204 if kind == "empty" else 200
        )
        default = _CONTENT_TYPES.get(kind)
        media = next((item.value for item in metadata if isinstance(item, ContentType)), default)
        found.append(Answer(annotation, kind, code, media))
    return tuple(found)


def _members(annotation: Any) -> Iterator[tuple[Any, tuple[Status | ContentType, ...]]]:
    """The members of a union, each with what `Annotated` says of its answer."""
    origin = get_origin(annotation)
    if isinstance(annotation, TypeAliasType):
        yield from _members(annotation.__value__)
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    elif origin in (abc.Awaitable, abc.Coroutine):
        yield from _members(get_args(annotation)[-1])
    elif origin is Annotated:
        inner, *rest = get_args(annotation)
        ours = tuple(item for item in rest if isinstance(item, Status | ContentType))
        theirs = [item for item in rest if not isinstance(item, Status | ContentType)]
        yield (functools.reduce(lambda kind, item: Annotated[kind, item], theirs, inner), ours)
    else:
        yield annotation, ()


def _kind(annotation: Any) -> Kind:
    bare = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if bare is NoneType or bare is None:
        return "empty"
    if bare is str:
        return "text"
    if bare in (bytes, bytearray, memoryview):
        return "bytes"
    if isinstance(bare, type) and get_origin(bare) is None and issubclass(bare, StarletteResponse):
        return "response"
    return "open" if _is_open(bare) else "json"


def _is_open(annotation: Any) -> bool:
    """Whether an annotation promises nothing that could be validated."""
    if annotation in (Any, object, Never, NoReturn) or isinstance(annotation, TypeVar):
        return True
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is None:
        own = is_typeddict(annotation) or hasattr(annotation, "__get_pydantic_core_schema__")
        if annotation in (str, bytes, bytearray, memoryview):  # sequences, too
            return False
        return (
            isinstance(annotation, type)
            and issubclass(annotation, (dict, list, *_MAPPINGS, *_LISTS))
            and not own
        )
    if origin in _MAPPINGS:
        return not inner or (inner[0] in (str, Any) and _is_open(inner[1]))
    return origin in _LISTS and all(map(_is_open, inner))


def _sources(
    function: Callable[..., Any], found: Sequence[inspect.Parameter], raw: Mapping[str, Any]
) -> dict[str, Any]:
    """The annotations of the parameters that are filled by name."""
    sources = {}
    for item in found:
        alone = item.kind is item.KEYWORD_ONLY
        variable = item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD)
        if item.name not in SOURCES or variable or not (alone or item.name in raw):
            continue
        annotation = resolved(function, item.name, raw[item.name]) if item.name in raw else Any
        untyped = item.name == "params" and _is_untyped_params(annotation)
        if alone or not untyped:
            sources[item.name] = Any if untyped else annotation
    return sources


def _is_untyped_params(annotation: Any) -> bool:
    bare = get_origin(annotation) or annotation
    return bare in (Any, object, *_MAPPINGS)


def _returns(function: Callable[..., Any], raw: Mapping[str, Any], *, alone: bool) -> Any:
    """The return annotation, or `empty` if it promises nothing. `alone`: nothing else makes the handler typed."""
    if "return" not in raw:
        return _MISSING
    try:
        returns = resolved(function, "return", raw["return"])
    except SignatureError:
        # A response that is imported for type checkers alone promises nothing.
        if str(getattr(raw["return"], "__forward_arg__", raw["return"])).endswith("Response"):
            return _MISSING
        raise
    if not alone:
        return returns
    marked = any(metadata for _, metadata in _members(returns))
    kinds = {answer.kind for answer in answers(returns)}
    if not marked and (kinds <= {"response", "open"} or ("json" in kinds and not has_pydantic())):
        return _MISSING
    return returns


@cache
def has_pydantic() -> bool:
    """Whether pydantic can be imported."""
    return "pydantic" in sys.modules or find_spec("pydantic") is not None


def _passed(
    function: Callable[..., Any], found: Sequence[inspect.Parameter], sources: Mapping[str, Any]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of what is passed by position, and by keyword. Raises `SignatureError` for one that nothing fills."""
    arguments: list[str] = []
    keywords: list[str] = []
    gap = False
    for item in found:
        if item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD):
            continue
        name = item.name if item.name in sources else _plain(item.name, arguments)
        if item.kind is item.KEYWORD_ONLY or (gap and item.kind is not item.POSITIONAL_ONLY):
            known = item.name == name
            keywords += [item.name] if known else []
        else:
            known = name is not None and not gap
            arguments += [name] if name and known else []
            gap = gap or not known
        if not known and item.default is _MISSING:
            filled = ", ".join(("request", *SOURCES))
            raise SignatureError(f"nothing fills the parameter {item.name}: there are {filled}", function)
    return tuple(arguments), tuple(keywords)


def _plain(name: str, taken: Sequence[str]) -> str | None:
    """Which of `(request, params)` a parameter by position gets: the one of its name, else the next one."""
    if name in _PLAIN and name not in taken:
        return name
    return next((item for item in _PLAIN if item not in taken), None)


def _function(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The function that the author annotated, below decorators."""
    function: Callable[..., Any] = inspect.unwrap(handler)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    called: Callable[..., Any] = type(function).__call__
    return (
        inspect.unwrap(called)
        if not hasattr(function, "__code__") and hasattr(called, "__code__")
        else function
    )


def _annotations(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The annotations as they are written: some are texts, or names that are not bound yet."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations  # noqa: PLC0415 - a module of Python 3.14

        return get_annotations(function, format=Format.FORWARDREF)
    found: Mapping[str, Any] = getattr(function, "__annotations__", {})
    return found


def resolved(function: Callable[..., Any], name: str, annotation: Any) -> Any:
    """One annotation of a function with its names looked up. Raises `SignatureError` if one is not there."""

    def bare() -> None: ...

    # alone, so that what concerns nobody, such as the type of `request`, need not be there at run time
    bare.__annotations__ = {name: annotation}
    bare.__type_params__ = getattr(function, "__type_params__", ())
    try:
        return get_type_hints(bare, globalns=getattr(function, "__globals__", {}), include_extras=True)[name]
    except Exception as error:
        what = "return annotation" if name == "return" else f"annotation of {name}"
        raise SignatureError(
            f"the {what} cannot be resolved ({error}): import what it names outside of TYPE_CHECKING, "
            "at the top level of the module",
            function,
        ) from error
