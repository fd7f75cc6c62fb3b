import json
import logging

import pytest


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_request_is_one_line_without_query_headers_or_body(guarded, capsys):
    headers = [
        ("authorization", "Bearer hush"),
        ("cookie", "session=hush"),
        ("x-amzn-trace-id", "Root=1-ab;Sampled=0"),
    ]
    guarded("request_log()")("GET", "/api/x?token=hush", headers, b"hush")
    text = capsys.readouterr().err
    assert "hush" not in text
    (row,) = map(json.loads, text.splitlines())
    assert row.pop("duration_ms") >= 0
    assert row == {
        "id": "Root=1-ab;Sampled=0",
        "method": "GET",
        "route": "/api/x",
        "path": "/api/x",
        "runtime": "nodejs",
        "status": 200,
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", "/api/items/7", 200, "/api/items/[id]"),
        ("PUT", "/api/x", 500, "/api/x"),
        ("POST", "/api/x", 405, "/api/x"),
        ("GET", "/api/nothing", 404, None),
    ],
)
def test_whoever_answers_is_in_the_line(guarded, capsys, method, path, status, route):
    files = {"app/api/items/[id]/route.py": "def GET(request):\n    return {}\n"}
    guarded("request_log()", files=files)(method, path)
    row = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (row["status"], row["route"], row["path"]) == (status, route, path)


def test_an_answer_of_a_later_part_is_logged(guarded, capsys):
    ask = guarded(
        "request_log()", "guard", code="from runtimes import forbidden\ndef guard():\n    forbidden()\n"
    )
    ask("GET", "/api/x")
    assert [(row["status"], row["route"]) for row in lines(capsys)] == [(403, "/api/x")]


@pytest.mark.parametrize("trace", [[], [("x-amzn-trace-id", 'a"b c')], [("x-amzn-trace-id", "x" * 300)]])
def test_without_a_usable_id_each_request_gets_its_own(guarded, capsys, trace):
    ask = guarded("request_log()")
    ask("GET", "/api/x", trace)
    ask("GET", "/api/x", trace)
    first, second = (row["id"] for row in lines(capsys))
    assert len(first) == len(second) == 36
    assert first != second


def test_a_path_cannot_break_the_line(guarded, capsys):
    guarded("request_log()")("GET", "/api/\u0085%0a\u00ff")
    (row,) = lines(capsys)
    assert row["path"] == "/api/\u0085%0a\u00ff"


def test_a_logger_gets_the_line_in_place_of_stderr(guarded, capsys, caplog):
    caplog.set_level(logging.INFO, "shop")
    guarded("request_log(logging.getLogger('shop'))", code="import logging")("GET", "/api/x")
    assert json.loads(caplog.messages[0])["status"] == 200
    assert capsys.readouterr().err == ""
