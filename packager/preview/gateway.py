"""The HTTP API before a nodejs function: a request in, an event to a process, its result out."""

import json

from packager.preview import events
from packager.preview.http import Answer, Arrival, Log, Receive, Send, message_answer, send_answer
from packager.preview.lambda_pool import Pool
from packager.preview.lambda_process import Fault, FaultKind
from packager.preview.runtime_api import MAX_PAYLOAD

MAX_BODY = 10 * 1024 * 1024
"""Bytes that an HTTP API takes in (API Gateway quotas)."""

_ANSWERS = {
    FaultKind.INIT: (502, "Bad Gateway"),
    FaultKind.EXIT: (502, "Bad Gateway"),
    FaultKind.MEMORY: (502, "Bad Gateway"),
    FaultKind.TIMEOUT: (504, "Gateway Timeout"),
    FaultKind.HANDLER: (500, "Internal Server Error"),
    FaultKind.SIZE: (500, "Internal Server Error"),
}
_TOO_LARGE = message_answer(413, "Request Entity Too Large")


class Gateway:
    """Serves one function (`http.Backend`)."""

    def __init__(self, pool: Pool, log: Log) -> None:
        self._pool = pool
        self._log = log

    def start(self) -> None:
        """Warm one process."""
        self._pool.start()

    async def close(self) -> None:
        """End every process."""
        await self._pool.close()

    async def serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Answer one request. The invocation goes on if the client leaves, as in the cloud."""
        body = await _read_body(arrival, receive)
        await send_answer(
            send, _TOO_LARGE if body is None else await self._answer(arrival, body), arrival.method
        )

    async def _answer(self, arrival: Arrival, body: bytes) -> Answer:
        document = json.dumps(events.event(arrival, body), ensure_ascii=False, separators=(",", ":")).encode()
        if len(document) > MAX_PAYLOAD:
            self._log(f"ERROR the event has {len(document)} bytes; Lambda takes {MAX_PAYLOAD}")
            return _TOO_LARGE
        outcome = await self._pool.invoke(document)
        if isinstance(outcome, Fault):
            return message_answer(*_ANSWERS[outcome.kind])
        try:
            return events.answer(outcome.payload)
        except events.MalformedResultError as error:
            self._log(f"ERROR the function's result is not a response: {error}")
            return message_answer(500, "Internal Server Error")


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
