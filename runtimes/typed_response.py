"""What a typed handler returned, as the response that its return annotation promises.

It is validated and serialised, by pydantic, before the first byte is sent. Without JSON in the annotation there is no
need of pydantic.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeAliasType, Union, get_args, get_origin, is_typeddict

from starlette.responses import Response as StarletteResponse

from runtimes.handlers import to_response
from runtimes.responses import BODILESS_STATUSES, Response
from runtimes.signature import Answer, SignatureError, answers

if TYPE_CHECKING:
    from pydantic import ValidationError

type Writer = Callable[[Any], StarletteResponse]
"""Makes the response of a value. Raises `MismatchError` if it does not fit."""

_MOST = 20
"""How many faults of one value are told."""
_STREAM = "an iterator is no JSON; to stream, return starlette's StreamingResponse, and annotate that"
_VALUE = re.compile(r"input_value=.*?, input_type", re.DOTALL)


class MismatchError(TypeError):
    """A value is not what the annotation promises; the text has the path and the cause of each fault."""


def writer(returns: Any, function: Callable[..., Any], place: str) -> Writer:
    """What makes the response of whatever the handler at `place` returns; its own responses go as they are.

    Of several answers the type of the value decides; where types do not tell them apart, the first that fits.
    Raises `SignatureError` for an annotation that cannot be served.
    """
    rows = answers(returns)
    for row in rows:
        if row.status in BODILESS_STATUSES and row.kind not in ("empty", "response"):
            raise SignatureError(
                f"an answer with status {row.status} has no body: annotate it as None", function
            )
    choices = list(_choices(rows, function))
    by_type = _told_apart(choices)
    in_turn = [write for _, write in choices]

    def write(result: Any) -> StarletteResponse:
        if isinstance(result, StarletteResponse):
            return result
        chosen = by_type.get(type(result)) or next(
            (made for kind, made in by_type.items() if isinstance(result, kind)), None
        )
        try:
            if chosen is not None:
                return chosen(result)
            return _first(in_turn, result) if in_turn else to_response(result, place)
        except MismatchError as error:
            raise MismatchError(f"{place} returned what its annotation does not allow: {error}") from None

    return write


def _choices(rows: Sequence[Answer], function: Callable[..., Any]) -> Iterable[tuple[list[type], Writer]]:
    """The classes of each answer's values, with what writes them; JSON of one status is one type."""
    json: dict[tuple[int, str | None], list[Any]] = {}
    for row in rows:
        if row.kind == "json":
            json.setdefault((row.status, row.content_type), []).append(row.annotation)
    for row in rows:
        if row.kind == "json":
            if members := json.pop((row.status, row.content_type), None):
                kinds = [kind for member in members for kind in _classes(member)]
                yield kinds, _json(members, row.status, row.content_type, function)
        elif row.kind == "open":
            yield _classes(row.annotation), _open(row)
        elif row.kind != "response":
            yield _classes(row.annotation), _as_it_is(row)


def _told_apart(choices: Sequence[tuple[list[type], Writer]]) -> dict[type, Writer]:
    """The writers by the class of the value, as far as that is one of a single answer."""
    found: dict[type, set[int]] = {}
    for index, (kinds, _) in enumerate(choices):
        for kind in kinds:
            found.setdefault(kind, set()).add(index)
    return {kind: choices[min(indexes)][1] for kind, indexes in found.items() if len(indexes) == 1}


def _first(writers: Sequence[Writer], result: Any) -> StarletteResponse:
    """What the first writer makes that the value fits. Raises the first one's `MismatchError` if there is none."""
    failure: MismatchError | None = None
    for write in writers:
        try:
            return write(result)
        except MismatchError as error:
            failure = failure or error
    assert failure is not None
    raise failure


def _classes(annotation: Any) -> list[type]:
    """The classes that values of a type have; none for what a class does not tell, such as a `TypedDict`."""
    origin = get_origin(annotation)
    if isinstance(annotation, TypeAliasType):
        return _classes(annotation.__value__)
    if origin is Annotated:
        return _classes(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [kind for member in get_args(annotation) for kind in _classes(member)]
    kind = NoneType if annotation is None else origin or annotation
    tells = isinstance(kind, type) and not is_typeddict(kind) and kind not in (Any, object)
    return [kind] if tells else []


def _as_it_is(row: Answer) -> Writer:
    """Text, bytes, or nothing."""
    wanted = {"text": str, "bytes": bytes | bytearray | memoryview, "empty": NoneType}[row.kind]

    def write(result: Any) -> StarletteResponse:
        if not isinstance(result, wanted):
            raise MismatchError(f"it is {type(result).__name__}")
        content = bytes(result) if isinstance(result, bytearray) else result
        return Response(content, row.status, None, row.content_type)

    return write


def _open(row: Answer) -> Writer:
    """Any JSON; null where the annotation says None."""
    nothing = row.annotation in (None, NoneType)

    def write(result: Any) -> StarletteResponse:
        if nothing and result is None:
            return Response(b"null", row.status, None, row.content_type)
        try:
            response = to_response(result, "")
        except TypeError:
            raise MismatchError(
                f"it is {type(result).__name__}, and not a response, a dict, a list or a dataclass"
            ) from None
        response.status_code = row.status
        if row.content_type != "application/json":
            response.headers["content-type"] = row.content_type or ""
        return response

    return write


def _json(members: Sequence[Any], code: int, media_type: str | None, function: Callable[..., Any]) -> Writer:
    """JSON of one type, or of several."""
    from pydantic import ConfigDict, PydanticUserError, RootModel, ValidationError  # noqa: PLC0415
    from pydantic_core import PydanticSerializationError  # noqa: PLC0415

    # In a model of its own, because its configuration reaches dataclasses, which check nothing when they are made.
    try:
        base: Any = RootModel[Union[tuple(members)]]  # type: ignore[misc]  # noqa: UP007

        class Value(base):  # type: ignore[misc]
            # JSON has no NaN: pydantic would send null, which a number does not promise
            model_config = ConfigDict(revalidate_instances="always", allow_inf_nan=False)

        if not Value.__pydantic_complete__:
            Value.model_rebuild(force=True, raise_errors=True)
    except (PydanticUserError, NameError, TypeError) as error:
        reason = _STREAM if any(map(_is_stream, members)) else str(error).splitlines()[0]
        raise SignatureError(
            f"the return annotation is no type that pydantic validates: {reason}", function
        ) from error
    validate, to_json = Value.__pydantic_validator__.validate_python, Value.__pydantic_serializer__.to_json

    def write(result: Any) -> StarletteResponse:
        try:
            answer = validate(result, from_attributes=True, by_alias=True, by_name=True)
            content = to_json(answer, by_alias=True, warnings="error")
        except ValidationError as error:
            raise MismatchError(_paths(error)) from None
        except PydanticSerializationError as error:
            # An instance of a model that was changed after it was made.
            again = Value.__pydantic_serializer__.to_python(answer, warnings=False)
            try:
                validate(again, by_alias=True, by_name=True)
            except ValidationError as found:
                raise MismatchError(_paths(found)) from None
            raise MismatchError(_VALUE.sub("input_type", str(error))) from None
        return Response(content, code, None, media_type)

    return write


def _is_stream(annotation: Any) -> bool:
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, Iterator | AsyncIterator)


def _paths(error: "ValidationError") -> str:
    """Each fault as `items[3].price: what is wrong`, without the values."""
    rows = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(": ".join(filter(None, (path(row["loc"]), row["msg"]))) for row in rows[:_MOST])


def path(steps: Iterable[int | str]) -> str:
    """The way to a value in a document, as Python would spell it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
