"""Reading the parts of a request as types: what is taken from where, and that nothing that is sent breaks it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired, Required, TypedDict
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel

from runtimes.requests import BadJSONError, Request
from runtimes.signature import signature
from runtimes.typed import typed
from runtimes.typed_request import Fields, fields_of


class Values(BaseModel):
    number: int
    ratio: float
    flag: bool
    text: str
    numbers: list[int] = []
    texts: frozenset[str] = frozenset()


@dataclass
class Plain:
    number: int = 1
    texts: list[str] = field(default_factory=list)


def read(*, query: Values) -> dict:
    return query.model_dump(mode="json")


def tried(*, query: Plain, headers: Plain, cookies: Plain) -> dict:
    return {"sum": query.number + headers.number + cookies.number, "texts": query.texts + headers.texts}


async def taken(*, body: Values | list[Values] | None) -> dict:
    return {}


def asked(handler, query=b"", headers=(), body=b""):
    """Status and document of the answer of a handler, which is called without an event loop."""
    found = signature(handler)
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": query, "headers": list(headers)}
    request = Request(scope)
    request._body = body
    answer = typed(found, now(handler), "route.py POST", asynchronous=True)(request, {})
    try:
        answer.send(None)
    except StopIteration as stop:
        return stop.value.status_code, json.loads(stop.value.body)
    raise AssertionError("it waited")


def now(handler):
    async def call(**named):
        result = handler(**named)
        return await result if hasattr(result, "__await__") else result

    return call


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.fixed_dictionaries(
        {
            "number": st.integers(-(10**30), 10**30),
            "ratio": finite,
            "flag": st.booleans(),
            "text": st.text(),
            "numbers": st.lists(st.integers()),
            "texts": st.lists(st.text(), unique=True),
        }
    )
)
def test_what_a_query_was_made_of_comes_back(values):
    query = urlencode(values, doseq=True, errors="replace").encode()
    status, document = asked(read, query)
    assert status == 200
    assert sorted(document.pop("texts")) == sorted(values["texts"])
    assert document == {key: value for key, value in values.items() if key != "texts"}


rows = st.lists(
    st.tuples(
        st.sampled_from([b"number", b"texts", b"cookie", b"x-number"]),
        st.binary(max_size=20) | st.just(b"number=2; texts=b"),
    )
)


@given(st.binary(max_size=60) | st.builds(lambda value: b"number=" + value, st.binary()), rows)
def test_no_query_header_or_cookie_breaks_a_handler(query, headers):
    status, document = asked(tried, query, headers)
    assert status in (200, 422)
    assert all(set(row) == {"loc", "msg", "type"} for row in document.get("errors", ()))


@given(
    st.binary(max_size=80)
    | st.recursive(st.none() | finite | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_no_body_breaks_a_handler(body):
    try:
        status, _ = asked(taken, body=body)
    except BadJSONError:
        status = 400
    assert status in (200, 400, 422)


def test_a_great_many_faults_are_counted():
    status, document = asked(taken, body=json.dumps([{}] * 400).encode())
    assert (status, document["errors"]) == (
        422,
        [{"loc": ["body"], "msg": "1601 faults, too many to tell", "type": "too_many_faults"}],
    )


class Aliased(BaseModel):
    token: str = Field(alias="X-Token")
    many: list[str] = Field(default=[], validation_alias=AliasChoices("m", "many"))


class Named(BaseModel):
    model_config = ConfigDict(validate_by_name=True, extra="allow")
    token: str = Field(alias="t")


class Keys(TypedDict, total=False):
    one: Required[int]
    several: NotRequired[list[int] | None]
    other: Annotated[str, Field(alias="o")]


class Root(RootModel[dict[str, list[int]]]): ...


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Aliased, Fields(frozenset({"X-Token", "m", "many"}), frozenset({"m", "many"}))),
        (Named, Fields(frozenset({"t", "token"}), frozenset(), others=True)),
        (Keys, Fields(frozenset({"one", "several", "o"}), frozenset({"several"}))),
        (
            Keys | Named | None,
            Fields(frozenset({"one", "several", "o", "t", "token"}), frozenset({"several"}), True),
        ),
        (Root, Fields(frozenset(), frozenset(), others=True, all_lists=True)),
        (Mapping[str, str], Fields(frozenset(), frozenset(), others=True)),
        (Any, Fields(frozenset(), frozenset(), others=True)),
        (int, None),
        (Keys | int, None),
        (list[Keys], None),
    ],
)
def test_which_keys_a_type_takes(annotation, expected):
    assert fields_of(annotation) == expected
