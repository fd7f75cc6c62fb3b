"""What the recorder notes of requests on their way through."""

import asyncio
from typing import Any

import pytest

from packager.traffic import trace
from packager.traffic.events import RequestServed
from packager.traffic.history import MAX_BODY, Exchange, History
from packager.traffic.recorder import Recorder
from packager.traffic.trace import Trace, current, span


class Passed:
    """Requests that were served by an app, one after the other."""

    def __init__(self, app: Any) -> None:
        self.told: list[Any] = []
        self.sent: list[Any] = []
        self.begun: list[Exchange] = []
        self.history = History()
        self.history.listen(self.begun.append)
        self.recorder = Recorder(app, self.told.append, self.history)

    def ask(self, target: bytes = b"/x", body: bytes = b"", **more: Any) -> Exchange:
        """One request, and its exchange."""
        raw_path, _, query = target.partition(b"?")
        scope = {"type": "http", "method": "GET", "raw_path": raw_path, "query_string": query}
        scope |= {"http_version": "1.1", "headers": [(b"a", b"1")], **more}
        parts = [{"type": "http.request", "body": part, "more_body": True} for part in (body[:1], body[1:])]

        async def receive() -> Any:
            return parts.pop(0) if parts else {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            self.sent.append(message)

        asyncio.run(self.recorder(scope, receive, send))
        return self.history.exchanges()[-1]


def answering(status: int = 200, body: bytes = b"answer", headers: Any = ()) -> Any:
    """An app that reads the body and answers."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        seen = current()
        seen.function, seen.runtime, seen.beginning = "edge", "edge", "cold"
        with span("handler"):
            await send({"type": "http.response.start", "status": status, "headers": [*headers]})
        await send({"type": "http.response.body", "body": body})

    return app


def test_a_request_and_its_answer_are_kept_as_sent() -> None:
    passed = Passed(answering(201, b"made", [(b"x-a", b"1"), (b"x-a", b"2")]))
    kept = passed.ask(b"/a%20b?q=1", b"given")
    assert (kept.number, kept.method, kept.target, kept.status) == (1, "GET", b"/a%20b?q=1", 201)
    assert (kept.request_headers, kept.response_headers) == (
        ((b"a", b"1"),),
        ((b"x-a", b"1"), (b"x-a", b"2")),
    )
    assert (bytes(kept.request_body.kept), bytes(kept.response_body.kept)) == (b"given", b"made")
    assert [row.name for row in kept.trace.spans] == ["handler"]
    assert 0 < (kept.first_byte_ms or 0) <= (kept.duration_ms or 0)


def test_one_event_tells_of_it_without_its_query() -> None:
    passed = Passed(answering())
    passed.ask(b"/x?token=hush")
    [event] = passed.told
    assert isinstance(event, RequestServed)
    assert (event.method, event.path, event.status) == ("GET", "/x", 200)
    assert (event.function, event.runtime, event.beginning) == ("edge", "edge", "cold")


def test_large_bodies_are_cut_and_counted() -> None:
    kept = Passed(answering(body=b"x" * (MAX_BODY + 5))).ask()
    assert (kept.response_body.size, len(kept.response_body.kept)) == (MAX_BODY + 5, MAX_BODY)
    assert not kept.response_body.is_whole


def test_an_app_that_fails_ends_the_exchange_too() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError

    passed = Passed(app)
    with pytest.raises(LookupError):
        passed.ask()
    assert [event.status for event in passed.told] == [None]
    assert trace.current().function == ""


def test_spans_of_middleware_are_noted_and_their_header_goes_no_further() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        start = passed.begun[0].at * 1000 + 1
        value = (
            f"middleware.py;start={start:.3f};dur=2.5, nonsense, a/middleware.py;start={start + 3:.3f};dur=1"
        )
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"x-packager-spans", value.encode())]}
        )
        await send({"type": "http.response.body", "body": b""})

    passed = Passed(app)
    kept = passed.ask()
    assert [(row.name, round(row.start), round(row.end - row.start, 1)) for row in kept.trace.spans] == [
        ("middleware.py", 1, 2.5),
        ("a/middleware.py", 4, 1),
    ]
    assert kept.response_headers == ()
    assert passed.sent[0]["headers"] == []


def test_a_line_of_a_worker_is_of_the_only_request_or_of_the_last_one() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        current().function, current().runtime = "edge", "edge"
        passed.recorder.wrote("edge", "meanwhile")
        passed.recorder.wrote("other", "of another function")

    passed = Passed(app)
    kept = passed.ask()
    passed.recorder.wrote("edge", "right behind")
    assert kept.trace.lines == ["meanwhile", "right behind"]


def test_outside_of_a_request_notes_go_nowhere() -> None:
    with span("nothing"):
        current().function = "nobody"
    assert current().function == ""


def test_lines_without_end_are_counted() -> None:
    seen = Trace()
    for number in range(1005):
        seen.add_line(str(number))
    assert (len(seen.lines), seen.lines_left_out) == (1000, 5)
