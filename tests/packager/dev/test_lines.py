"""Tests of the lines of the terminal."""

import json

import click

from packager.dev.lines import Found, Note, RequestServed, as_json, request_line
from packager.diagnostics import Diagnostic

SERVED = RequestServed("GET", "/api/x", 200, "edge", "edge", "reloaded", 12.345)


def test_a_request_is_one_line():
    assert click.unstyle(request_line(SERVED)) == "GET /api/x 200 edge 12 ms reloaded"


def test_a_request_without_an_answer_says_so():
    lost = RequestServed("GET", "/", None, None, "", None, 1.0)
    assert click.unstyle(request_line(lost)) == "GET / no answer 1 ms"


def test_a_request_is_a_document_for_machines():
    assert json.loads(as_json(SERVED)) == {
        "event": "request",
        "method": "GET",
        "path": "/api/x",
        "status": 200,
        "runtime": "edge",
        "function": "edge",
        "duration_ms": 12.35,
        "cold": True,
        "reloaded": True,
    }


def test_other_events_are_documents_too():
    finding = Diagnostic("syntax-error", "a.py", 1, 2, "no", "mend it")
    assert json.loads(as_json(Note("a line"))) == {"event": "log", "text": "a line"}
    assert json.loads(as_json(Found(finding)))["rule"] == "syntax-error"
