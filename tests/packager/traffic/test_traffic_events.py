"""Tests of the lines of the terminal."""

import json

import click

from packager.diagnostics import Diagnostic
from packager.traffic.events import Found, Logged, Note, RequestServed, as_json, request_line

SERVED = RequestServed(
    *("GET", "/api/x", 200, "nodejs", "api", "cold", 12.345),
    spawn_ms=80.0,
    init_ms=120.456,
    handler_ms=3.21,
    memory_mb=64,
    cache="Miss from cloudfront",
)


def test_a_request_is_one_line() -> None:
    text = "GET /api/x 200 nodejs 12 ms cold Miss from cloudfront"
    assert click.unstyle(request_line(SERVED)) == text


def test_a_request_without_an_answer_says_so() -> None:
    lost = RequestServed("GET", "/", None, None, "", None, 1.0)
    assert click.unstyle(request_line(lost)) == "GET / no answer 1 ms"


def test_a_request_is_a_document_for_machines() -> None:
    assert json.loads(as_json(SERVED)) == {
        "event": "request",
        "method": "GET",
        "path": "/api/x",
        "status": 200,
        "runtime": "nodejs",
        "function": "api",
        "cold": True,
        "reloaded": False,
        "spawn_ms": 80.0,
        "init_ms": 120.46,
        "duration_ms": 12.35,
        "handler_ms": 3.21,
        "memory_mb": 64,
        "cache": "Miss from cloudfront",
    }


def test_other_events_are_documents_too() -> None:
    finding = Diagnostic("syntax-error", "a.py", 1, 2, "no", "mend it")
    assert json.loads(as_json(Note("a line"))) == {"event": "log", "function": None, "text": "a line"}
    assert json.loads(as_json(Logged("api", "a line"))) == {
        "event": "log",
        "function": "api",
        "text": "a line",
    }
    assert json.loads(as_json(Found(finding)))["rule"] == "syntax-error"
