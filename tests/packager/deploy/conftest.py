"""What tests of a deploy share: a cloud that answers as told, one whose wire breaks, and small cloud assemblies."""

import hashlib
import http.client
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from deployed_shop import Shop

from packager.deploy.aws import Aws, connect

type Answers = Callable[[http.server.BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]


@dataclass
class Listener:
    """A server of a test. `requests` are method and path of what arrived; `answers` decides, and may be changed."""

    answers: Answers
    port: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def listening(answers: Answers) -> Iterator[Listener]:
    listener = Listener(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            listener.requests.append(f"{self.command} {self.path}")
            try:
                status, headers, body = listener.answers(self)
            except (OSError, http.client.HTTPException):
                self.close_connection = True
                return
            self.send_response_only(status)
            for name, value in {
                **headers,
                "Content-Length": headers.get("Content-Length", str(len(body))),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        listener.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield listener
        server.shutdown()
        thread.join()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Credentials, one attempt for each call, and no settings of this machine; the test points to a server."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "not-a-real-key",
        "AWS_CONFIG_FILE": str(tmp_path / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def refusing(keys: pytest.MonkeyPatch) -> Iterator[Callable[..., Listener]]:
    """Make a cloud that answers every call with one refusal of the query protocol, as STS and CloudFormation do."""

    def answers(_: http.server.BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        status, code, message, headers = answer
        text = (
            f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
        return status, {"Content-Type": "text/xml", **headers}, text.encode()

    answer: tuple[int, str, str, dict[str, str]] = (500, "", "", {})
    with listening(answers) as listener:
        keys.setenv("AWS_ENDPOINT_URL", listener.url)

        def refuse(status: int, code: str, message: str = "", **headers: str) -> Listener:
            nonlocal answer
            answer = status, code, message, headers
            return listener

        yield refuse


@dataclass
class Wire:
    """A proxy before the test's cloud. `breaks` says of a request, its method and path, whether its connection breaks
    in the middle of the body; `lost` counts them."""

    listener: Listener
    breaks: Callable[[str], bool] = lambda _: False
    lost: int = 0


@pytest.fixture
def wire(ministack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The way to MiniStack, for calls made after this."""
    target = urlsplit(ministack.endpoint)

    def forward(request: http.server.BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        length = int(request.headers.get("Content-Length") or 0)
        if found.breaks(f"{request.command} {request.path}"):
            found.lost += 1
            request.rfile.read(min(length, 2**16))
            request.connection.close()
            raise ConnectionAbortedError
        body = request.rfile.read(length)
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
        try:
            connection.request(request.command, request.path, body, dict(request.headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_HEADERS}
        if request.command == "HEAD" and (size := answer.getheader("Content-Length")):
            kept["Content-Length"] = size
        return answer.status, kept, content

    with listening(forward) as listener:
        found = Wire(listener)
        monkeypatch.setenv("AWS_ENDPOINT_URL", listener.url)
        yield found


_HOP_HEADERS = {"transfer-encoding", "connection", "content-length"}


@pytest.fixture
def aws(ministack: Any) -> Iterator[Aws]:
    """A caller of the test's cloud; its region is the server's own."""
    found = connect("eu-central-1")
    yield found
    found.close()


@pytest.fixture
def shop(ministack: Any, tmp_path: Path) -> Shop:
    """A shop that can be deployed to the test's cloud."""
    return Shop(ministack, tmp_path)


@pytest.fixture
def made_assembly(tmp_path: Path) -> Callable[..., Path]:
    """Write a cloud assembly as CDK does; `files` are the artifacts of its one stack, by name."""

    def make(
        files: dict[str, bytes] | None = None, *, nested: str | None = None, region: str = "eu-central-1"
    ) -> Path:
        folder = (tmp_path / "cdk").resolve()
        folder.mkdir(exist_ok=True)
        bucket = f"cdk-hnb659fds-assets-${{AWS::AccountId}}-{region}"
        template = json.dumps(
            {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Bucket": {"Fn::Sub": bucket}}
        )
        rows = {}

        def add(path: str, data: bytes, extension: str, **more: str) -> None:
            (folder / path).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            there = {"bucketName": bucket, "objectKey": f"{digest}.{extension}", "region": region}
            rows[digest] = {
                **more,
                "source": {"path": path, "packaging": "file"},
                "destinations": {f"current_account-{region}": there},
            }

        for name, data in (files or {}).items():
            add(name, data, "zip")
        if nested:
            add("Nested.nested.template.json", nested.encode(), "json", displayName="Nested Stack Template")
        add("shop-prod-api.template.json", template.encode(), "json", displayName="shop-prod-api Template")
        (folder / "shop-prod-api.assets.json").write_text(
            json.dumps({"version": "55.0.0", "files": rows, "dockerImages": {}})
        )
        stacks = {
            "shop-prod-api.assets": {
                "type": "cdk:asset-manifest",
                "properties": {"file": "shop-prod-api.assets.json"},
            },
            "shop-prod-api": {
                "type": "aws:cloudformation:stack",
                "environment": f"aws://unknown-account/{region}",
                "properties": {
                    "templateFile": "shop-prod-api.template.json",
                    "tags": {"packager:app": "shop"},
                },
                "dependencies": ["shop-prod-api.assets"],
            },
        }
        (folder / "manifest.json").write_text(json.dumps({"version": "55.0.0", "artifacts": stacks}))
        return folder

    return make
