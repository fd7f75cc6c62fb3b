"""CloudFront Functions before everything else: each viewer request as an event, and what the function makes of it.

Only what a function changes is changed, so that the rest stays exactly as it was sent.
Source: Amazon CloudFront Developer Guide, "CloudFront Functions event structure".
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from packager.preview.http import Answer, Headers, Log
from packager.preview.node_program import NodeFailedError, NodeProgram, NodeScript
from packager.preview.topology import ViewerFunction

_OPTIONS = ("--experimental-vm-modules", "--disable-warning=ExperimentalWarning")


@dataclass(frozen=True, slots=True)
class ViewerRequest:
    """A request of a viewer; `path` and `query` as sent. `host` is what the origin is to be asked as, None: as sent."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    ip: str
    host: bytes | None = None


class ViewerFunctions:
    """Runs the functions of a distribution, in one process for all of them."""

    def __init__(self, functions: Iterable[ViewerFunction], node: Path, folder: Path, log: Log) -> None:
        self._codes = folder / "viewer_functions.json"
        codes = {str(function.place): function.code for function in functions}
        self._codes.write_text(json.dumps(codes), encoding="utf-8")
        script = NodeScript(node, "viewer_function.mjs", (str(self._codes),), folder, {}, _OPTIONS)
        self._program = NodeProgram(script, log)

    def start(self) -> None:
        """Start the process in the background."""
        self._program.start()

    async def close(self) -> None:
        """End the process."""
        await self._program.close()

    async def run(self, function: ViewerFunction, request: ViewerRequest) -> ViewerRequest | Answer:
        """The request as the function hands it on, or its own answer. Raises `NodeFailedError` if it fails."""
        event = _event(request)
        question = json.dumps({"name": str(function.place), "event": event}).encode()
        found = await self._program.ask(question)
        result = found["result"]
        if not isinstance(result, dict):
            raise NodeFailedError(f"{function.place} returned neither a request nor a response")
        if "statusCode" in result:
            return _answer(result)
        return _changed(request, event["request"], result, found["origin"] or {})


def _event(request: ViewerRequest) -> dict[str, Any]:
    headers: dict[str, dict[str, Any]] = {}
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "cookie":
            continue
        if name in headers:
            several = headers[name].setdefault("multiValue", [{"value": headers[name]["value"]}])
            several.append({"value": value})
        else:
            headers[name] = {"value": value}
    return {
        "version": "1.0",
        "context": {"eventType": "viewer-request"},
        "viewer": {"ip": request.ip},
        "request": {
            "method": request.method,
            "uri": request.path.decode("latin-1"),
            "querystring": _named(parse_qsl(request.query.decode("latin-1"), keep_blank_values=True)),
            "headers": headers,
            "cookies": _named(_cookies(request.headers)),
        },
    }


def _cookies(headers: Headers) -> list[tuple[str, str]]:
    text = ";".join(value.decode("latin-1") for name, value in headers if name == b"cookie")
    pairs = (part.strip().partition("=") for part in text.split(";"))
    return [(name, value) for name, _, value in pairs if name]


def _named(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, str]]:
    return {name: {"value": value} for name, value in pairs}


def _changed(
    request: ViewerRequest, sent: dict[str, Any], result: dict[str, Any], origin: dict[str, Any]
) -> ViewerRequest:
    before, after = sent["headers"], result.get("headers", {})
    kept = tuple(
        pair
        for pair in request.headers
        if pair[0] == b"cookie" or before[name := pair[0].decode("latin-1")] == after.get(name)
    )
    made = tuple(
        (name.lower().encode("latin-1"), str(row["value"]).encode("latin-1", "replace"))
        for name, row in after.items()
        if before.get(name) != row
    )
    host = origin.get("hostHeader")
    query = request.query
    if (asked := result.get("querystring", {})) != sent["querystring"]:
        query = urlencode({name: row["value"] for name, row in asked.items()}).encode()
    return ViewerRequest(
        request.method,
        str(result["uri"]).encode("latin-1", "replace"),
        query,
        kept + made,
        request.ip,
        host.encode("latin-1", "replace") if host else None,
    )


def _answer(result: dict[str, Any]) -> Answer:
    body = result.get("body", "")
    text = body.get("data", "") if isinstance(body, dict) else body
    headers = tuple(
        (name.lower().encode("latin-1"), str(row["value"]).encode("latin-1", "replace"))
        for name, row in result.get("headers", {}).items()
    )
    return Answer(int(result["statusCode"]), headers, str(text).encode())
