"""The Lambda handler: Mangum around the artifact's application, for HTTP API events (payload 2.0).

Mangum's own reading of the event unquotes the path twice, fails on headers that are not UTF-8 and sends
`+json` as base64; `HttpApi` reads and writes the event as AWS documents it.
"""

import base64
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from mangum import Mangum
from mangum.handlers.api_gateway import HTTPGateway
from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, Response, Scope

from runtimes import restored
from runtimes.app import load
from runtimes.requests import CDN, ORIGIN

_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
_TEXT_SUFFIXES = ("+json", "+xml")


# The HTTP API can be asked directly as well, with any viewer headers: they count only where the deployment says that
# nothing but the CDN gets through to it.
_BEHIND_CDN = os.environ.get("PACKAGER_BEHIND_CDN") == "1"


class HttpApi(HTTPGateway):
    """An HTTP API or Function URL event. Source: AWS, "payload format version 2.0"."""

    @classmethod
    def infer(cls, event: LambdaEvent, _context: LambdaContext, _config: LambdaConfig) -> bool:
        return event.get("version") == "2.0" and "http" in event.get("requestContext", {})

    @property
    def scope(self) -> Scope:
        http = self.event["requestContext"]["http"]
        headers = [
            (name.lower().encode("latin-1"), _header_bytes(value))
            for name, value in self.event.get("headers", {}).items()
            if name.lower() != "cookie" or not self.event.get("cookies")
        ]
        if cookies := self.event.get("cookies"):
            headers.append((b"cookie", _header_bytes("; ".join(cookies))))
        named = dict(headers)
        raw_path = self.event["rawPath"].encode()
        return {
            "type": "http",
            "http_version": "1.1",
            "method": http["method"],
            "scheme": named.get(b"x-forwarded-proto", b"https").decode("latin-1"),
            "path": unquote_to_bytes(raw_path).decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": self.event.get("rawQueryString", "").encode(),
            "root_path": "",
            "headers": headers,
            "server": (self.event["requestContext"]["domainName"], 443),
            "client": (http["sourceIp"], 0),
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            CDN: _BEHIND_CDN,
            ORIGIN: f"https://{self.event['requestContext']['domainName']}",
            "aws.event": self.event,
            "aws.context": self.context,
        }

    def __call__(self, response: Response) -> dict[str, Any]:
        headers: dict[str, str] = {}
        cookies: list[str] = []
        for raw_name, raw_value in response["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name == "set-cookie":
                cookies.append(value)
            else:
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        body, encoded = _body_text(response["body"], headers.get("content-type", ""))
        answer: dict[str, Any] = {"statusCode": response["status"], "headers": headers, "body": body}
        if cookies:
            answer["cookies"] = cookies
        return {**answer, "isBase64Encoded": encoded}


def _header_bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


def _body_text(body: bytes, content_type: str) -> tuple[str, bool]:
    """The body as the event carries it, and whether it is base64."""
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return "", False
    if kind.startswith(_TEXT_TYPES) or kind.endswith(_TEXT_SUFFIXES):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


handler = Mangum(load(Path(os.environ["LAMBDA_TASK_ROOT"])), lifespan="off", custom_handlers=[HttpApi])
restored.run()
