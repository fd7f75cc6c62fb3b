"""Typed handlers, asked through the application."""

import json

import pytest

from runtimes.signature import SignatureError

MODELS = """
from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from runtimes import Request, Response, content_type, status

class Item(BaseModel):
    price: float = Field(gt=0)

class New(BaseModel):
    name: str = Field(min_length=1)
    items: list[Item] = []

class User(BaseModel):
    id: int
    name: str
    born: date | None = Field(None, alias="bornOn")

class Problem(BaseModel):
    reason: str

@dataclass
class Page:
    page: int = 1
    tags: list[str] = Field(default_factory=list)

@dataclass
class Point:
    x: int
    y: float

class Ids(TypedDict):
    id: int

class Agent(BaseModel):
    user_agent: str
    x_ids: list[int] = []

class Seen(TypedDict):
    theme: NotRequired[Literal["dark", "light"]]
"""


@pytest.fixture
def route(make_app):
    """`route(source, folder="x")`: asks the route made of MODELS and the source."""

    def make(source, folder="x"):
        return make_app({f"app/api/{folder}/route.py": MODELS + source})

    return make


def problems(answer):
    assert answer.status == 422, (answer.status, answer.body)
    document = json.loads(answer.body)
    assert document["error"] == "Unprocessable Content"
    return [(*item["loc"], item["type"]) for item in document["errors"]]


JSON = [("content-type", "application/json")]


def test_the_body_becomes_a_model_and_the_answer_is_written_by_its_annotation(route):
    ask = route("""
async def POST(request: Request, *, body: New) -> Annotated[User, status(201)]:
    return User(id=len(body.items), name=body.name)
""")
    answer = ask("POST", "/api/x", JSON, b'{"name": "Ada", "items": [{"price": 2}]}')
    assert (answer.status, answer.header("content-type")) == (201, "application/json")
    assert answer.body == b'{"id":1,"name":"Ada","bornOn":null}'


def test_faults_of_all_parts_are_told_at_once_with_their_paths_and_without_what_was_sent(route):
    ask = route("""
def POST(*, body: New, query: Page, headers: Agent, cookies: Seen) -> dict:
    raise AssertionError
""")
    answer = ask(
        "POST", "/api/x?page=s3cret", [*JSON, ("cookie", "theme=s3cret")], b'{"items": [{"price": -1}]}'
    )
    assert problems(answer) == [
        ("body", "name", "missing"),
        ("body", "items", 0, "price", "greater_than"),
        ("query", "page", "int_parsing"),
        ("headers", "user_agent", "missing"),
        ("cookies", "theme", "literal_error"),
    ]
    assert b"s3cret" not in answer.body


def test_query_takes_lists_defaults_and_lax_values(route):
    ask = route("def GET(*, query: Page) -> dict:\n    return {'page': query.page, 'tags': query.tags}\n")
    assert ask("GET", "/api/x?tags=a&page=2&tags=b&utm=1").body == b'{"page":2,"tags":["a","b"]}'
    assert ask("GET", "/api/x").body == b'{"page":1,"tags":[]}'
    assert problems(ask("GET", "/api/x?page=")) == [("query", "page", "int_parsing")]


@pytest.mark.parametrize(
    ("extra", "target", "expected"),
    [
        ("ignore", "/api/x?known=1&other=2", {"known": 1}),
        ("allow", "/api/x?known=1&other=2", {"known": 1, "other": "2"}),
        ("forbid", "/api/x?known=1&other=2", [("query", "other", "extra_forbidden")]),
    ],
)
def test_what_a_query_has_besides_is_treated_as_the_model_says(route, extra, target, expected):
    ask = route(f"""
class Strict(BaseModel):
    model_config = ConfigDict(extra="{extra}")
    known: int

def GET(*, query: Strict) -> dict:
    return query.model_dump()
""")
    answer = ask("GET", target)
    assert (problems(answer) if answer.status == 422 else json.loads(answer.body)) == expected


def test_headers_and_cookies_are_found_by_their_names(route):
    ask = route("""
class Token(BaseModel):
    token: str = Field(alias="X-Api-Token")

def GET(headers: Agent, cookies: Seen) -> dict:
    return {"agent": headers.user_agent, "ids": headers.x_ids, **cookies}

def PUT(headers: Token) -> dict:
    return {"token": headers.token}

def PATCH(headers: dict[str, str]) -> dict:
    return headers
""")
    sent = [("User-Agent", "probe"), ("X-Ids", "1, 2"), ("x-ids", "3"), ("Cookie", "theme=dark; other=1")]
    assert json.loads(ask("GET", "/api/x", sent).body) == {
        "agent": "probe",
        "ids": [1, 2, 3],
        "theme": "dark",
    }
    assert ask("PUT", "/api/x", [("x-api-token", "t")]).body == b'{"token":"t"}'
    assert json.loads(ask("PATCH", "/api/x", [("Accept-Language", "de, en")]).body) == {
        "accept-language": "de, en"
    }


def test_params_are_converted_and_a_mapping_stays_as_it_is(route):
    ask = route(
        """
def GET(request, params: Ids) -> dict:
    return {"id": params["id"]}

def PUT(request: Request, params: dict[str, str], *, query: Page) -> dict:
    return params

def DELETE(*, params: Ids) -> None:
    assert params == {"id": 7}
""",
        folder="[id]",
    )
    assert ask("GET", "/api/7").body == b'{"id":7}'
    assert problems(ask("GET", "/api/seven")) == [("params", "id", "int_parsing")]
    assert ask("PUT", "/api/seven").body == b'{"id":"seven"}'
    assert (ask("DELETE", "/api/7").status, ask("DELETE", "/api/7").body) == (204, b"")


def test_a_catch_all_is_a_typed_list(route):
    ask = route(
        """
class Path(TypedDict):
    slug: list[int]

def GET(*, params: Path) -> dict:
    return {"sum": sum(params["slug"])}
""",
        folder="[...slug]",
    )
    assert ask("GET", "/api/1/2").body == b'{"sum":3}'
    assert problems(ask("GET", "/api/1/b")) == [("params", "slug", 1, "int_parsing")]


BODIES = """
def POST(body: New) -> dict:
    return {"name": body.name, "count": len(body.items)}

def PUT(body: bytes) -> bytes:
    return body

def PATCH(body: list[int] = [5]) -> dict:
    return {"sum": sum(body)}
"""
FORM = [("content-type", "application/x-www-form-urlencoded")]


@pytest.mark.parametrize(
    ("method", "headers", "body", "status", "expected"),
    [
        ("POST", [], b'{"name":"a"}', 200, b'{"name":"a","count":0}'),
        (
            "POST",
            [("content-type", "application/merge-patch+json; charset=utf-8")],
            b'{"name":"a"}',
            200,
            None,
        ),
        ("POST", JSON, b'\xef\xbb\xbf{"name":"a"}', 200, None),
        ("POST", FORM, b"name=a&name=b", 200, b'{"name":"b","count":0}'),
        ("POST", [("content-type", "text/plain")], b"{}", 415, b'{"error":"Unsupported Media Type"}'),
        ("POST", JSON, b"{", 400, None),
        ("POST", JSON, b'{"name":"a","items":[{"price":NaN}]}', 400, None),
        ("POST", JSON, b'{"name":"\\ud800"}', 400, None),
        ("POST", JSON, b"[" * 500 + b"]" * 500, 400, None),
        ("POST", JSON, b'{"name":"\xff"}', 400, None),
        ("POST", JSON, b"x" * 1001, 413, None),
        ("POST", [("content-type", "multipart/form-data")], b"x", 400, None),
        ("PUT", [("content-type", "image/png")], b"\x00\xff", 200, b"\x00\xff"),
        ("PATCH", JSON, b"", 200, b'{"sum":5}'),
        ("PATCH", JSON, b"[1,2]", 200, b'{"sum":3}'),
        ("PATCH", FORM, b"a=1", 415, None),
    ],
)
def test_bodies_of_each_kind(route, method, headers, body, status, expected):
    answer = route(BODIES)(method, "/api/x", headers, body)
    assert (answer.status, answer.body) == (status, answer.body if expected is None else expected)


def test_a_body_that_is_missing_is_a_fault_of_the_body(route):
    assert problems(route(BODIES)("POST", "/api/x", JSON)) == [("body", "missing")]


def test_a_file_of_a_form_is_its_bytes(route):
    ask = route("""
class Upload(BaseModel):
    file: bytes
    tags: list[str]

def POST(body: Upload) -> dict:
    return {"size": len(body.file), "tags": body.tags}
""")
    parts = [('file"; filename="a.bin', "\x00\x01\x02"), ("tags", "a"), ("tags", "b")]
    body = "".join(
        f'--xx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts
    )
    headers = [("content-type", "multipart/form-data; boundary=xx")]
    answer = ask("POST", "/api/x", headers, f"{body}--xx--\r\n".encode())
    assert answer.body == b'{"size":3,"tags":["a","b"]}'


ANSWERS = """
type Found = User | Annotated[Problem, status(404), content_type("application/problem+json")]

def GET(request: Request) -> Found | Annotated[None, status(304)] | Annotated[list[Point], status(203)] | Response:
    return {
        "user": User(id=1, name="a", bornOn="2000-01-02"),
        "dict": {"id": "1", "name": "a"},
        "problem": Problem(reason="gone"),
        "none": None,
        "points": [Point(1, 2.5), {"x": 1, "y": 2}],
        "own": Response("own", 418),
    }[request.query_params["what"]]

async def PUT() -> Annotated[bytes, content_type("image/png")]:
    return b"\\x89PNG"

async def POST() -> str:
    return "é"

async def PATCH() -> User | None:
    return None
"""


@pytest.mark.parametrize(
    ("method", "what", "expected"),
    [
        ("GET", "user", (200, "application/json", b'{"id":1,"name":"a","bornOn":"2000-01-02"}')),
        ("GET", "dict", (200, "application/json", b'{"id":1,"name":"a","bornOn":null}')),
        ("GET", "problem", (404, "application/problem+json", b'{"reason":"gone"}')),
        ("GET", "none", (304, None, b"")),
        ("GET", "points", (203, "application/json", b'[{"x":1,"y":2.5},{"x":1,"y":2.0}]')),
        ("GET", "own", (418, "text/plain; charset=utf-8", b"own")),
        ("PUT", "", (200, "image/png", b"\x89PNG")),
        ("POST", "", (200, "text/plain; charset=utf-8", "é".encode())),
        ("PATCH", "", (200, "application/json", b"null")),
    ],
)
def test_the_type_of_what_is_returned_decides_how_it_is_answered(route, method, what, expected):
    answer = route(ANSWERS)(method, f"/api/x?what={what}")
    assert (answer.status, answer.header("content-type"), answer.body) == expected


@pytest.mark.parametrize(
    ("annotation", "value", "body"),
    [
        ("User", "type('Row', (), {'id': 5, 'name': 'row'})()", b'{"id":5,"name":"row","bornOn":null}'),
        ("list[Item] | None", "[Item(price=1), {'price': '2'}]", b'[{"price":1.0},{"price":2.0}]'),
        ("Pages[int]", "{'items': ['1', 2]}", b'{"items":[1,2]}'),
        ("Literal['a', 'b']", "'a'", b'"a"'),
        ("int | str", "3", b"3"),
        ("int | str", "'3'", b"3"),
        ("set[date]", "{date(2026, 1, 2)}", b'["2026-01-02"]'),
        ("dict[str, int] | dict[str, str]", "{'a': 'x'}", b'{"a":"x"}'),
        ("Annotated[float, Field(gt=0)]", "1.5", b"1.5"),
        ("str | None", "None", b"null"),
        ("str | None", "'a'", b"a"),
        ("bytes | None", "None", b"null"),
    ],
)
def test_answers_of_many_types_are_converted_and_written(route, annotation, value, body):
    ask = route(f"""
class Pages[T](BaseModel):
    items: list[T]

def GET() -> {annotation}:
    return {value}
""")
    answer = ask("GET", "/api/x")
    assert (answer.status, answer.body) == (200, body)


@pytest.mark.parametrize(
    ("annotation", "value", "path"),
    [
        ("list[Point]", "[Point(1, 2.0), Point('s3cret', 2.0)]", "[1].x: Input should be a valid integer"),
        (
            "dict[str, list[Item]]",
            "{'items': [{'price': 1}, {'price': 's3cret'}]}",
            "items[1].price: Input should",
        ),
        ("User", "changed(User(id=1, name='a'), id='s3cret')", "id: Input should be a valid integer"),
        ("User", "None", "Input should be a valid dictionary"),
        ("bytes", "'s3cret'", "it is str"),
        ("None", "{}", "it is dict"),
        ("str | None", "3", "it is int"),
        ("list[float]", "[1.5, float('nan')]", "[1]: Input should be a finite number"),
        ("dict[str, float]", "{'x': float('inf')}", "x: Input should be a finite number"),
        ("Point", "Point(1, float('inf'))", "y: Input should be a finite number"),
        ("Annotated[dict, status(201)]", "'s3cret'", "it is str, and not a response, a dict"),
        ("User | Annotated[Problem, status(404)]", "3", "Input should be a valid dictionary"),
    ],
)
def test_an_answer_that_does_not_fit_is_a_500_and_the_log_has_the_path(
    route, caplog, annotation, value, path
):
    ask = route(f"""
def changed(model, **values):
    for name, value in values.items():
        setattr(model, name, value)
    return model

def GET() -> {annotation}:
    return {value}
""")
    answer = ask("GET", "/api/x")
    assert (answer.status, answer.body) == (500, b'{"error":"Internal Server Error"}')
    assert f"app/api/x/route.py GET returned what its annotation does not allow: {path}" in caplog.text
    assert "s3cret" not in str(caplog.records[0].exc_info[1])


@pytest.mark.parametrize(
    "annotation", ["Any", "object", "dict", "dict[str, Any]", "Response", "NoReturn | None"]
)
def test_an_annotation_that_promises_nothing_takes_any_json(route, annotation):
    ask = route(f"""
from typing import Any, NoReturn

def GET(*, query: Page) -> {annotation}:
    return {{"page": query.page}}
""")
    assert ask("GET", "/api/x?page=3").body == b'{"page":3}'


@pytest.mark.parametrize("annotation", ["Iterator[int]", "AsyncIterator[bytes]"])
def test_an_iterator_is_refused_with_what_streams(route, annotation):
    with pytest.raises(SignatureError, match="return starlette's StreamingResponse"):
        route(f"""
from collections.abc import AsyncIterator, Iterator

def GET(*, query: Page) -> {annotation}:
    yield
""")


def test_decorated_callable_and_sync_handlers_are_typed_too(route):
    ask = route("""
import functools

def logged(handler):
    @functools.wraps(handler)
    def wrapped(*args, **kwargs):
        return handler(*args, **kwargs)
    return wrapped

@logged
async def GET(query: Page) -> dict:
    return {"page": query.page}

class Put:
    async def __call__(self, *, query: Page) -> dict:
        return {"page": query.page}

PUT = Put()
POST = functools.partial(lambda step, *, query: {"page": query}, 1)
""")
    assert ask("GET", "/api/x?page=3").body == ask("PUT", "/api/x?page=3").body == b'{"page":3}'
    assert ask("HEAD", "/api/x?page=3").header("content-length") == "10"
    assert ask("OPTIONS", "/api/x").header("allow") == "GET, HEAD, OPTIONS, POST, PUT"
    assert ask("POST", "/api/x?page=3").body == b'{"page":{"page":"3"}}'


def test_control_flow_and_cookies_work_below_a_typed_handler(route):
    ask = route("""
from runtimes import cookies, not_found, redirect

def GET(query: Page) -> User:
    cookies().set("seen", "1")
    if query.page == 2:
        redirect("/elsewhere")
    if query.page == 3:
        not_found()
    return User(id=1, name="a")
""")
    assert ask("GET", "/api/x").header("set-cookie") == "seen=1; Path=/"
    assert (ask("GET", "/api/x?page=2").status, ask("GET", "/api/x?page=3").status) == (307, 404)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "def GET(*, query: Unknown): ...",
            "the annotation of query cannot be resolved (name 'Unknown' is not",
        ),
        (
            "def GET() -> list['Unknown']: ...",
            "the return annotation cannot be resolved (name 'Unknown' is not",
        ),
        ("def GET(*, query: int): ...", "the annotation of query has no fields"),
        ("def GET(*, query: Page, other): ...", "nothing fills the parameter other"),
        ("def GET(a, b, c, *, query: Page): ...", "nothing fills the parameter c"),
        (
            "class Plain: ...\ndef POST(body: Plain): ...",
            "the annotation of body is no type that pydantic validates",
        ),
        (
            "class Plain: ...\ndef GET() -> Plain: ...",
            "the return annotation is no type that pydantic validates",
        ),
        ("def GET() -> Annotated[User, status(204)]: ...", "an answer with status 204 has no body"),
        (
            "class Open(BaseModel):\n    a: Unknown\ndef POST(body: Open): ...",
            "no type that pydantic validates",
        ),
        ("class Open(BaseModel):\n    a: Unknown\ndef GET() -> Open: ...", "no type that pydantic validates"),
        ("class Open(TypedDict):\n    a: Unknown\ndef GET() -> Open: ...", "no type that pydantic validates"),
    ],
)
def test_what_cannot_be_served_is_an_error_at_the_handlers_line_when_the_route_is_imported(
    route, source, message
):
    with pytest.raises(TypeError) as caught:
        route(source)
    assert message in str(caught.value)
    assert str(caught.value).startswith("app/api/x/route.py ")
    last = caught.traceback[-1]
    assert str(last.path).endswith("app/api/x/route.py")
    line = (MODELS + source).splitlines()[last.lineno]
    assert line.startswith("def ")


def test_types_may_be_defined_after_what_uses_them(route):
    ask = route("""
def POST(body: list[Parent]) -> Parent:
    return body[0]

class Parent(BaseModel):
    child: Child
    point: After

class Child(TypedDict):
    name: After

@dataclass
class After:
    x: int
""")
    body = b'[{"child":{"name":{"x":1}},"point":{"x":"2"}}]'
    assert ask("POST", "/api/x", JSON, body).body == b'{"child":{"name":{"x":1}},"point":{"x":2}}'


def test_an_annotation_for_type_checkers_alone_harms_no_untyped_handler(route):
    ask = route("""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from elsewhere import JSONResponse, Thing

def GET(request: Thing, params: dict) -> JSONResponse:
    return Response("ok")
""")
    assert ask("GET", "/api/x").body == b"ok"


def test_a_default_stands_for_what_is_not_there_at_all(route):
    ask = route("""
class Filter(BaseModel):
    name: str

def GET(*, query: Filter = Filter(name="all"), headers: Agent | None = None, cookies: Seen = {"theme": "dark"}) -> dict:
    return {"name": query.name, "agent": headers and headers.user_agent, **cookies}
""")
    assert json.loads(ask("GET", "/api/x?utm=1").body) == {"name": "all", "agent": None, "theme": "dark"}
    assert json.loads(ask("GET", "/api/x?name=a", [("user-agent", "b"), ("cookie", "theme=light")]).body) == {
        "name": "a",
        "agent": "b",
        "theme": "light",
    }
