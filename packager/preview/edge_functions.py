"""Functions in Node: those that Lambda@Edge runs before the origin is asked, and those behind the HTTP API.

Each is one process, in which the artifact's own supervisor keeps the app in another one and limits it.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from packager.preview.http import Answer, Log, Message, Receive
from packager.preview.lambda_outcome import Fault, Outcome
from packager.preview.node_environment import NodeEnvironment
from packager.preview.node_program import NodeProgram, NodeScript
from packager.preview.origin_request import MAX_BODY, InvalidResultError, OriginRequest, event_of, outcome_of
from packager.preview.template import Place
from packager.preview.topology import Distribution, FunctionConfig, Origin, OriginFunction
from packager.traffic.trace import current

_YOUNG_PERCENT = 5
"""What the young objects of V8 may take of a function's memory; without a word from outside they take 128 MB.

The start script of Lambda's Node.js 24 runtime (`bootstrap`) gives this as `--max-semi-space-size`.
"""


class NodeFunction:
    """One function, whose code lies unpacked in `folder`. With `cold` no process serves a second event."""

    def __init__(
        self,
        function: FunctionConfig,
        node: Path,
        folder: Path,
        environment: Mapping[str, str],
        log: Log,
        *,
        concurrency: int | None = None,
        cold: bool = False,
    ) -> None:
        self.function = function
        file, _, name = function.handler.rpartition(".")
        script = NodeScript(
            node,
            "lambda_function.mjs",
            (f"{file}.mjs", name),
            folder,
            environment,
            _options(function.memory, environment),
        )
        self._program = NodeProgram(script, log)
        limits = {"timeout": function.timeout, "memory": function.memory}
        self._environment = NodeEnvironment(self._program, **limits, concurrency=concurrency, log=log)
        self._turn = asyncio.Lock() if cold else None

    def start(self) -> None:
        """Start it in the background, if the first event is not to do so."""
        if self._turn is None:
            self._program.start()

    async def close(self) -> None:
        """End it."""
        await self._program.close()

    async def invoke(self, event: bytes) -> Outcome:
        """Run an event; past its time the process is ended."""
        if self._turn is None:
            return await self._environment.run(event)
        async with self._turn:
            try:
                return await self._environment.run(event)
            finally:
                await self._program.end()


def _options(memory: int, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Node's options as Lambda gives them; the project's own in `NODE_OPTIONS` hold instead. `memory` in MB."""
    own = environment.get("NODE_OPTIONS", "").replace("_", "-")
    if "--max-semi-space-size" in own or "--max-old-space-size" in own:
        return ()
    return (f"--max-semi-space-size={memory * _YOUNG_PERCENT // 100}",)


class OriginFunctions:
    """The functions for origin requests of a distribution, by their place."""

    def __init__(self, distribution: Distribution, functions: Mapping[Place, NodeFunction], log: Log) -> None:
        self._distribution = distribution
        self._functions = functions
        self._log = log

    async def run(
        self,
        association: OriginFunction,
        origin: Origin,
        request: OriginRequest,
        request_id: str,
        receive: Receive,
    ) -> tuple[OriginRequest | Answer | int, Receive]:
        """What is to be done: ask the origin, give an answer, or fail with a status of CloudFront's.

        The `receive` that comes back has the body from its beginning.
        """
        body = None
        if association.include_body:
            body, receive = await _beginning(receive)
        made = self._functions[association.function]
        trace = current()
        trace.function, trace.runtime = made.function.label, "edge"
        outcome = await made.invoke(event_of(self._distribution, origin, request, request_id, body))
        if isinstance(outcome, Fault):
            trace.fault = outcome.message
            return 503, receive
        try:
            return outcome_of(request, json.loads(outcome.payload)), receive
        except InvalidResultError as error:
            trace.fault = str(error)
            self._log(f"ERROR the answer of {made.function.label} is not valid: {error}")
            return 502, receive


async def _beginning(receive: Receive) -> tuple[bytes, Receive]:
    """The body's first bytes, as many as a function gets and one more, and a `receive` with all of it."""
    read, messages = bytearray(), []
    while len(read) <= MAX_BODY:
        message = await receive()
        messages.append(message)
        read += message.get("body", b"")
        if not message.get("more_body", False):
            break
    waiting = iter(messages)

    async def again() -> Message:
        return next(waiting, None) or await receive()

    return bytes(read[: MAX_BODY + 1]), again
