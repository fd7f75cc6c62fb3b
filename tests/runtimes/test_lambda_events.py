"""Events of both senders of payload format 2.0, in the form in which AWS sends them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtimes import lambda_events
from runtimes.requests import CDN, ORIGIN

EVENTS = Path(__file__).parents[1] / "fixtures" / "lambda_events"

type Make = Callable[..., dict[str, Any]]


@pytest.fixture
def http_api() -> Make:
    """The event of an HTTP API, with changed keys."""
    return lambda **changed: {**json.loads((EVENTS / "http_api.json").read_text()), **changed}


@pytest.fixture
def function_url() -> Make:
    """The event of a Function URL, with changed keys."""
    return lambda **changed: {**json.loads((EVENTS / "function_url.json").read_text()), **changed}


def raw_path(event: dict[str, Any]) -> bytes:
    raw: bytes = lambda_events.scope(event, None)["raw_path"]
    return raw


def test_a_request_of_an_http_api_becomes_a_scope(http_api: Make) -> None:
    event = http_api()
    scope = lambda_events.scope(event, "context")
    headers = scope.pop("headers")
    assert (b"cookie", b"session=abc; theme=%C3%A9") in headers
    assert (b"accept-encoding", b"gzip, deflate, br") in headers
    domain = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
    assert scope == {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/a/b",
        "raw_path": b"/a/b",
        "query_string": b"q=%20+&q=2&e",
        "root_path": "",
        "server": (domain, 443),
        "client": ("192.0.2.7", 0),
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        CDN: False,
        ORIGIN: f"https://{domain}",
        "aws.event": event,
        "aws.context": "context",
    }


def test_a_request_of_a_function_url_keeps_its_path_as_sent(function_url: Make) -> None:
    scope = lambda_events.scope(function_url(), None)
    assert (scope["raw_path"], scope["path"]) == (b"/a%2Fb", "/a/b")
    assert scope["query_string"] == b"parameter1=value1&parameter1=value2"
    assert (scope["method"], scope["client"]) == ("POST", ("192.0.2.7", 0))
    assert dict(scope["headers"])[b"cookie"] == b"cookie1=1; cookie2=2"


@pytest.mark.parametrize("path", ["/%zz", "/100%", "/a%252Fb", "/a//b", "/%FF"])
def test_a_function_url_hands_every_escape_on(function_url: Make, path: str) -> None:
    assert raw_path(function_url(rawPath=path)) == path.encode()


@pytest.mark.parametrize(
    ("decoded", "expected"),
    [
        ("/a b", b"/a%20b"),
        ("/é/☃", b"/%C3%A9/%E2%98%83"),
        ("/orders#", b"/orders%23"),
        ("/me?admin", b"/me%3Fadmin"),
        ("/100%", b"/100%25"),
        ("/a\x00b", b"/a%00b"),
        ("/a%2Fb", b"/a%2Fb"),
        ("/a//b/@:+;=", b"/a//b/@:+;="),
    ],
)
def test_what_an_http_api_decoded_is_escaped_again_where_it_must_be(
    http_api: Make, decoded: str, expected: bytes
) -> None:
    assert raw_path(http_api(rawPath=decoded)) == expected


def test_the_path_of_the_cdn_counts_only_behind_it(http_api: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    event = http_api()
    event["headers"]["x-packager-path"] = "/a%2Fb%3Fc"
    assert raw_path(event) == b"/a/b"
    monkeypatch.setattr(lambda_events, "_BEHIND_CDN", True)
    assert raw_path(event) == b"/a%2Fb%3Fc"


def test_the_stage_is_no_part_of_the_path(http_api: Make) -> None:
    event = http_api(rawPath="/prod/a")
    assert raw_path(event) == b"/prod/a"
    event["requestContext"]["stage"] = "prod"
    assert raw_path(event) == b"/a"
    # under a domain name of its own an API has no stage in its paths
    assert raw_path({**event, "rawPath": "/production/a"}) == b"/production/a"


def test_header_values_need_not_be_latin(http_api: Make) -> None:
    event = http_api(headers={"X-Latin": "\xe9", "x-snow": "☃", "x-broken": "\ud800"}, cookies=["a=☃"])
    assert lambda_events.scope(event, None)["headers"] == [
        (b"x-latin", b"\xe9"),
        (b"x-snow", "☃".encode()),
        (b"x-broken", b"\xed\xa0\x80"),
        (b"cookie", "a=☃".encode()),
    ]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, b"\x00\x01\x02\xff"),
        ({"body": "é", "isBase64Encoded": False}, "é".encode()),
        ({"body": None}, b""),
        ({"body": "", "isBase64Encoded": False}, b""),
    ],
)
def test_bodies_are_text_binary_or_absent(
    function_url: Make, changed: dict[str, Any], expected: bytes
) -> None:
    assert lambda_events.body(function_url(**changed)) == expected


def test_a_request_without_headers_and_query_is_one(http_api: Make) -> None:
    event = http_api(headers=None)
    del event["cookies"], event["rawQueryString"]
    scope = lambda_events.scope(event, None)
    assert (scope["headers"], scope["query_string"], scope["scheme"]) == ([], b"", "https")
    assert lambda_events.body(event) == b""


@pytest.mark.parametrize(
    ("content_type", "content", "expected"),
    [
        (b"application/json", b"{}", ("{}", False)),
        (b"application/problem+json; charset=utf-8", b"{}", ("{}", False)),
        (b"image/svg+xml", b"<svg/>", ("<svg/>", False)),
        (b"Text/HTML", "é".encode(), ("é", False)),
        (b"text/plain", b"\xff", ("/w==", True)),
        (b"application/octet-stream", b"abc", ("YWJj", True)),
        (b"image/png", b"", ("", False)),
    ],
)
def test_a_body_is_text_if_its_type_and_bytes_are(content_type: bytes, content: bytes, expected: Any) -> None:
    result = lambda_events.result(200, [(b"Content-Type", content_type)], content)
    assert (result["body"], result["isBase64Encoded"]) == expected
    assert result["headers"] == {"content-type": content_type.decode()}


def test_cookies_stay_apart_and_other_headers_are_joined() -> None:
    rows = [
        (b"set-cookie", b"a=1, x"),
        (b"vary", b"a"),
        (b"Set-Cookie", b"b=2"),
        (b"Vary", b"b"),
        (b"x", b"\xe9"),
    ]
    assert lambda_events.result(204, rows, b"") == {
        "statusCode": 204,
        "headers": {"vary": "a, b", "x": "\xe9"},
        "body": "",
        "isBase64Encoded": False,
        "cookies": ["a=1, x", "b=2"],
    }


def test_events_of_other_kinds_are_left_to_others(http_api: Make, function_url: Make) -> None:
    assert lambda_events.is_payload_2(http_api())
    assert lambda_events.is_payload_2(function_url())
    for other in ({"version": "1.0", "requestContext": {}}, {"Records": []}, {"version": "2.0"}):
        assert not lambda_events.is_payload_2(other)
