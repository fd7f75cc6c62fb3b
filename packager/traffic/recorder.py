"""Watches every request on its way through: gives it a trace, tells one event, and keeps the exchange."""

import re
import time
from collections.abc import Awaitable, Callable

from packager.preview.http import Message, Receive, Send
from packager.traffic import trace
from packager.traffic.events import RequestServed, Told
from packager.traffic.history import Exchange, History
from packager.traffic.trace import Span, Trace

SPANS = b"x-packager-spans"
"""The header, of development alone, in which `runtimes.development` tells how long middleware took."""

_SPAN = re.compile(r"(?P<name>.+);start=(?P<start>[\d.]+);dur=(?P<dur>[\d.]+)")
_LATE = 0.25
"""Seconds after an answer within which a line is still taken to be of its request."""

type App = Callable[[Message, Receive, Send], Awaitable[None]]


class Recorder:
    """An ASGI app (http only) around `app`. `told` gets one event for each request, `history` its exchange."""

    def __init__(self, app: App, told: Told, history: History) -> None:
        self._app = app
        self._told = told
        self._history = history
        self._serving: set[Trace] = set()
        self._served: dict[str, tuple[Trace, float]] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3, http only)."""
        await self.serve(self.begin(scope), scope, receive, send)

    def begin(self, scope: Message, replay_of: int | None = None) -> Exchange:
        """The exchange of a request that has come in; `replay_of` is the number of the one it repeats."""
        query = scope["query_string"]
        exchange = Exchange(
            number=self._history.number(),
            method=scope["method"],
            target=scope["raw_path"] + (b"?" + query if query else b""),
            http_version=scope["http_version"],
            request_headers=tuple((bytes(name), bytes(value)) for name, value in scope["headers"]),
            trace=Trace(),
            replay_of=replay_of,
        )
        self._history.begun(exchange)
        return exchange

    async def serve(self, exchange: Exchange, scope: Message, receive: Receive, send: Send) -> None:
        """Let the app answer the request of an exchange that `begin` began."""
        seen = exchange.trace
        token = trace.begin(seen)
        self._serving.add(seen)
        try:
            await self._app(scope, _listening(exchange, receive), _noting(exchange, send))
        finally:
            trace.end(token)
            now = time.perf_counter()
            self._serving.discard(seen)
            self._served[seen.function] = seen, now
            exchange.duration_ms = (now - seen.began) * 1000
            self._history.ended(exchange)
            self._told(served(exchange))

    def wrote(self, function: str, text: str) -> None:
        """A worker, which serves many requests at once, wrote a line: give it to the request that it must be of.

        That is the only one that is being served, or the last one, if the line comes right behind its answer. Lambda
        processes, which serve one at a time, know it themselves (`lambda_process`).
        """
        around = [seen for seen in self._serving if (seen.function, seen.runtime) == (function, "edge")]
        last, ended = self._served.get(function, (None, 0.0))
        if len(around) == 1:
            around[0].add_line(text)
        elif not around and last and last.runtime == "edge" and time.perf_counter() - ended < _LATE:
            last.add_line(text)


def served(exchange: Exchange) -> RequestServed:
    """The event of an exchange that is over."""
    seen = exchange.trace
    return RequestServed(
        method=exchange.method,
        # without the query, which may hold what belongs in no log
        path=exchange.target.partition(b"?")[0].decode("ascii", "backslashreplace"),
        status=exchange.status,
        runtime=seen.runtime,
        function=seen.function,
        beginning=seen.beginning,
        duration_ms=exchange.duration_ms or 0.0,
        spawn_ms=seen.spawn_ms,
        init_ms=seen.init_ms,
        handler_ms=seen.handler_ms,
        memory_mb=seen.memory_mb,
        cache=seen.cache,
    )


def _listening(exchange: Exchange, receive: Receive) -> Receive:
    async def wrapped() -> Message:
        message = await receive()
        if body := message.get("body"):
            exchange.request_body.add(body)
        return message

    return wrapped


def _noting(exchange: Exchange, send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            exchange.first_byte_ms = (time.perf_counter() - exchange.trace.began) * 1000
            exchange.status = message["status"]
            headers = [(bytes(name), bytes(value)) for name, value in message["headers"]]
            if spans := [value for name, value in headers if name == SPANS]:
                _add_spans(exchange, spans[0])
                headers = message["headers"] = [pair for pair in headers if pair[0] != SPANS]
            exchange.response_headers = tuple(headers)
        elif body := message.get("body"):
            exchange.response_body.add(body)
        await send(message)

    return wrapped


def _add_spans(exchange: Exchange, value: bytes) -> None:
    """Note spans such as `middleware.py;start=1700000000000.5;dur=2.25`, in milliseconds since 1970."""
    for row in value.decode("ascii", "ignore").split(", "):
        if found := _SPAN.fullmatch(row):
            start = float(found["start"]) - exchange.at * 1000
            exchange.trace.spans.append(Span(found["name"], start, start + float(found["dur"])))
