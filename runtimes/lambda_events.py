"""Lambda events of payload format 2.0 as ASGI scopes, and responses as what Lambda hands back.

An HTTP API and a Function URL send the same format. They differ in the path: a Function URL gives it as it was sent,
an HTTP API decodes its escapes once and cuts it off at an escaped `?`, whatever the name `rawPath` says.
Sources: docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html; paths as captured in github.com/honojs/hono/issues/2156,
github.com/fastify/aws-lambda-fastify/issues/169 and github.com/middleapi/standard-server/pull/93.
"""

import base64
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from runtimes.requests import CDN, ORIGIN
from runtimes.routing import BAD_ESCAPE, PATH_HEADER

type Event = Mapping[str, Any]

# The functions can be asked directly as well, with any viewer headers: they count only where the deployment says that
# nothing but the CDN gets through to them.
_BEHIND_CDN = os.environ.get("PACKAGER_BEHIND_CDN") == "1"

_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
_TEXT_SUFFIXES = ("+json", "+xml")

# What clients send in a path, RFC 3986 (§3.3) allows it or not; and what shows that a path has been decoded.
_IN_A_PATH = "/%:@!$&'()*+,;=-._~[]|\\^`{}\"<>"
_NEVER_SENT = re.compile(r"[^!-~]|[?#]|%(?![0-9a-fA-F]{2})")


def is_payload_2(event: Event) -> bool:
    """Whether this is an event of an HTTP API or a Function URL."""
    return event.get("version") == "2.0" and "http" in event.get("requestContext", {})


def scope(event: Event, context: Any) -> dict[str, Any]:
    """The ASGI scope of a request."""
    request = event["requestContext"]
    http = request["http"]
    cookies = event.get("cookies")
    texts = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if cookies:
        texts["cookie"] = "; ".join(cookies)
    headers = _header_rows(texts)
    raw_path = _raw_path(event, request, texts)
    domain = request["domainName"]
    return {
        "type": "http",
        "http_version": http.get("protocol", "HTTP/1.1").rpartition("/")[2],
        "method": http["method"],
        "scheme": texts.get("x-forwarded-proto", "https"),
        "path": (unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path).decode("utf-8", "replace"),
        "raw_path": raw_path,
        "query_string": event.get("rawQueryString", "").encode(),
        "root_path": "",
        "headers": headers,
        "server": (domain, 443),
        "client": (http["sourceIp"], 0),
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        CDN: _BEHIND_CDN,
        ORIGIN: f"https://{domain}",
        "aws.event": event,
        "aws.context": context,
    }


def body(event: Event) -> bytes:
    """The request's body."""
    text = event.get("body")
    if not text:
        return b""
    if event.get("isBase64Encoded"):
        return base64.b64decode(text)
    encoded: bytes = text.encode("utf-8", "surrogatepass")
    return encoded


def result(status: int, rows: Iterable[Sequence[bytes]], content: bytes) -> dict[str, Any]:
    """What the function returns for a response. Bodies of text types are text, all others base64."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in rows:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        else:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    text, encoded = _body_text(content, headers.get("content-type", ""))
    answer = {"statusCode": status, "headers": headers, "body": text, "isBase64Encoded": encoded}
    if cookies:
        answer["cookies"] = cookies
    return answer


def _raw_path(event: Event, request: Event, headers: Mapping[str, str]) -> bytes:
    """The path as the client sent it, as far as it is known.

    What an HTTP API decoded is lost without the CDN's own header. Its path is taken for an encoded one wherever it
    can be one, so that clients get through who escape twice on account of the decoding.
    """
    if _BEHIND_CDN and (sent := headers.get(PATH_HEADER)):
        return sent.encode("latin-1", "replace")
    path: str = event["rawPath"]
    stage = request.get("stage", "$default")
    if stage != "$default" and path.startswith(f"/{stage}/"):
        path = path[len(stage) + 1 :]
    raw = path.encode("utf-8", "surrogatepass")
    if not _NEVER_SENT.search(path) or ".lambda-url." in request["domainName"]:
        return raw
    return BAD_ESCAPE.sub(b"%25", quote(raw, safe=_IN_A_PATH).encode())


def _header_rows(texts: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    try:
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in texts.items()]
    except UnicodeEncodeError:
        return [(_header_bytes(name), _header_bytes(value)) for name, value in texts.items()]


def _header_bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _body_text(content: bytes, content_type: str) -> tuple[str, bool]:
    """The body as the result carries it, and whether it is base64."""
    if not content:
        return "", False
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith(_TEXT_TYPES) or kind.endswith(_TEXT_SUFFIXES):
        try:
            return content.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(content).decode(), True
