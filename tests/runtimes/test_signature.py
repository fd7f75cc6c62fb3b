# ruff: noqa: N805 - functions in a class body, to have them in a list
import functools
import inspect
import subprocess
import sys
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, Optional, TypedDict

import pytest
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, StreamingResponse

from runtimes import Request, Response, content_type, status
from runtimes.signature import Answer, SignatureError, answers, signature


class New(BaseModel):
    name: str


@dataclass
class User:
    id: int


class Ids(TypedDict):
    id: int


FIRST: Ids = {"id": 1}

type Found = User | Annotated[Ids, status(404)]


class Untyped:
    def nothing(): ...
    def plain(request, params): ...
    def annotated(request: Request, params: dict) -> Response: ...
    def mapped(request: Request, params: Mapping[str, str]) -> dict[str, Any]: ...
    def listed(request) -> list[dict]: ...
    def raising() -> NoReturn: ...
    def anything(request, params: Any) -> Any: ...
    def unannotated(request, body): ...
    def streamed() -> StreamingResponse | JSONResponse | dict | None: ...
    def later() -> Awaitable[Response]: ...
    def variable(*args: int, **kwargs: int): ...
    def own(request, params, extra=1): ...


UNTYPED = [item for item in vars(Untyped).values() if inspect.isfunction(item)]


@pytest.mark.parametrize("handler", UNTYPED, ids=lambda item: item.__name__)
def test_a_handler_that_asks_and_promises_nothing_is_untyped(handler):
    assert signature(handler) is None


def test_a_built_in_is_untyped():
    assert signature(functools.partial(dict, a=1)) is None
    assert signature(print) is None


def test_parameters_are_told_apart_by_their_names():
    async def handler(request, params: Ids, *, body: New, query: Ids = FIRST, spare: int = 3) -> User: ...

    found = signature(handler)
    assert found is not None
    assert (found.positional, found.sources, found.defaults, found.returns) == (
        1,
        {"params": Ids, "body": New, "query": Ids},
        {"query": FIRST},
        User,
    )
    assert (found.arguments, found.keywords) == (("request", "params"), ("body", "query"))


@pytest.mark.parametrize(
    ("handler", "arguments", "keywords"),
    [
        (lambda *, body: None, (), ("body",)),
        (lambda *, request, body: None, (), ("request", "body")),
        (lambda params, *, body: None, ("params",), ("body",)),
        (lambda req, ctx, *, body: None, ("request", "params"), ("body",)),
        (lambda ctx, params, spare=1, *, body: None, ("request", "params"), ("body",)),
        (lambda *, params, body: None, (), ("params", "body")),
    ],
)
def test_what_is_passed_how(handler, arguments, keywords):
    found = signature(handler)
    assert found is not None
    assert (found.arguments, found.keywords) == (arguments, keywords)


def test_a_source_may_come_by_position_too():
    def handler(body: New, request: Request, /, spare=1, query: Ids = None): ...

    found = signature(handler)
    assert found is not None
    assert (found.positional, found.arguments, found.keywords) == (
        2,
        ("body", "request", "params", "query"),
        (),
    )


def test_a_signature_is_seen_through_decorators_methods_and_partials():
    def decorated(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs): ...

        return wrapper

    class Handlers:
        def method(self, *, body: New): ...

        def __call__(self, *, body: New): ...

    @decorated
    def handler(*, body: "New"): ...

    for item in (handler, Handlers().method, Handlers(), functools.partial(handler)):
        found = signature(item)
        assert found is not None
        assert found.sources == {"body": New}


def test_an_annotation_that_is_not_there_is_an_error_with_its_place():
    def handler(*, body: "Missing"): ...  # noqa: F821

    with pytest.raises(SignatureError, match="annotation of body cannot be resolved") as caught:
        signature(handler)
    assert caught.value.code is handler.__code__


def test_only_a_status_of_an_answer_is_one():
    with pytest.raises(ValueError, match="outside"):
        status(99)


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        (inspect.Signature.empty, ()),
        (User, (Answer(User, "json", 200, "application/json"),)),
        (
            Found,
            (Answer(User, "json", 200, "application/json"), Answer(Ids, "json", 404, "application/json")),
        ),
        (
            Optional[User],  # noqa: UP045
            (
                Answer(User, "json", 200, "application/json"),
                Answer(type(None), "json", 200, "application/json"),
            ),
        ),
        (type(None), (Answer(type(None), "empty", 204, None),)),
        (Annotated[None, status(202)], (Answer(type(None), "empty", 202, None),)),
        (bytes, (Answer(bytes, "bytes", 200, "application/octet-stream"),)),
        (Annotated[bytes, content_type("image/png")], (Answer(bytes, "bytes", 200, "image/png"),)),
        (str, (Answer(str, "text", 200, "text/plain; charset=utf-8"),)),
        (list[User], (Answer(list[User], "json", 200, "application/json"),)),
        (Annotated[dict, status(201)], (Answer(dict, "open", 201, "application/json"),)),
        (
            Annotated[StreamingResponse, content_type("text/event-stream")],
            (Answer(StreamingResponse, "response", 200, "text/event-stream"),),
        ),
        (
            Response | User,
            (Answer(Response, "response", 200, None), Answer(User, "json", 200, "application/json")),
        ),
    ],
)
def test_a_return_annotation_promises_answers(returns, expected):
    assert answers(returns) == expected


def test_what_is_ours_is_taken_out_of_annotated_and_what_is_theirs_stays():
    bounded = Annotated[int, Field(gt=0), status(201)]
    [answer] = answers(bounded)
    assert (answer.kind, answer.status) == ("json", 201)
    assert answer.annotation.__metadata__[0].metadata[0].gt == 0


PROBE = """
import sys
from dataclasses import dataclass
from runtimes import handlers, signature

@dataclass
class User:
    id: int

class Route:
    def GET(request, params: dict) -> User: return User(1)
    def POST(request) -> list[int]: return [1]
    def PUT() -> str: return "x"
    def PATCH(request, params): return {}

if sys.argv[1] == "without":
    signature.has_pydantic = lambda: False
found = handlers.handlers_of(Route, "route.py")
print("pydantic" in sys.modules, *(found[name].function is getattr(Route, name) for name in found))
"""


@pytest.mark.parametrize(
    ("pydantic", "expected"),
    [("without", "False True True False True"), ("with", "True False False False True")],
)
def test_an_answer_alone_is_validated_where_pydantic_is_and_needs_none(pydantic, expected):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, pydantic], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == expected, done.stderr


def test_a_module_without_typed_handlers_imports_neither_pydantic_nor_what_validates():
    script = """
import sys
from runtimes import handlers
class Route:
    def GET(request, params: dict) -> dict: return {}
[found] = handlers.handlers_of(Route, "route.py").values()
print(found.function is Route.GET, [name for name in sys.modules if "pydantic" in name or "typed" in name])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True []", done.stderr
