import json
from typing import Any

import pytest

from packager.preview import events
from packager.preview.http import Answer, Arrival, Headers

JSON = (b"content-type", b"application/json")


def arrival(
    headers: Headers = (), query: bytes = b"", path: str | None = None, raw: bytes = b"/x", **params: Any
) -> Arrival:
    key = events.route_key(path) if path else "$default"
    return Arrival("GET", raw, query, headers, ("10.0.0.1", 5), "1.1", key, params)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (b"application/json", b"{}", ("{}", False)),
        (b"application/json", b"\xff", ("/w==", True)),
        (b"application/problem+json; charset=utf-8", b"{}", ("{}", False)),
        (b"text/plain", "é".encode(), ("é", False)),
        (b"application/x-www-form-urlencoded", b"a=1", ("YT0x", True)),
        (b"image/png", b"abc", ("YWJj", True)),
        (None, b"abc", ("abc", False)),
    ],
)
def test_bodies_are_text_or_base64_by_their_type(
    content_type: bytes | None, body: bytes, expected: Any
) -> None:
    headers: Headers = ((b"content-type", content_type),) if content_type else ()
    event = events.event(arrival(headers), body)
    assert (event["body"], event["isBase64Encoded"]) == expected


def test_request_without_body_and_cookies_has_no_such_keys() -> None:
    event = events.event(arrival(), b"")
    assert not {"body", "cookies", "pathParameters", "queryStringParameters"} & event.keys()
    assert event["routeKey"] == event["requestContext"]["routeKey"] == "$default"


def test_hop_by_hop_headers_stay_behind() -> None:
    sent = ((b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"expect", b"x"), (b"a", b"\xe9"))
    assert events.event(arrival(sent), b"abc")["headers"] == {
        "a": "\xe9",
        "content-length": "3",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-proto": "http",
    }


@pytest.mark.parametrize(
    ("sent", "decoded"),
    [
        (b"/a%2Fb", "/a/b"),
        (b"/a%252Fb", "/a%2Fb"),
        (b"/a%20b+c", "/a b+c"),
        (b"/%C3%A9/\xc3\xa9", "/é/é"),
        (b"/%zz/100%25", "/%zz/100%"),
        (b"/me%3Fadmin/x", "/me"),
        (b"/orders%23", "/orders#"),
        (b"/a//b/", "/a//b/"),
    ],
)
def test_the_gateway_decodes_the_path_once(sent: bytes, decoded: str) -> None:
    event = events.event(arrival(raw=sent), b"")
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == decoded


def test_repeated_query_parameters_are_joined_by_commas() -> None:
    event = events.event(arrival(query=b"a=1&a=2&b=%20&c"), b"")
    assert event["queryStringParameters"] == {"a": "1,2", "b": " ", "c": ""}
    assert event["rawQueryString"] == "a=1&a=2&b=%20&c"


@pytest.mark.parametrize(
    ("path", "key"),
    [("/", "ANY /"), ("/api/users/[id]", "ANY /api/users/{id}"), ("/a/[[...slug]]", "ANY /a/{slug+}")],
)
def test_route_key_is_spelled_as_the_gateway_does(path: str, key: str) -> None:
    assert events.event(arrival(path=path), b"")["routeKey"] == key


@pytest.mark.parametrize(
    ("result", "status", "headers", "body"),
    [
        ("hello", 200, (JSON,), b"hello"),
        ({"a": 1}, 200, (JSON,), b'{"a": 1}'),
        (None, 200, (JSON,), b"null"),
        ({"statusCode": 200}, 200, (), b""),
        ({"statusCode": "418", "body": "é"}, 418, (), "é".encode()),
        ({"statusCode": 200, "headers": {"A-B": 1, "C": True}}, 200, ((b"a-b", b"1"), (b"c", b"true")), b""),
        ({"statusCode": 200, "headers": None, "cookies": ["a=1"]}, 200, ((b"set-cookie", b"a=1"),), b""),
        ({"statusCode": 200, "body": "/w==", "isBase64Encoded": True}, 200, (), b"\xff"),
    ],
)
def test_results_become_answers(result: Any, status: int, headers: Headers, body: bytes) -> None:
    assert events.answer(json.dumps(result).encode()) == Answer(status, headers, body)


@pytest.mark.parametrize(
    "result",
    [
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": True},
        {"statusCode": None},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "cookies": ["a=1\nb"]},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_malformed_results_are_refused(result: Any) -> None:
    with pytest.raises(events.MalformedResultError):
        events.answer(json.dumps(result).encode())


def test_result_that_is_not_json_is_refused() -> None:
    with pytest.raises(events.MalformedResultError, match="not JSON"):
        events.answer(b"\xff")


def test_forwarded_headers_are_the_gateways_own() -> None:
    sent = ((b"x-forwarded-proto", b"https"), (b"x-forwarded-for", b"1.2.3.4"))
    headers = events.event(arrival(sent), b"")["headers"]
    assert headers == {
        "x-forwarded-proto": "http",
        "x-forwarded-for": "1.2.3.4, 10.0.0.1",
    }
