"""The HTTP API before a nodejs function: a request in, an event to a process, its result out.

Lambda answers the gateway 200 for an invocation that failed in whatever way, with the error in the body, so that an
HTTP API has one answer for all: 500. It is its own clock, and a function that may not run once more, that make 503.
Sources: docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html and
docs.aws.amazon.com/lambda/latest/api/API_Invoke.html; for 500 after a function's timeout
github.com/denoland/deno_registry2/issues/87, for 503 after the gateway's own
github.com/serverless/serverless/issues/11222, github.com/cortexlabs/cortex/issues/1225 and
github.com/anomalyco/sst/issues/2232.
"""

import asyncio
import json
from typing import Protocol

from packager.preview import events
from packager.preview.http import Answer, Arrival, Log, Receive, Send, message_answer, send_answer
from packager.preview.lambda_outcome import Fault, FaultKind, Outcome
from packager.preview.runtime_api import MAX_PAYLOAD
from packager.traffic.trace import current, span

MAX_BODY = 10 * 1024 * 1024
"""Bytes that an HTTP API takes in."""
MAX_HEAD = 10_240
"""Bytes that the request line and the values of the headers may have together."""
TIMEOUT = 30.0
"""Seconds that an HTTP API waits for an integration, the function's start included."""

_FAILED = message_answer(500, "Internal Server Error")
_UNAVAILABLE = message_answer(503, "Service Unavailable")
_TOO_LARGE = message_answer(413, "Request Entity Too Large")
_HEAD_TOO_LARGE = message_answer(431, "Request Header Fields Too Large")


class Invoker(Protocol):
    """What runs the events of one function."""

    def start(self) -> None:
        """Warm up in the background."""

    async def close(self) -> None:
        """End every process."""

    async def invoke(self, event: bytes) -> Outcome:
        """Run one event, a JSON document."""


class Gateway:
    """Serves one function (`http.Backend`), whose answers it awaits for `timeout` seconds; None: for ever."""

    def __init__(self, pool: Invoker, log: Log, timeout: float | None = TIMEOUT) -> None:
        self._pool = pool
        self._log = log
        self._timeout = timeout
        self._running: set[asyncio.Task[Outcome]] = set()

    def start(self) -> None:
        """Warm one process."""
        self._pool.start()

    async def close(self) -> None:
        """End every process."""
        await self._pool.close()
        await asyncio.gather(*self._running)

    async def serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Answer one request. The invocation goes on if the client leaves, as in the cloud."""
        if _head_size(arrival) > MAX_HEAD:
            await send_answer(send, _HEAD_TOO_LARGE, arrival.method)
            return
        body = await _read_body(arrival, receive)
        with span("gateway"):
            answer = _TOO_LARGE if body is None else await self._answer(arrival, body)
        await send_answer(send, answer, arrival.method)

    async def _answer(self, arrival: Arrival, body: bytes) -> Answer:
        document = json.dumps(events.event(arrival, body), ensure_ascii=False, separators=(",", ":")).encode()
        if len(document) > MAX_PAYLOAD:
            self._log(f"ERROR the event has {len(document)} bytes; Lambda takes {MAX_PAYLOAD}")
            return _TOO_LARGE
        outcome = await self._outcome(document)
        if outcome is None:
            return _UNAVAILABLE
        if isinstance(outcome, Fault):
            return _UNAVAILABLE if outcome.kind is FaultKind.THROTTLED else _FAILED
        try:
            return events.answer(outcome.payload)
        except events.MalformedResultError as error:
            self._log(f"ERROR the function's result is not a response: {error}")
            return _FAILED

    async def _outcome(self, document: bytes) -> Outcome | None:
        """None if the gateway has waited long enough; the invocation goes on all the same."""
        running = asyncio.create_task(self._pool.invoke(document))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({running}, timeout=self._timeout)
        if done:
            return running.result()
        message = f"ERROR the gateway waited {self._timeout:.0f} seconds for the function"
        current().fault = message
        self._log(message)
        return None


def _head_size(arrival: Arrival) -> int:
    line = f"{arrival.method}  HTTP/{arrival.http_version}"
    target = len(arrival.raw_path) + len(arrival.query) + bool(arrival.query)
    return len(line) + target + sum(len(value) for _, value in arrival.headers)


async def _read_body(arrival: Arrival, receive: Receive) -> bytes | None:
    """The body; None if it is above `MAX_BODY`, which is not read to its end."""
    length = next((value for name, value in arrival.headers if name == b"content-length"), b"0")
    if int(length) > MAX_BODY:
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)
