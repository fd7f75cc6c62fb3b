"""Edge artifacts as their platforms start them: a Lambda function of the API, and a Web Function's server."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from edge_artifact import build_artifact, write_project
from secret_stores import Stores, stores

from packager.node import node

HARNESS = Path(__file__).parents[1] / "js" / "invoke.mjs"
ROUTE = """
import os
from runtimes import Request, Response

async def GET(request: Request, params):
    told = {"url": str(request.url), "raw": request.scope["raw_path"].decode(), "ip": request.ip}
    return told | {"country": request.geo.country, "environment": dict(os.environ), "headers": dict(request.headers)}

async def POST(request: Request, params):
    return Response(await request.body(), headers={"content-type": "image/png"})
"""
LARGE = """
from starlette.responses import StreamingResponse

async def GET():
    async def pieces():
        for _ in range(6):
            yield b"x" * 2**20
        yield b"x"
    return StreamingResponse(pieces(), media_type="text/plain")
"""
KEY = {"x-packager-origin-key": "k3y"}
VIEWER = {
    "x-packager-path": "/api/a%2Fb",
    "x-packager-host": "shop.example",
    "cloudfront-viewer-address": "203.0.113.9:4711",
    "cloudfront-viewer-country": "SE",
}

pytestmark = pytest.mark.e2e


def built(folder: Path, target: str) -> Path:
    project = write_project(folder, {"app/api/[id]/route.py": ROUTE, "app/large/route.py": LARGE})
    settings = project / "pyproject.toml"
    settings.write_text(settings.read_text() + f"\ntarget = '{target}'\n")
    return build_artifact(project).folder


@pytest.fixture(scope="module")
def regional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("regional"), "regional")


@pytest.fixture(scope="module")
def web_function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("web"), "web-function")


def deployed(made: Stores) -> dict[str, str]:
    """The environment of a function behind the CDN, with the platform's own."""
    platform = {
        "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x",
        "_X_AMZN_TRACE_ID": "1",
        "LAMBDA_TASK_ROOT": "/var/task",
    }
    own = {"SETTING": "1", "PACKAGER_BEHIND_CDN": "1", "PACKAGER_ORIGIN_KEY": "k3y"}
    return {**platform, **made.environment, **own, "PACKAGER_SECRETS": '{"TOKEN": "ssm:/token"}'}


def event(method: str = "GET", path: str = "/api/a/b", **changed: Any) -> dict[str, Any]:
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "t"}
    context = {"http": http, "domainName": "a1.execute-api.eu-west-1.amazonaws.com", "stage": "$default"}
    document = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {},
        "requestContext": context,
    }
    return {**document, **changed}


def invoke(folder: Path, environment: dict[str, str], *events: Any) -> list[dict[str, Any]]:
    lines = "".join(json.dumps({"id": number, "event": event}) + "\n" for number, event in enumerate(events))
    words = [str(node()), str(HARNESS), str(folder)]
    done = subprocess.run(words, input=lines, env=environment, capture_output=True, text=True, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(events), done.stderr
    return sorted(answers, key=lambda answer: int(answer["id"]))


def check_what_the_app_saw(told: dict[str, Any]) -> None:
    assert (told["url"], told["raw"]) == ("https://shop.example/api/a%2Fb", "/api/a%2Fb")
    assert (told["ip"], told["country"]) == ("203.0.113.9", "SE")
    assert told["environment"] == {"SETTING": "1", "TOKEN": "t0ken"}
    assert [name for name in told["headers"] if name.startswith("x-packager")] == []
    assert told["headers"]["host"] == "shop.example"


def test_a_regional_function_answers_for_the_cdn_alone(regional: Path) -> None:
    with stores({"/token": "t0ken"}) as made:
        refused, wrong, passed = invoke(
            regional,
            deployed(made),
            event(),
            event(headers={"x-packager-origin-key": "k3"}),
            event(headers={"host": "a1.execute-api.eu-west-1.amazonaws.com", **KEY, **VIEWER}),
        )
        assert len(made.calls) == 1
    for answer in (refused, wrong):
        assert (answer["result"]["statusCode"], answer["result"]["body"]) == (403, '{"message":"Forbidden"}')
    check_what_the_app_saw(json.loads(passed["result"]["body"]))


def test_asked_directly_a_regional_function_trusts_no_header_of_the_cdn(regional: Path) -> None:
    [answer] = invoke(regional, {}, event(path="/api/x", headers={"host": "api.example", **VIEWER}))
    told = json.loads(answer["result"]["body"])
    assert (told["url"], told["ip"], told["country"]) == ("https://api.example/api/x", "192.0.2.7", None)


def test_a_regional_function_takes_and_gives_bytes_up_to_the_limit_and_no_other_events(
    regional: Path,
) -> None:
    binary = event("POST", "/api/x", body="AAH/", isBase64Encoded=True)
    echoed, large, other = invoke(regional, {}, binary, event(path="/large"), {"Records": []})
    assert (echoed["result"]["body"], echoed["result"]["isBase64Encoded"]) == ("AAH/", True)
    assert large["result"]["statusCode"] == 502
    assert "no request of payload format 2.0" in other["error"]


def test_a_secret_that_cannot_be_had_ends_the_start(regional: Path) -> None:
    with stores() as made:
        words = [str(node()), str(HARNESS), str(regional)]
        done = subprocess.run(
            words, env=deployed(made), input="", capture_output=True, text=True, check=False
        )
    assert done.returncode != 0
    assert "TOKEN (ssm:/token): there is no such parameter" in done.stderr


@contextmanager
def running(folder: Path, environment: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`index.js` as Lambda runs it, once it takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**environment, "AWS_LAMBDA_HTTP_ENDPOINT": f"127.0.0.1:{port}"}
    with subprocess.Popen([str(node()), "index.js"], cwd=folder, env=environment, text=True) as process:
        try:
            for _ in range(1000):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.02)
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.kill()


def test_a_web_function_answers_for_the_cdn_alone_and_ends_when_it_is_told(web_function: Path) -> None:
    with (
        stores({"/token": "t0ken"}) as made,
        running(web_function, deployed(made)) as (url, process),
        httpx.Client(trust_env=False, timeout=30) as client,
    ):
        refused = client.post(f"{url}/api/x", content=b"x" * 100_000)
        assert (refused.status_code, refused.text) == (403, '{"message":"Forbidden"}')
        assert refused.headers["content-type"] == "application/json"
        check_what_the_app_saw(client.get(f"{url}/api/a/b", headers={**KEY, **VIEWER}).json())
        echoed = client.post(f"{url}/api/x", content=b"\x00\xff", headers=KEY)
        assert echoed.content == b"\x00\xff"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
