"""CloudFront at one edge location: the behaviour of a path, its functions, its cache, its origin.

Everything is as the distribution of the template says, but for methods that CloudFront does not know.
Left out are compression, the redirect to HTTPS, ranges, and that CloudFront asks the origin once for several requests
at a time.
Sources: Amazon CloudFront Developer Guide, "Cache behavior settings", "Request and response behavior for custom
origins", "Understand the cache key", "Control origin requests with a policy", "Error responses", "Quotas".
"""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from packager.preview.edge_cache import EdgeCache, Kept, is_unchanged, key_of, lifetime_of
from packager.preview.edge_functions import OriginFunctions
from packager.preview.forwarding import forwarded
from packager.preview.http import (
    Answer,
    Arrival,
    Headers,
    Log,
    Message,
    Receive,
    Send,
    message_answer,
    send_answer,
)
from packager.preview.http_api import HttpApiFront
from packager.preview.node_program import NodeFailedError
from packager.preview.origin_request import OriginRequest
from packager.preview.template import Place
from packager.preview.topology import Behaviour, Distribution, Origin
from packager.preview.uri import normalised
from packager.preview.viewer import ViewerFunctions, ViewerRequest
from packager.preview.viewer_headers import ViewerHeaders
from packager.traffic.trace import current, span

MAX_URL = 8192
"""Bytes of path and query (CloudFront quotas)."""
KNOWN_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"))
"""What CloudFront hands on if a behaviour allows it; it answers 403 to all others."""

_TOLD = {
    400: "Bad request.",
    403: "This distribution is not configured to allow the HTTP request method that was used for this request.",
    414: "The request's URL is too long.",
    502: "The function's answer is not valid, or the origin did not answer.",
    503: "The function failed, or has reached a limit.",
    504: "The origin did not answer in time.",
}
_ERROR_TYPE = ((b"content-type", b"text/html"),)


class Web(Protocol):
    """What serves a web function."""

    async def serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Answer the request, whose body comes from `receive`."""


@dataclass(frozen=True, slots=True)
class Origins:
    """What answers behind the distribution: the API, and web functions by their place."""

    api: HttpApiFront | None
    webs: Mapping[Place, Web]


@dataclass(frozen=True, slots=True)
class _Request:
    """A request that has met its behaviour. `ask` is what the origin gets, `host` its Host if a function said one."""

    arrival: Arrival
    behaviour: Behaviour
    viewed: ViewerRequest
    id: str


class DistributionFront:
    """Serves what comes to the distribution."""

    def __init__(
        self,
        distribution: Distribution,
        origins: Origins,
        viewer_functions: ViewerFunctions,
        origin_functions: OriginFunctions,
        viewer_headers: ViewerHeaders,
        log: Log,
    ) -> None:
        self._distribution = distribution
        self._origins = origins
        self._by_id = {origin.id: origin for origin in distribution.origins}
        self._viewer_functions = viewer_functions
        self._origin_functions = origin_functions
        self._viewer_headers = viewer_headers
        self._log = log
        self._cache = EdgeCache(time.monotonic)
        self._refreshing: set[asyncio.Task[None]] = set()
        self._patterns = tuple((_expression(row.pattern), row) for row in distribution.behaviours)

    async def close(self) -> None:
        """Give up what is fetched in the background."""
        for task in self._refreshing:
            task.cancel()
        if self._refreshing:
            await asyncio.wait(set(self._refreshing))

    def behaviour(self, raw_path: bytes) -> Behaviour:
        """The first behaviour whose pattern matches the normalised path; the default one matches all."""
        path = normalised(raw_path).decode("latin-1")
        return next(row for pattern, row in self._patterns if pattern.fullmatch(path))

    async def serve(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = secrets.token_urlsafe(40)
        if len(arrival.raw_path) + len(arrival.query) > MAX_URL:
            await self._fail(414, arrival, request_id, send)
            return
        behaviour = self.behaviour(arrival.raw_path)
        if arrival.method not in KNOWN_METHODS:
            self._tell_unknown(arrival.method)
        elif arrival.method not in behaviour.allowed:
            await self._fail(403, arrival, request_id, send)
            return
        headers = self._viewer_headers.added(arrival, behaviour)
        viewed = ViewerRequest(arrival.method, arrival.raw_path, arrival.query, headers, arrival.client[0])
        if behaviour.viewer_function is not None:
            try:
                with span("viewer request"):
                    found = await self._viewer_functions.run(behaviour.viewer_function, viewed)
            except NodeFailedError:
                await self._fail(503, arrival, request_id, send)
                return
            if isinstance(found, Answer):
                answering = self._answering(behaviour, request_id, "FunctionGeneratedResponse", send)
                await send_answer(answering, found, arrival.method)
                return
            viewed = found
        request = _Request(arrival, behaviour, viewed, request_id)
        if behaviour.cache.keeps and arrival.method in behaviour.cached:
            await self._serve_cached(request, send)
        else:
            await self._pass(request, receive, send)

    def _tell_unknown(self, method: str) -> None:
        """A method that CloudFront does not know is passed on all the same: what answers it can be tried here."""
        text = f"warning: CloudFront answers 403 to {method}; preview passes it on"
        self._log(text)
        current().add_line(text)

    async def _pass(self, request: _Request, receive: Receive, send: Send) -> None:
        """Hand the answer on as it comes."""
        word = "Miss"

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = "Error" if message["status"] >= 400 and word == "Miss" else word
                await self._answering(request.behaviour, request.id, said, send)(message)
            else:
                await send(message)

        def generated() -> None:
            nonlocal word
            word = "LambdaGeneratedResponse"

        await self._fetch(request, receive, answered, generated)

    async def _serve_cached(self, request: _Request, send: Send) -> None:
        viewed, behaviour = request.viewed, request.behaviour
        key = key_of(behaviour.cache, viewed.path, viewed.query, viewed.headers)
        if request.arrival.method == "OPTIONS":
            key = (*key, b"OPTIONS")
        kept, now = self._cache.find(key), self._cache.clock()
        if kept is not None and kept.may_be_stale(now):
            if not kept.is_fresh(now):
                self._refresh(request, key, kept)
            await self._send_kept(request, kept, "Hit", send)
            return
        answer, word = await self._fetched(request, key, kept)
        if word == "RefreshHit" and (found := self._cache.find(key)) is not None:
            await self._send_kept(request, found, word, send)
            return
        answering = self._answering(behaviour, request.id, word, send)
        await send_answer(answering, answer, request.arrival.method)

    async def _fetched(
        self, request: _Request, key: tuple[bytes, ...], kept: Kept | None
    ) -> tuple[Answer, str]:
        """The origin's answer, kept if it may be, and the word for it."""
        answer, generated = await self._collected(_conditional(request, kept))
        if kept is not None and answer.status == 304:
            fresh = {name: value for name, value in answer.headers if name != b"content-length"}
            rows = tuple(pair for pair in kept.answer.headers if pair[0] not in fresh)
            answer = replace(kept.answer, headers=(*rows, *fresh.items()))
            self._keep(request, key, answer)
            return answer, "RefreshHit"
        if kept is not None and answer.status >= 500 and kept.may_replace_error(self._cache.clock()):
            return kept.answer, "Hit"
        self._keep(request, key, answer)
        if generated:
            return answer, "LambdaGeneratedResponse"
        return answer, "Error" if answer.status >= 400 else "Miss"

    def _keep(self, request: _Request, key: tuple[bytes, ...], answer: Answer) -> None:
        lifetime = lifetime_of(
            request.behaviour.cache, self._distribution.error_ttl, answer.status, answer.headers, time.time()
        )
        if lifetime is None:
            self._cache.drop(key)
        elif request.arrival.method != "HEAD":
            self._cache.keep(key, answer, lifetime)

    def _refresh(self, request: _Request, key: tuple[bytes, ...], kept: Kept) -> None:
        async def fetch() -> None:
            await self._fetched(request, key, kept)

        # Until it is there the old one is fresh enough, so that it is fetched once.
        self._cache.keep(key, kept.answer, replace(kept.lifetime, while_revalidate=0.0))
        task = asyncio.create_task(fetch())
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)

    async def _send_kept(self, request: _Request, kept: Kept, word: str, send: Send) -> None:
        age = (b"age", str(int(kept.age(self._cache.clock()))).encode())
        answer = replace(
            kept.answer, headers=(*(pair for pair in kept.answer.headers if pair[0] != b"age"), age)
        )
        if answer.status == 200 and is_unchanged(request.viewed.headers, answer):
            answer = replace(answer, status=304, body=b"")
        answering = self._answering(request.behaviour, request.id, word, send)
        await send_answer(answering, answer, request.arrival.method)

    async def _collected(self, request: _Request) -> tuple[Answer, bool]:
        status, headers, body, lambda_generated = 502, (), bytearray(), False

        async def collect(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], tuple(message["headers"])
            else:
                body.extend(message.get("body", b""))

        def generated() -> None:
            nonlocal lambda_generated
            lambda_generated = True

        await self._fetch(request, _nothing, collect, generated)
        return Answer(status, headers, bytes(body)), lambda_generated

    async def _fetch(
        self, request: _Request, receive: Receive, send: Send, generated: Callable[[], None]
    ) -> None:
        """Ask the origin, by way of the behaviour's function for origin requests if there is one."""
        behaviour, origin = request.behaviour, self._by_id[request.behaviour.origin]
        asked = forwarded(
            request.viewed,
            behaviour,
            origin,
            self._distribution.host,
            request.id,
            request.arrival.http_version,
        )
        host = request.viewed.host
        if behaviour.origin_function is not None:
            outcome, receive = await self._origin_functions.run(
                behaviour.origin_function, origin, asked, request.id, receive
            )
            if isinstance(outcome, int):
                await send_answer(send, _error(outcome, request.id), asked.method)
                return
            if isinstance(outcome, Answer):
                generated()
                await send_answer(send, outcome, asked.method)
                return
            if _value(outcome.headers, b"host") != _value(asked.headers, b"host"):
                host = None
            asked = outcome
        await self._ask(request, origin, asked, host, receive, send)

    async def _ask(
        self,
        request: _Request,
        origin: Origin,
        asked: OriginRequest,
        host: bytes | None,
        receive: Receive,
        send: Send,
    ) -> None:
        own = {name.encode(): value.encode() for name, value in origin.headers}
        if host is not None:
            own[b"host"] = host
        headers = (*(pair for pair in asked.headers if pair[0] not in own), *own.items())
        arrival = replace(
            request.arrival, raw_path=asked.path, query=asked.query, headers=headers, method=asked.method
        )
        begun = False
        try:
            async with asyncio.timeout(origin.timeout) as limit:

                async def answered(message: Message) -> None:
                    nonlocal begun
                    begun = True
                    # The limit is for the time without a byte; what streams may take longer.
                    limit.reschedule(None)
                    await send(message)

                await self._serve_origin(origin, arrival, receive, answered)
        except TimeoutError:
            if begun:
                raise
            await send_answer(send, _error(504, request.id), asked.method)

    def _serve_origin(
        self, origin: Origin, arrival: Arrival, receive: Receive, send: Send
    ) -> Awaitable[None]:
        api = self._origins.api
        if origin.function is not None:
            current().function, current().runtime = origin.id, "edge"
            return self._origins.webs[origin.function].serve(arrival, receive, send)
        host = _value(arrival.headers, b"host").decode("latin-1")
        if api is None or host != origin.host:
            # An HTTP API knows itself by its name.
            return send_answer(send, message_answer(403, "Forbidden"), arrival.method)
        return api.serve(arrival, receive, send)

    def _answering(self, behaviour: Behaviour, request_id: str, word: str, send: Send) -> Send:
        """A `send` that adds what CloudFront adds to an answer."""
        current().cache = word
        host = self._distribution.host

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                overridden = {row.name.encode() for row in behaviour.answer_headers if row.override}
                rows = [pair for pair in message["headers"] if pair[0] not in overridden]
                names = {name for name, _ in rows}
                rows += [
                    (row.name.encode(), row.value.encode())
                    for row in behaviour.answer_headers
                    if row.name.encode() not in names
                ]
                message["headers"] = rows + _of_cloudfront(host, request_id, word)
            await send(message)

        return answered

    async def _fail(self, status: int, arrival: Arrival, request_id: str, send: Send) -> None:
        """CloudFront's own answer."""
        current().cache = "Error"
        answer = _error(status, request_id)
        own = tuple(_of_cloudfront(self._distribution.host, request_id, "Error"))
        await send_answer(send, replace(answer, headers=(*answer.headers, *own)), arrival.method)


def _of_cloudfront(host: str, request_id: str, word: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-cache", f"{word} from cloudfront".encode()),
        (b"via", f"1.1 {host} (CloudFront)".encode()),
        (b"x-amz-cf-id", request_id.encode()),
    ]


def _error(status: int, request_id: str) -> Answer:
    text = (
        f"<!DOCTYPE html><title>ERROR: The request could not be satisfied</title><h1>{status} ERROR</h1>"
        f"<p>{_TOLD[status]}</p><p>cloudfront, request {request_id}</p>\n"
    )
    return Answer(status, _ERROR_TYPE, text.encode())


def _conditional(request: _Request, kept: Kept | None) -> _Request:
    """The request with the validators of the kept answer in place of the viewer's own."""
    names = (b"if-none-match", b"if-modified-since")
    rows = tuple(pair for pair in request.viewed.headers if pair[0] not in names)
    known = dict(kept.answer.headers) if kept is not None else {}
    asked = zip(names, (b"etag", b"last-modified"), strict=True)
    own = tuple((name, known[validator]) for name, validator in asked if validator in known)
    return replace(request, viewed=replace(request.viewed, headers=rows + own))


def _expression(pattern: str) -> re.Pattern[str]:
    """The path pattern of a behaviour: `*` is any text, `?` any one character, and nothing else is special."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _value(headers: Headers, wanted: bytes) -> bytes:
    return next((value for name, value in headers if name == wanted), b"")


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
