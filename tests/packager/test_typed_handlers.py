"""What the build knows of typed handlers before anything is imported."""

import ast

import pytest

from packager.examine import examine
from packager.sources import Source
from packager.typed_handlers import typed_handlers

ROUTE = "app/a/route.py"


def found(text):
    source = Source(ROUTE, tuple(text.splitlines()), ast.parse(text))
    return [(item.node.name, item.optional) for item in typed_handlers(source)]


@pytest.mark.parametrize(
    "handler",
    [
        "GET(): ...",
        "GET(request, params): ...",
        "GET(request: Request, params: dict) -> Response: ...",
        "GET(request, params: 'Mapping[str, str]') -> dict[str, Any]: ...",
        "GET(request, params: typing.Any) -> typing.Any: ...",
        "GET(request, body): ...",
        "GET() -> StreamingResponse | responses.JSONResponse | None: ...",
        "GET() -> 'Response': ...",
        "GET() -> str: ...",
        "GET() -> Annotated[bytes, content_type('image/png')]: ...",
        "GET() -> Annotated[None, status(202)]: ...",
        "GET() -> Annotated[StreamingResponse, content_type('text/event-stream')]: ...",
        "GET() -> list[dict]: ...",
        "GET() -> Awaitable[Response]: ...",
        "helper(body: New) -> User: ...",
    ],
)
def test_untyped(handler):
    assert found(f"def {handler}\n") == []


@pytest.mark.parametrize(
    "handler",
    [
        "GET(body: New): ...",
        "GET(*, query): ...",
        "GET(request, params: UserParams): ...",
        "GET(request, params: 'UserParams | None'): ...",
        "GET(*, params: dict): ...",
        "GET(headers: dict, /): ...",
        "GET() -> Annotated[User, status(201)]: ...",
        "GET() -> 'None | t.Annotated[User, runtimes.status(201)]': ...",
    ],
)
def test_what_needs_pydantic(handler):
    assert found(f"async def {handler}\n") == [("GET", False)]


@pytest.mark.parametrize("annotation", ["User", "list[int]", "dict[str, int]", "User | None", "'User'"])
def test_an_answer_alone_is_validated_only_if_pydantic_is_there(annotation):
    assert found(f"def GET() -> {annotation}: ...\n") == [("GET", True)]


TYPED = 'runtime = "{runtime}"\nfrom dataclasses import dataclass\n\ndef POST(*, body: list[int]) -> list[int]: ...\n'


@pytest.mark.parametrize("runtime", ["edge", "nodejs"])
def test_a_typed_handler_without_pydantic_is_an_error_with_the_command_that_mends_it(write, runtime):
    [error] = examine(write({ROUTE: TYPED.format(runtime=runtime)})).diagnostics
    assert (error.rule, error.file, error.line, error.severity) == (
        "typed-without-pydantic",
        ROUTE,
        4,
        "error",
    )
    assert "uv add pydantic" in error.hint


def test_a_route_that_only_promises_an_answer_needs_nothing(write):
    assert examine(write({ROUTE: "def GET() -> list[int]: ...\n"})).diagnostics == ()


def test_typed_functions_elsewhere_are_no_handlers(write):
    root = write({ROUTE: "from lib.x import POST\n", "lib/x.py": "def POST(*, body: list[int]): ...\n"})
    assert examine(root).diagnostics == ()
