"""The handler, imported in a clean process as Lambda does, with events as API Gateway sends them."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from secret_stores import stores

from runtimes.table import PATH, RouteEntry, Table, to_json

ROUTE = """
import sys

from runtimes import Response

async def GET(request, params):
    response = Response.json(
        {"params": params, "query": request.url.query, "cookies": request.cookies, "ip": request.ip,
         "x": request.headers.get("x"), "path": request.scope["path"]}
    )
    response.cookies.set("a", "1")
    response.cookies.set("b", "2")
    return response

async def POST(request, params):
    return Response(await request.body(), headers={"content-type": request.headers["content-type"]})

async def PUT():
    return sorted(sys.modules)

async def DELETE():
    return Response(status_code=204)
"""

STARTED = """
from runtimes import after_restore

starts = []
after_restore(lambda: starts.append(1))

def GET():
    return {"starts": len(starts)}
"""

DRIVER = """
import json, sys
from runtimes.aws_lambda import handler
for event in json.load(sys.stdin):
    print(json.dumps(handler(event, None)))
"""


RESTORED = """
import json, sys
from awslambdaric import lambda_runtime_hooks_runner as hooks
from runtimes.aws_lambda import handler
[event] = json.load(sys.stdin)
hooks.run_before_snapshot()
print(json.dumps(handler(event, None)))
hooks.run_after_restore()
print(json.dumps(handler(event, None)))
"""


@pytest.fixture
def invoke(tmp_path):
    (tmp_path / "app" / "[id]").mkdir(parents=True)
    (tmp_path / "app" / "[id]" / "route.py").write_text(ROUTE)
    (tmp_path / PATH).parent.mkdir()
    (tmp_path / PATH).write_text(
        to_json(Table("api", (RouteEntry("/[id]", "app/[id]/route.py", "api", 1000),)))
    )

    def run(*events):
        environment = {
            **os.environ,
            "LAMBDA_TASK_ROOT": str(tmp_path),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        done = subprocess.run(
            [sys.executable, "-c", DRIVER],
            check=False,
            input=json.dumps(events),
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def context(domain, path, method="GET"):
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "t"}
    return {"http": http, "domainName": domain}


def event(method="GET", path="/x", body=None, encoded=False, **more):
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "api.example", **more.pop("headers", {})},
        "requestContext": context("api.example", path, method),
        "isBase64Encoded": encoded,
        **({"body": body} if body is not None else {}),
        **more,
    }


def test_the_path_is_decoded_once_and_query_cookies_and_address_arrive(invoke):
    [answer] = invoke(event(path="/a%2Fb%2520", rawQueryString="q=%20&q=2", cookies=["s=1", "t=%C3%A9"]))
    seen = json.loads(answer["body"])
    assert seen["params"] == {"id": "a/b%20"}
    assert (seen["query"], seen["ip"]) == ("q=%20&q=2", "192.0.2.7")
    assert seen["cookies"] == {"s": "1", "t": "é"}


def test_every_cookie_of_the_response_is_kept(invoke):
    assert invoke(event())[0]["cookies"] == ["a=1; Path=/", "b=2; Path=/"]


def test_a_bad_escape_is_the_clients_fault(invoke):
    bad = event(path="/%zz", requestContext=context("id.lambda-url.eu-west-1.on.aws", "/%zz"))
    assert invoke(bad)[0]["statusCode"] == 400


def test_what_an_http_api_decoded_is_not_decoded_again(invoke):
    answers = invoke(*(event(path=path) for path in ("/100%", "/a b", "/é")))
    assert [json.loads(answer["body"])["params"]["id"] for answer in answers] == ["100%", "a b", "é"]


def test_only_what_a_request_needs_is_imported_at_the_start(invoke):
    # the answer of a route that lists what there is, before its own response makes more
    [answer] = invoke(event("PUT"))
    loaded = set(json.loads(answer["body"]))
    assert "starlette.responses" in loaded
    unwanted = {
        *("starlette.applications", "starlette.routing", "starlette.middleware", "starlette.testclient"),
        *("boto3", "botocore", "httpx", "h11", "anyio._backends", "anyio._core._sockets", "multiprocessing"),
        *("runtimes.site", "runtimes.site_rules", "runtimes.destinations", "runtimes.matchers"),
        *(
            "runtimes.patterns",
            "runtimes.client",
            "runtimes.proxy",
            "runtimes.sockets",
            "runtimes.snap_start",
        ),
        *("runtimes.edge", "runtimes.middleware", "http.server", "urllib.request", "sqlite3", "unittest"),
    }
    assert loaded & unwanted == set()


def test_a_header_that_is_not_latin_does_not_fail(invoke):
    assert invoke(event(headers={"x": "☃"}))[0]["statusCode"] == 200


def test_text_and_json_types_go_as_text_and_the_rest_as_base64(invoke):
    types = ["application/problem+json", "text/css", "image/svg+xml", "image/png"]
    answers = invoke(*(event("POST", body="{}", headers={"content-type": kind}) for kind in types))
    assert [(answer["body"], answer["isBase64Encoded"]) for answer in answers] == [("{}", False)] * 3 + [
        ("e30=", True)
    ]


def test_binary_bodies_come_in_and_go_out(invoke):
    sent = base64.b64encode(bytes(range(256))).decode()
    [answer] = invoke(event("POST", body=sent, encoded=True, headers={"content-type": "text/plain"}))
    assert (answer["body"], answer["isBase64Encoded"]) == (sent, True)


def test_an_empty_answer_has_no_type(invoke):
    [answer] = invoke(event("DELETE"))
    assert (answer["statusCode"], answer["body"], answer["headers"]) == (204, "", {})


def test_viewer_headers_count_only_where_the_deployment_says_that_all_comes_from_the_cdn(invoke, monkeypatch):
    forged = event(headers={"cloudfront-viewer-address": "203.0.113.9:1", "cloudfront-viewer-country": "XX"})
    assert json.loads(invoke(forged)[0]["body"])["ip"] == "192.0.2.7"
    monkeypatch.setenv("PACKAGER_BEHIND_CDN", "1")
    assert json.loads(invoke(forged)[0]["body"])["ip"] == "203.0.113.9"


def test_start_up_runs_once_and_before_the_first_event(invoke, tmp_path):
    (tmp_path / "app" / "[id]" / "route.py").write_text(STARTED)
    assert [answer["body"] for answer in invoke(event(), event())] == ['{"starts":1}'] * 2


def test_with_snap_start_start_up_waits_for_the_restore(invoke, tmp_path, monkeypatch):
    (tmp_path / "app" / "[id]" / "route.py").write_text(STARTED)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    assert invoke(event())[0]["body"] == '{"starts":0}'


SEEN = """
import os

AT_IMPORT = os.environ.get("TOKEN")

def GET(request):
    told = {"at_import": AT_IMPORT, "now": os.environ.get("TOKEN"), "url": str(request.url)}
    names = [name for name in request.headers if name.startswith("x-packager")]
    event = [name for name in request.scope["aws.event"]["headers"] if "key" in name]
    return told | {"names": names, "event": event, "key": os.environ.get("PACKAGER_ORIGIN_KEY")}
"""


def test_behind_the_cdn_only_requests_with_its_key_get_to_the_app(invoke, tmp_path, monkeypatch):
    (tmp_path / "app" / "[id]" / "route.py").write_text(SEEN)
    monkeypatch.setenv("PACKAGER_ORIGIN_KEY", "k3y")
    keys = [
        {},
        {"x-packager-origin-key": "other"},
        {"x-packager-origin-key": ""},
        {"X-Packager-Origin-Key": "k3y"},
    ]
    *refused, passed = invoke(*(event(headers=headers) for headers in keys))
    for answer in refused:
        assert (answer["statusCode"], answer["body"]) == (403, '{"message":"Forbidden"}')
    told = json.loads(passed["body"])
    assert (told["names"], told["event"], told["key"]) == ([], [], None)


def test_the_host_of_the_cdn_counts_only_behind_it(invoke, tmp_path, monkeypatch):
    (tmp_path / "app" / "[id]" / "route.py").write_text(SEEN)
    asked = event(headers={"x-packager-host": "shop.example"})
    assert json.loads(invoke(asked)[0]["body"])["url"] == "https://api.example/x"
    monkeypatch.setenv("PACKAGER_BEHIND_CDN", "1")
    assert json.loads(invoke(asked)[0]["body"])["url"] == "https://shop.example/x"


def with_secret(made, monkeypatch):
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PACKAGER_SECRETS", '{"TOKEN": "ssm:/token"}')


def test_secrets_are_there_before_the_routes_are_imported(invoke, tmp_path, monkeypatch):
    (tmp_path / "app" / "[id]" / "route.py").write_text(SEEN)
    with stores({"/token": "t0ken"}) as made:
        with_secret(made, monkeypatch)
        answers = invoke(event(), event())
        assert [json.loads(answer["body"])["at_import"] for answer in answers] == ["t0ken"] * 2
        assert len(made.calls) == 1


def test_with_snap_start_secrets_are_fetched_after_the_restore(tmp_path, invoke, monkeypatch):
    (tmp_path / "app" / "[id]" / "route.py").write_text(SEEN)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    monkeypatch.setattr(sys.modules[__name__], "DRIVER", RESTORED)
    with stores({"/token": "t0ken"}) as made:
        with_secret(made, monkeypatch)
        before, after = (json.loads(answer["body"]) for answer in invoke(event()))
    assert (before["at_import"], before["now"]) == (None, None)
    assert (after["at_import"], after["now"]) == (None, "t0ken")
