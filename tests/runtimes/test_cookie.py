from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtimes.cookie import (
    Cookie,
    CookieStore,
    RequestCookies,
    ResponseCookies,
    parse_cookie_header,
    parse_set_cookie,
    serialise,
)


@pytest.mark.parametrize(
    ("header", "cookies"),
    [
        ("a=1; b=2", {"a": "1", "b": "2"}),
        ("a=1;b=%20x;  c", {"a": "1", "b": " x", "c": "true"}),
        ("a=1; a=2", {"a": "2"}),
        ("a=%zz; b=%ff; c=1", {"c": "1"}),
        ("a=b=c", {"a": "b=c"}),
        ("", {}),
    ],
)
def test_a_cookie_header_is_parsed_as_next_does(header, cookies):
    assert parse_cookie_header(header) == cookies


def test_attributes_stand_in_nexts_order():
    cookie = Cookie(
        "full",
        "x y",
        "/api",
        datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC),
        5,
        "example.com",
        True,
        True,
        "strict",
        True,
        "high",
    )
    assert serialise(cookie) == (
        "full=x%20y; Path=/api; Expires=Mon, 03 Feb 2031 04:05:06 GMT; Max-Age=5; Domain=example.com; "
        "Secure; HttpOnly; SameSite=strict; Partitioned; Priority=high"
    )


names = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABC0123456789_-.", min_size=1, max_size=10)
cookies = st.builds(
    Cookie,
    name=names,
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    expires=st.none()
    | st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    ),
    max_age=st.none() | st.integers(-5, 10**9),
    domain=st.sampled_from([None, "example.com"]),
    secure=st.booleans(),
    httponly=st.booleans(),
    samesite=st.sampled_from([None, "strict", "lax", "none"]),
    partitioned=st.booleans(),
    priority=st.sampled_from([None, "low", "medium", "high"]),
)


@given(cookies)
def test_a_cookie_survives_the_way_to_the_header_and_back(cookie):
    assert parse_set_cookie(serialise(cookie)) == cookie


@given(st.dictionaries(names, st.text(st.characters(exclude_categories=["Cs"]), max_size=10), min_size=1))
def test_request_cookies_survive_being_written(values):
    headers = [(b"host", b"x"), (b"cookie", b"old=1")]
    written = RequestCookies(headers)
    written.clear()
    written.update(values)
    assert RequestCookies(headers) == values
    assert headers[0] == (b"host", b"x")


@pytest.mark.parametrize(
    "change", [lambda c: c.pop("a"), lambda c: c.popitem(), lambda c: c.__delitem__("a"), lambda c: c.clear()]
)
def test_the_header_goes_with_the_last_cookie(change):
    headers = [(b"cookie", b"a=1")]
    change(RequestCookies(headers))
    assert headers == []


def test_setdefault_and_ior_write_the_header_too():
    headers = []
    view = RequestCookies(headers)
    view.setdefault("a", "1")
    view |= {"b": "2"}
    assert headers == [(b"cookie", b"a=1; b=2")]


def test_setting_again_keeps_the_place():
    headers = []
    jar = ResponseCookies(headers)
    jar.set("a", "1").set("b", "2").set("a", "3", httponly=True)
    assert [value for _, value in headers] == [b"a=3; Path=/; HttpOnly", b"b=2; Path=/"]
    assert jar.get("a") == Cookie("a", "3", httponly=True)
    assert [cookie.name for cookie in jar.get_all()] == ["a", "b"]
    assert jar.has("b")
    assert not jar.has("c")


@pytest.mark.parametrize(
    "arguments",
    [{"name": "a b"}, {"name": ""}, {"name": "ä"}, {"path": "/;x"}, {"domain": "a\r\nSet-Cookie: b=1"}],
)
def test_what_would_break_the_header_is_refused(arguments):
    with pytest.raises(ValueError, match="cookie"):
        ResponseCookies([]).set(**{"name": "a", "value": "1", **arguments})


def test_a_store_sees_its_own_changes_and_reports_only_them():
    store = CookieStore({"a": "1", "b": "2"}, lambda: True)
    store.set("c", "3")
    store.delete("a")
    assert store.get("a") is None
    assert [cookie.name for cookie in store.get_all()] == ["b", "c"]
    assert [cookie.name for cookie in store.changed] == ["c", "a"]


def test_a_store_refuses_changes_after_the_answer():
    with pytest.raises(RuntimeError, match="after"):
        CookieStore({}, lambda: False).set("a", "1")
