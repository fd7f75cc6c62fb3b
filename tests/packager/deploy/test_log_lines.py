"""The examples are Lambda's own, of both log formats (Lambda Developer Guide, "Log and monitor functions")."""

import json
import logging

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from hypothesis import given
from hypothesis import strategies as st

from packager.deploy.log_lines import Logged, Reported, Started, Text, line

ID = "79b4f56e-95b1-4643-9700-2807f4e68189"
TIME = "2026-11-22T14:00:00.123Z"
TRACE = ['  File "/var/task/app/api/x/route.py", line 3, in GET\n    1 / 0\n']


def platform(kind, **record):
    return json.dumps({"time": TIME, "type": f"platform.{kind}", "record": {"requestId": ID, **record}})


def test_start_and_report_of_the_json_format():
    metrics = {"durationMs": 12.5, "billedDurationMs": 13, "memorySizeMB": 512, "maxMemoryUsedMB": 84}
    assert line(platform("start", version="3")) == Started(ID)
    assert line(platform("report", metrics=metrics, status="success")) == Reported(ID, 12.5, None, 512, 84)
    cold = {**metrics, "initDurationMs": 350.25}
    assert line(platform("report", metrics=cold)) == Reported(ID, 12.5, 350.25, 512, 84)
    restored = line(platform("report", metrics={**metrics, "restoreDurationMs": 80}))
    assert restored == Reported(ID, 12.5, 80, 512, 84)
    late = line(platform("report", metrics=metrics, status="timeout", errorType="Sandbox.Timedout"))
    assert late == Reported(ID, 12.5, None, 512, 84, "timeout", "Sandbox.Timedout")


def test_start_and_report_of_the_text_format():
    assert line(f"START RequestId: {ID} Version: $LATEST\n") == Started(ID)
    report = (
        f"REPORT RequestId: {ID}\tDuration: 2970.44 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 60 MB\tInit Duration: 141.15 ms\t"
    )
    assert line(f"{report}\n") == Reported(ID, 2970.44, 141.15, 128, 60)
    failed = line(f"{report}Status: error\tError Type: Runtime.ExitError\n")
    assert failed == Reported(ID, 2970.44, 141.15, 128, 60, "error", "Runtime.ExitError")


@pytest.mark.parametrize(
    "message",
    [
        f"END RequestId: {ID}\n",
        "INIT_START Runtime Version: python:3.13.v50\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:0\n",
        "INIT_REPORT Init Duration: 200.00 ms\n",
        "RESTORE_START Runtime Version: python:3.13.v50\n",
        platform("initStart", phase="init"),
        platform("runtimeDone", status="success"),
        platform("initReport", status="success"),
    ],
)
def test_what_only_lambda_needs_is_left_out(message):
    assert line(message) is None


def test_what_lambda_says_of_failures_is_kept():
    failed = line(platform("initReport", status="error", errorType="Runtime.ImportModuleError"))
    assert failed == Text("error", "the process did not start: Runtime.ImportModuleError")
    dropped = line(platform("logsDropped", reason="Consumer seems to have fallen behind"))
    assert dropped == Text("warning", "Lambda dropped log lines: Consumer seems to have fallen behind")
    timed_out = line(f"{TIME} {ID} Task timed out after 3.00 seconds\n\n")
    assert timed_out == Text("error", "Task timed out after 3.00 seconds", ID)


def test_messages_of_both_languages_and_formats():
    python = {"timestamp": TIME, "level": "WARNING", "message": "slow", "logger": "shop", "requestId": ID}
    node = {"timestamp": TIME, "level": "WARN", "requestId": ID, "message": "slow"}
    wanted = Text("warning", "slow", ID)
    assert line(json.dumps(python)) == line(json.dumps(node)) == wanted
    assert line(f"{TIME}\t{ID}\tWARN\tslow\n") == wanted
    assert line(f"[WARNING]\t{TIME}\t{ID}\tslow\n") == wanted
    assert line(f"{TIME}\tundefined\tINFO\tstarting\n") == Text("info", "starting")
    assert line(json.dumps({**python, "message": {"order": 7}})) == Text("warning", '{"order": 7}', ID)


def test_an_exception_of_a_json_log_is_told_as_python_prints_it():
    fields = {"stackTrace": TRACE, "errorType": "ZeroDivisionError", "errorMessage": "division by zero"}
    found = line(json.dumps({"level": "ERROR", "message": "app/api/x/route.py failed: GET /api/x", **fields}))
    assert found == Text(
        "error",
        "app/api/x/route.py failed: GET /api/x\nTraceback (most recent call last):\n"
        f"{TRACE[0].rstrip()}\nZeroDivisionError: division by zero",
    )
    alone = line(json.dumps({"log_level": "ERROR", **fields}))
    assert isinstance(alone, Text)
    assert alone.text.startswith("Traceback")
    assert alone.text.endswith("ZeroDivisionError: division by zero")


def test_an_exception_of_node_is_told_as_node_prints_it():
    stack = ["Error: boom", "    at handler (/var/task/index.mjs:3:9)"]
    fields = {"errorType": "Error", "errorMessage": "boom", "stackTrace": stack}
    assert line(json.dumps({"level": "ERROR", "message": fields})) == Text("error", "\n".join(stack))
    assert line(json.dumps({"level": "ERROR", "message": "boom", **fields})) == Text(
        "error", "\n".join(stack)
    )


def test_the_lines_of_lambdas_own_formatter_are_understood():
    try:
        raise ValueError("bad\nvalue")
    except ValueError as error:
        record = logging.LogRecord(
            "shop", logging.ERROR, "x.py", 3, "it %s", ("failed",), (ValueError, error, error.__traceback__)
        )
    found = line(JsonFormatter().format(record))
    assert isinstance(found, Text)
    assert found.level == "error"
    assert found.text.startswith("it failed\nTraceback (most recent call last):\n  File ")
    assert found.text.endswith("ValueError: bad\nvalue")


def test_the_row_of_a_request_is_found_where_it_was_printed_and_where_it_was_logged():
    row = {
        "id": "Root=1",
        "method": "GET",
        "route": "/api/users/[id]",
        "path": "/api/users/7",
        "runtime": "edge",
    }
    row |= {"status": 200, "duration_ms": 1.5}
    wanted = Logged("Root=1", "GET", "/api/users/[id]", "/api/users/7", 200, 1.5)
    assert line(json.dumps(row)) == wanted
    assert line(json.dumps({"level": "INFO", "message": json.dumps(row), "requestId": ID})) == wanted


def test_what_a_program_prints_is_left_as_it_is():
    assert line("hello\n") == Text("info", "hello", whole=False)
    assert line('{"order": 7}') == Text("info", '{"order": 7}')
    strange = '{"type": "platform.report", "record": {"metrics": [1]}}'
    assert line(strange) == Text("info", strange)
    assert line("{not json") == Text("info", "{not json", whole=False)
    assert line("WARNING: careful") == Text("warning", "WARNING: careful", whole=False)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda item: (
            st.lists(item)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "level",
                        "message",
                        "type",
                        "record",
                        "metrics",
                        "status",
                        "errorMessage",
                        "errorType",
                        "stackTrace",
                    ]
                )
                | st.text(),
                item,
            )
        ),
    )
)
def test_no_document_of_an_app_is_too_strange(document):
    line(json.dumps(document))


@given(st.text())
def test_no_text_is_too_strange(text):
    line(text)
