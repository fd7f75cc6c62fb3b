"""Typed handlers: the parts of the request that they ask for, and the response that their annotation promises.

A typed handler becomes a function of `(request, params)` when its route is imported; from there on it is called like
every other one. What pydantic needs to know is worked out here, once, and so is in the memory that edge and SnapStart
freeze.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.responses import Response as StarletteResponse

from runtimes.handlers import call_sync
from runtimes.requests import Request
from runtimes.responses import Response
from runtimes.signature import Signature, SignatureError, answers, has_pydantic
from runtimes.typed_response import writer

if TYPE_CHECKING:
    from runtimes.typed_request import BodyReader, Faults, Reader

type Typed = Callable[[Request, dict[str, Any]], Awaitable[StarletteResponse]]


def typed(found: Signature, function: Callable[..., Any], place: str, *, asynchronous: bool) -> Typed:
    """The function of `(request, params)` that reads what `function` asks for, calls it and writes what it returns.

    A request that does not fit is answered with 422 and all that is wrong with it. `place` is for log lines. Raises
    `SignatureError` if the annotations cannot be served.
    """
    if not has_pydantic() and (found.sources or any(row.kind == "json" for row in answers(found.returns))):
        raise SignatureError(
            "pydantic validates typed handlers, and it is not installed: run uv add pydantic", function
        )
    parts: tuple[tuple[str, Reader], ...] = ()
    read_body: BodyReader | None = None
    if found.sources:
        from runtimes.typed_request import readers  # noqa: PLC0415 - imports pydantic

        parts, read_body = readers(found, function)
    write = writer(found.returns, function, place)
    arguments, keywords = found.arguments, found.keywords

    async def answer(request: Request, params: dict[str, Any]) -> StarletteResponse:
        values: dict[str, Any] = {"request": request, "params": params}
        faults: Faults = []
        if read_body is not None:
            values["body"] = await read_body(request, faults)
        for name, read in parts:
            values[name] = read(request, params, faults)
        if faults:
            return Response.json({"error": "Unprocessable Content", "errors": faults}, 422)
        passed = tuple([values[name] for name in arguments])
        named = {name: values[name] for name in keywords}
        if asynchronous:
            return write(await function(*passed, **named))
        return write(await call_sync(function, passed, named))

    return answer
