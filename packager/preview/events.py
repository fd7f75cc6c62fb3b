"""API Gateway HTTP API, payload format 2.0: a request as an event, a function's result as an answer.

The HTTP API decodes its escapes once, so that `%2F` becomes a slash, and
cuts it off at an escaped `?`; the query stays as it was sent. What becomes of a `%` that begins no escape is nowhere
written down: here it stays.
Sources: docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html;
github.com/honojs/hono/issues/2156, github.com/fastify/aws-lambda-fastify/issues/169 and
github.com/middleapi/standard-server/pull/93 for paths; for CloudFront repost.aws, "behaviour path pattern matching".
"""

import base64
import binascii
import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from packager.preview.http import HOP_BY_HOP, Answer, Arrival
from runtimes.routing import segments

ACCOUNT = "123456789012"
_TEXT = re.compile(r"text/|application/(json|javascript|xml|[\w.+-]+\+(json|xml))(;|$)", re.IGNORECASE)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE_BREAK = re.compile(r"[\r\n\0]")


class MalformedResultError(ValueError):
    """The function's result is not a response of payload 2.0; the text says why."""


def event(arrival: Arrival, body: bytes) -> dict[str, Any]:
    """The event a function gets. Header values are read as Latin-1, so that every byte survives."""
    headers, cookies = _headers(arrival, body)
    text, encoded = _body(body, headers.get("content-type"))
    host = headers.get("host", "localhost")
    path = _decoded_path(arrival.raw_path)
    now = datetime.now(UTC)
    document: dict[str, Any] = {
        "version": "2.0",
        "routeKey": arrival.route_key,
        "rawPath": path,
        "rawQueryString": arrival.query.decode("latin-1"),
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "preview",
            "domainName": host,
            "domainPrefix": host.partition(".")[0].partition(":")[0],
            "http": {
                "method": arrival.method,
                "path": path,
                "protocol": f"HTTP/{arrival.http_version}",
                "sourceIp": arrival.client[0],
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": uuid.uuid4().hex[:16],
            "routeKey": arrival.route_key,
            "stage": "$default",
            "time": f"{now:%d/%b/%Y:%H:%M:%S +0000}",
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": encoded,
    }
    if cookies:
        document["cookies"] = cookies
    if query := _query(arrival.query):
        document["queryStringParameters"] = query
    if arrival.params:
        document["pathParameters"] = {
            name: value if isinstance(value, str) else "/".join(value)
            for name, value in arrival.params.items()
        }
    if text is not None:
        document["body"] = text
    return document


def _decoded_path(raw_path: bytes) -> str:
    return unquote_to_bytes(raw_path).decode("utf-8", "replace").partition("?")[0]


def _headers(arrival: Arrival, body: bytes) -> tuple[dict[str, str], list[str]]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in arrival.headers:
        if raw_name in HOP_BY_HOP or raw_name == b"expect":
            continue
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "cookie":
            cookies += [part for part in map(str.strip, value.split(";")) if part]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    if body:
        headers["content-length"] = str(len(body))
    before = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{before}, {arrival.client[0]}" if before else arrival.client[0]
    headers["x-forwarded-proto"] = "http"
    return headers, cookies


def _body(body: bytes, content_type: str | None) -> tuple[str | None, bool]:
    if not body:
        return None, False
    if content_type is None or _TEXT.match(content_type):
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True


def _query(query: bytes) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="replace"):
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def route_key(path: str) -> str:
    """`ANY /api/users/{id}`: the gateway's spelling of a route's path; a catch-all is greedy (`{slug+}`)."""
    parts = []
    for part in segments(path):
        if part.kind == "static":
            parts.append(part.text)
        else:
            parts.append("{" + part.text + ("" if part.kind == "single" else "+") + "}")
    return "ANY /" + "/".join(parts)


def answer(payload: bytes) -> Answer:
    """The answer that a function's result means.

    An object with `statusCode` is taken as it is. Any other value is the body of a 200: a string as its text,
    the rest as JSON. Raises `MalformedResultError` where the gateway answers its own 500.
    """
    try:
        result = json.loads(payload)
    except ValueError as error:
        raise MalformedResultError(f"not JSON: {error}") from error
    if isinstance(result, dict) and "statusCode" in result:
        return _full_answer(result)
    body = result.encode("utf-8", "surrogatepass") if isinstance(result, str) else payload
    return Answer(200, ((b"content-type", b"application/json"),), body)


def _full_answer(result: dict[str, Any]) -> Answer:
    headers = [_header(name, value) for name, value in _mapping(result, "headers").items()]
    cookies = result.get("cookies") or []
    if not isinstance(cookies, list):
        raise MalformedResultError("`cookies` is not a list")
    headers += [_header("set-cookie", value) for value in cookies]
    return Answer(_status(result["statusCode"]), tuple(headers), _decoded_body(result))


def _status(value: Any) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and 200 <= int(text) <= 599):
        raise MalformedResultError(f"`statusCode` is {value!r}")
    return int(text)


def _mapping(result: dict[str, Any], key: str) -> dict[str, Any]:
    value = result.get(key) or {}
    if not isinstance(value, dict):
        raise MalformedResultError(f"`{key}` is not an object")
    return value


def _header(name: str, value: Any) -> tuple[bytes, bytes]:
    if not isinstance(value, str | int | float):
        raise MalformedResultError(f"the header {name} is a {type(value).__name__}")
    text = json.dumps(value) if isinstance(value, bool) else str(value).strip(" \t")
    if not _TOKEN.fullmatch(name) or _LINE_BREAK.search(text):
        raise MalformedResultError(f"the header {name!r} cannot be sent")
    try:
        return name.lower().encode("ascii"), text.encode("latin-1")
    except UnicodeEncodeError:
        return name.lower().encode("ascii"), text.encode("utf-8", "replace")


def _decoded_body(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResultError(f"`body` is a {type(body).__name__}")
    if not result.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedResultError(f"`body` is not base64: {error}") from error
