"""Systems Manager and Secrets Manager on a local port, for as much of them as fetching secrets needs.

Every request must be signed (Signature Version 4) with the credentials below: botocore signs it again to see.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]


class Credentials(NamedTuple):
    access_key: str = "AKIDEXAMPLE"
    secret_key: str = "wJalrXUtnFEMI"
    token: str = "session/token+="


ROLE = Credentials()
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(\w+)/\d{8}/([\w-]+)/(\w+)/aws4_request, SignedHeaders=([\w;-]+), Signature=(\w+)"
)


@dataclass
class Stores:
    """`calls` are target, region and body of every request; the next `failures` requests get 500."""

    parameters: dict[str, str]
    secrets: dict[str, str | None]
    port: int = 0
    failures: int = 0
    calls: list[tuple[str, str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a function's process has in its environment to reach the stores."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": ROLE.access_key,
            "AWS_SECRET_ACCESS_KEY": ROLE.secret_key,
            "AWS_SESSION_TOKEN": ROLE.token,
        }

    def answer(self, target: str, body: Any) -> tuple[int, Any]:
        if self.failures:
            self.failures -= 1
            return 500, {"__type": "InternalServerError"}
        if target == "AmazonSSM.GetParameters":
            assert len(body["Names"]) <= 10
            assert body["WithDecryption"] is True
            known = [name for name in body["Names"] if name in self.parameters]
            rows = [{"Name": name, "Value": self.parameters[name], "ARN": f"arn:{name}"} for name in known]
            return 200, {"Parameters": rows, "InvalidParameters": sorted(set(body["Names"]) - set(known))}
        assert target == "secretsmanager.GetSecretValue"
        if body["SecretId"] not in self.secrets:
            return 400, {
                "__type": "com.amazonaws#AccessDeniedException",
                "Message": "not authorized to read it",
            }
        text = self.secrets[body["SecretId"]]
        return 200, {"SecretBinary": "AA=="} if text is None else {"SecretString": text}


@contextmanager
def stores(
    parameters: dict[str, str] | None = None, secrets: dict[str, str | None] | None = None
) -> Iterator[Stores]:
    """The two services with these values, until the end of the block."""
    made = Stores(parameters or {}, secrets or {})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            target = self.headers["x-amz-target"]
            region = _signed_region(self, body)
            status, answer = 403, {"__type": "InvalidSignatureException", "message": "the signature is wrong"}
            if region is not None:
                made.calls.append((target, region, json.loads(body)))
                status, answer = made.answer(target, json.loads(body))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            """The role's credentials, for processes that have none in their environment."""
            assert self.headers["authorization"] == "pass"
            document = {
                "AccessKeyId": ROLE.access_key,
                "SecretAccessKey": ROLE.secret_key,
                "Token": ROLE.token,
            }
            content = json.dumps({**document, "Expiration": "2099-01-01T00:00:00Z"}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_port
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield made
        finally:
            server.shutdown()


def _signed_region(request: BaseHTTPRequestHandler, body: bytes) -> str | None:
    """The region that a rightly signed request is for."""
    match = _AUTHORIZATION.fullmatch(request.headers["authorization"])
    if match is None:
        return None
    key, region, service, names, signature = match.groups()
    headers = {name: request.headers[name] for name in names.split(";")}
    again = AWSRequest("POST", f"http://{request.headers['host']}{request.path}", data=body, headers=headers)
    again.context["timestamp"] = request.headers["x-amz-date"]
    signer = SigV4Auth(ROLE, service, region)
    expected = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    good = key == ROLE.access_key and headers["x-amz-security-token"] == ROLE.token and signature == expected
    return region if good else None
