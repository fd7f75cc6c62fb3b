"""Lambda@Edge for origin requests: the request as an event, and what the function makes of it.

Sources: Amazon CloudFront Developer Guide, "Lambda@Edge event structure", "Work with requests and responses",
"Restrictions on edge functions", "Quotas on Lambda@Edge".
"""

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from packager.preview.cdn import is_forbidden
from packager.preview.http import Answer, Headers
from packager.preview.topology import Distribution, Origin

MAX_BODY = 2**20
"""Bytes of a request's body that a function gets; what is more is cut off."""

MAX_RESPONSE = 2**20
"""Bytes of an answer that a function makes itself, its headers and its body as it is encoded."""

_PROTOCOL = b"cloudfront-forwarded-proto"
_GENERATED_FORBIDDEN = frozenset((b"content-length", b"transfer-encoding", b"via"))


class InvalidResultError(ValueError):
    """What the function returned is neither a request nor a response that CloudFront takes; the text says why."""


@dataclass(frozen=True, slots=True)
class OriginRequest:
    """A request on its way to the origin; `path` and `query` as sent, no hop-by-hop headers."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    ip: str


def event_of(
    distribution: Distribution, origin: Origin, request: OriginRequest, request_id: str, body: bytes | None
) -> bytes:
    """The event in JSON. `body` is at most one byte longer than `MAX_BODY`; None: the function gets none."""
    row: dict[str, Any] = {
        "clientIp": request.ip,
        "method": request.method,
        "uri": request.path.decode("latin-1"),
        "querystring": request.query.decode("latin-1"),
        # Without it a function takes the viewer's protocol for HTTPS, which there is none of here.
        "headers": _rows((*request.headers, (_PROTOCOL, b"http"))),
        "origin": {
            "custom": {
                "customHeaders": _rows((k.encode(), v.encode()) for k, v in origin.headers),
                "domainName": origin.host,
                "keepaliveTimeout": 5,
                "path": "",
                "port": 443,
                "protocol": "https",
                "readTimeout": origin.timeout,
                "sslProtocols": ["TLSv1.2"],
            }
        },
    }
    if body is not None:
        row["body"] = {
            "inputTruncated": len(body) > MAX_BODY,
            "action": "read-only",
            "encoding": "base64",
            "data": base64.b64encode(body[:MAX_BODY]).decode("ascii"),
        }
    config = {
        "distributionDomainName": distribution.host,
        "distributionId": distribution.host.partition(".")[0].upper(),
        "eventType": "origin-request",
        "requestId": request_id,
    }
    return json.dumps({"Records": [{"cf": {"config": config, "request": row}}]}).encode()


def outcome_of(request: OriginRequest, result: Any) -> OriginRequest | Answer:
    """The request for the origin that the function let pass, or its own answer.

    Raises `InvalidResultError` where CloudFront answers 502.
    """
    if not isinstance(result, dict):
        raise InvalidResultError(f"it returned {json.dumps(result)[:80]}, neither a request nor a response")
    if "status" in result:
        return _generated(result)
    if "uri" not in result:
        raise InvalidResultError("it returned an object without uri and without status")
    return OriginRequest(
        request.method,
        _bytes(result["uri"]),
        _bytes(result.get("querystring", "")),
        tuple(pair for pair in _pairs(result.get("headers", {})) if pair[0] != _PROTOCOL),
        request.ip,
    )


def _generated(result: dict[str, Any]) -> Answer:
    status = str(result["status"])
    if not (status.isascii() and status.isdigit() and 200 <= int(status) <= 599):
        raise InvalidResultError(f"its status is {result['status']!r}")
    headers = _pairs(result.get("headers", {}))
    for name, _ in headers:
        if is_forbidden(name) or name in _GENERATED_FORBIDDEN:
            raise InvalidResultError(f"it sets the header {name.decode('latin-1')}, which CloudFront forbids")
    text = result.get("body", "")
    size = len(text.encode("utf-8", "replace")) + sum(len(name) + len(value) + 4 for name, value in headers)
    if size > MAX_RESPONSE:
        raise InvalidResultError(f"its answer has {size} bytes; Lambda@Edge may make {MAX_RESPONSE}")
    if result.get("bodyEncoding") != "base64":
        return Answer(int(status), headers, text.encode("utf-8", "replace"))
    try:
        return Answer(int(status), headers, base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise InvalidResultError(f"its body is not base64: {error}") from error


def _rows(headers: Iterable[Sequence[bytes]]) -> dict[str, list[dict[str, str]]]:
    rows: dict[str, list[dict[str, str]]] = {}
    for raw_name, value in headers:
        name = raw_name.decode("latin-1")
        rows.setdefault(name, []).append({"key": name, "value": value.decode("latin-1")})
    return rows


def _pairs(rows: Any) -> Headers:
    try:
        return tuple(
            (name.lower().encode("latin-1"), _bytes(row["value"]))
            for name, values in rows.items()
            for row in values
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise InvalidResultError("its headers are not lists of {key, value} by name") from error


def _bytes(text: Any) -> bytes:
    """As it was sent: texts of events hold a character for each byte."""
    try:
        return str(text).encode("latin-1")
    except UnicodeEncodeError:
        return str(text).encode("utf-8", "replace")
