import json

from packager.deploy.log_records import Event, Message, Reader, Request

ID = "79b4f56e-95b1-4643-9700-2807f4e68189"
OTHER = "89b4f56e-95b1-4643-9700-2807f4e68180"


def events(*lines, stream="a", function="api"):
    return [Event(1000 + number, function, "us-east-1", stream, text) for number, text in enumerate(lines)]


def start(request_id=ID):
    return f"START RequestId: {request_id} Version: 3\n"


def report(request_id=ID, more=""):
    return (
        f"REPORT RequestId: {request_id}\tDuration: 12.5 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB\t"
        f"Max Memory Used: 84 MB\t{more}\n"
    )


def row(status=200, path="/api/users/7"):
    return json.dumps(
        {
            "id": "x",
            "method": "GET",
            "route": "/api/users/[id]",
            "path": path,
            "status": status,
            "duration_ms": 3,
        }
    )


def all_of(*groups):
    reader = Reader()
    found = [record for group in groups for record in reader.read(group)]
    return [*found, *reader.rest()]


def test_start_row_and_report_become_one_record_at_the_end_of_a_request():
    found = all_of(
        events(start(), "hello", row(), f"END RequestId: {ID}", report(more="Init Duration: 99 ms\t"))
    )
    assert found == [
        Message(1001, "api", "us-east-1", "info", "hello", ID),
        Request(
            1004,
            "api",
            "us-east-1",
            ID,
            12.5,
            start_ms=99,
            memory_mb=512,
            used_mb=84,
            method="GET",
            path="/api/users/7",
            route="/api/users/[id]",
            status=200,
        ),
    ]


def test_requests_of_several_processes_do_not_mix():
    a = events(start(), "from a", row(path="/a"), report())
    b = events(start(OTHER), "from b", row(path="/b"), report(OTHER), stream="b")
    mixed = [event for pair in zip(a, b, strict=True) for event in pair]
    found = all_of(mixed)
    assert [(item.text, item.request_id) for item in found if isinstance(item, Message)] == [
        ("from a", ID),
        ("from b", OTHER),
    ]
    assert [(item.path, item.request_id) for item in found if isinstance(item, Request)] == [
        ("/a", ID),
        ("/b", OTHER),
    ]


def test_a_request_is_kept_open_from_one_batch_of_events_to_the_next():
    found = all_of(events(start(), row()), events(report()))
    assert [item.path for item in found if isinstance(item, Request)] == ["/api/users/7"]


def test_a_request_without_its_row_and_one_without_its_start():
    found = all_of(events(start(), report()), events(report(OTHER)))
    assert [(item.request_id, item.path) for item in found] == [(ID, None), (OTHER, None)]


def test_a_row_without_a_request_of_lambda_is_a_record_by_itself():
    (found,) = all_of(events(row()))
    assert (found.path, found.duration_ms, found.memory_mb) == ("/api/users/7", 3, None)


def test_the_printed_lines_of_a_traceback_are_one_error():
    trace = [
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
        "    1 / 0",
        "ZeroDivisionError: division by zero",
    ]
    found = all_of(events("before", *trace, "after"))
    assert [(item.level, item.text) for item in found] == [
        ("info", "before"),
        ("error", "\n".join(trace)),
        ("info", "after"),
    ]
    assert found[1].time == 1001


def test_chained_tracebacks_are_one_error():
    first = ["Traceback (most recent call last):", '  File "x.py", line 1', "KeyError: 'a'"]
    chain = [*first, "", "During handling of the above exception, another exception occurred:", "", *first]
    (found,) = all_of(events(*chain))
    assert found.text == "\n".join(chain)


def test_a_traceback_in_one_event_does_not_swallow_what_follows():
    found = all_of(events("Traceback (most recent call last):\n  File 'x'\nValueError: x\n", "after"))
    assert [item.level for item in found] == ["error", "info"]


def test_failures_are_errors():
    timeout = all_of(events(start(), report(more="Status: timeout")))[0]
    assert (timeout.outcome, timeout.level) == ("timeout", "error")
    assert all_of(events(start(), row(502), report()))[0].level == "error"
    assert all_of(events(start(), row(404), report()))[0].level == "info"
