"""Both adapters of payload 2.0, Python's and JavaScript's, make the same of the same events and responses."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from packager.node import node
from runtimes import lambda_events

EVENTS = Path(__file__).parents[1] / "fixtures" / "lambda_events"
ADAPTER = Path(__file__).parents[2] / "runtimes" / "edge_worker" / "http_api.mjs"
SCRIPT = f"""
import {{ readFileSync }} from "node:fs";
import {{ answerEvent }} from {json.dumps(ADAPTER.as_uri())};
const {{ events, replies, behindCdn }} = JSON.parse(readFileSync(0, "utf8"));
const asked = [];
const results = [];
const settings = {{ max_body_size: 1000 }};
const plain = {{ status: 200, headers: [], body: null, done: Promise.resolve() }};
for (const event of events) {{
  const handle = async (exchange) => {{
    asked.push({{ ...exchange, body: exchange.body && Buffer.from(exchange.body).toString("base64") }});
    return plain;
  }};
  await answerEvent({{ settings, handle }}, event, {{ admits: undefined, behindCdn }});
}}
for (const {{ status, headers, body }} of replies) {{
  const handle = async () => ({{ ...plain, status, headers, body: new Uint8Array(Buffer.from(body, "base64")) }});
  results.push(await answerEvent({{ settings, handle }}, events[0], {{ admits: undefined, behindCdn }}));
}}
console.log(JSON.stringify({{ asked, results }}));
"""

PATHS = [
    "/a b",
    "/é/☃",
    "/orders#",
    "/me?admin",
    "/100%",
    "/a\x00b",
    "/a%2Fb",
    "/a//b/@:+;=",
    "/prod/a",
    "/%zz",
    "/~'|^",
]
RESPONSES: list[tuple[int, list[tuple[bytes, bytes]], bytes]] = [
    (200, [(b"content-type", b"application/json")], b"{}"),
    (200, [(b"Content-Type", b"application/problem+json; charset=utf-8")], b"{}"),
    (200, [(b"content-type", b"image/svg+xml")], b"<svg/>"),
    (200, [(b"content-type", b"Text/HTML")], "\ufeffé".encode()),
    (200, [(b"content-type", b"text/plain")], b"\xff"),
    (200, [(b"content-type", b"application/octet-stream")], b"abc"),
    (200, [(b"content-type", b"image/png")], b""),
    (201, [], b"abc"),
    (
        204,
        [
            (b"set-cookie", b"a=1, x"),
            (b"vary", b"a"),
            (b"Set-Cookie", b"b=2"),
            (b"Vary", b"b"),
            (b"x", b"\xe9"),
        ],
        b"",
    ),
]


def made_events() -> list[dict[str, Any]]:
    http_api = json.loads((EVENTS / "http_api.json").read_text())
    function_url = json.loads((EVENTS / "function_url.json").read_text())
    stage = {**http_api, "requestContext": {**http_api["requestContext"], "stage": "prod"}}
    bare = {
        name: value
        for name, value in http_api.items()
        if name not in ("cookies", "rawQueryString", "headers")
    }
    return [
        *({**base, "rawPath": path} for base in (http_api, function_url, stage) for path in PATHS),
        bare,
        {**http_api, "headers": {"X-Latin": "\xe9", "x-snow": "☃"}, "cookies": ["a=☃", "b=1"]},
        {**http_api, "headers": {"x-packager-path": "/sent%2Fso%3F", "x-forwarded-proto": "http"}},
        {**function_url, "body": "é", "isBase64Encoded": False},
        {**function_url, "body": None},
    ]


def adapted(events: list[dict[str, Any]], *, behind_cdn: bool) -> dict[str, Any]:
    replies = [
        {
            "status": status,
            "headers": [text.decode("latin-1") for row in rows for text in row],
            "body": base64.b64encode(content).decode(),
        }
        for status, rows, content in RESPONSES
    ]
    sent = json.dumps({"events": events, "replies": replies, "behindCdn": behind_cdn})
    words = [str(node()), "--input-type=module", "--eval", SCRIPT]
    done = subprocess.run(words, input=sent, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("behind_cdn", [False, True])
def test_events_become_the_same_requests(behind_cdn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_events, "_BEHIND_CDN", behind_cdn)
    events = made_events()
    for event, asked in zip(events, adapted(events, behind_cdn=behind_cdn)["asked"], strict=True):
        scope = lambda_events.scope(event, None)
        query = scope["query_string"].decode("latin-1")
        assert asked == {
            "method": scope["method"],
            "target": scope["raw_path"].decode("latin-1") + (f"?{query}" if query else ""),
            "scheme": scope["scheme"],
            "httpVersion": scope["http_version"],
            "headers": [text.decode("latin-1") for row in scope["headers"] for text in row],
            "client": list(scope["client"]),
            "server": list(scope["server"]),
            "cdn": behind_cdn,
            "body": base64.b64encode(lambda_events.body(event)).decode() or None,
        }


def test_responses_become_the_same_results() -> None:
    results = adapted(made_events()[:1], behind_cdn=False)["results"]
    assert results == [lambda_events.result(*response) for response in RESPONSES]
