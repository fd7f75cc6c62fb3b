"""What the page is told, as JSON documents. Secrets are masked in every text, credentials are left out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infra.manifest import Function, Manifest
from packager.dev.faults import Fault
from packager.diagnostics import Diagnostic
from packager.preview.http import Headers
from packager.traffic.history import Body, Exchange
from packager.traffic.secrecy import HIDDEN_HEADERS, Secrets
from packager.traffic.trace import Span

type Document = dict[str, Any]

_NOTICEABLE = 1.0
"""Milliseconds below which a wait is the event loop's own."""


def project(mode: str, manifest: Manifest, pages: Sequence[tuple[str, str]]) -> Document:
    """What is served: routes, functions, middleware, and the further `pages` with their titles."""
    functions = {function.name: function for function in manifest.functions}
    return {
        "mode": mode,
        "name": manifest.app.name,
        "basePath": manifest.site.base_path,
        "routes": [
            {
                "path": row.path,
                "file": row.file,
                "methods": row.methods,
                "runtime": row.runtime,
                "declared": row.declared_runtime,
                "function": row.function,
                "reason": row.reason,
                "maxDuration": row.max_duration,
                "memory": functions[row.function].memory,
                "revalidate": row.revalidate,
                "middleware": functions[row.function].middleware,
                "zipBytes": functions[row.function].zip_bytes or None,
            }
            for row in manifest.routes
        ],
        "functions": [_function(row, manifest) for row in manifest.functions],
        "middleware": [
            {"file": row.file, "scope": row.scope, "matchers": row.matchers} for row in manifest.middleware
        ],
        "pages": [{"path": path, "title": title} for path, title in pages],
    }


def summary(exchange: Exchange, secrets: Secrets) -> Document:
    """The row of an exchange in the list of requests."""
    seen = exchange.trace
    return {
        "number": exchange.number,
        "at": exchange.at,
        "method": exchange.method,
        "target": secrets.mask(exchange.target.decode("ascii", "backslashreplace")),
        "status": exchange.status,
        "runtime": seen.runtime,
        "function": seen.function,
        "matched": seen.matched,
        "beginning": seen.beginning,
        "cache": seen.cache,
        "fault": None if seen.fault is None else secrets.mask(seen.fault),
        "duration": exchange.duration_ms,
        "bytes": exchange.response_body.size,
        "replayOf": exchange.replay_of,
    }


def detail(exchange: Exchange, secrets: Secrets) -> Document:
    """All that is shown of an exchange."""
    seen = exchange.trace
    return {
        **summary(exchange, secrets),
        "httpVersion": exchange.http_version,
        "request": {
            "headers": _headers(exchange.request_headers, secrets),
            "body": _body(exchange.request_body, secrets),
        },
        "response": {
            "headers": _headers(exchange.response_headers, secrets),
            "body": _body(exchange.response_body, secrets),
        },
        "timeline": list(_timeline(exchange)),
        "spawn": seen.spawn_ms,
        "init": seen.init_ms,
        "handler": seen.handler_ms,
        "memory": seen.memory_mb,
        "lines": [secrets.mask(line) for line in seen.lines],
        "linesLeftOut": seen.lines_left_out,
    }


def problems(findings: Iterable[Diagnostic], faults: Mapping[str, Fault], secrets: Secrets) -> Document:
    """What is wrong in the project now: findings of the checks, and faults by the request that met them."""
    return {
        "findings": [
            {
                "rule": row.rule,
                "severity": row.severity,
                "place": f"{row.file}:{row.line}:{row.column}",
                "message": row.message,
                "hint": row.hint,
                "chain": row.chain,
            }
            for row in findings
        ],
        "faults": [
            {
                "request": request,
                "error": secrets.mask(row.error),
                "file": row.file,
                "line": row.line,
                "hint": row.hint,
                "chain": [f"{frame.file}:{frame.line} {frame.function}".rstrip() for frame in row.frames],
                "excerpt": [{"line": number, "text": secrets.mask(text)} for number, text in row.excerpt],
            }
            for request, row in faults.items()
        ],
    }


def _function(row: Function, manifest: Manifest) -> Document:
    return {
        "name": row.name,
        "runtime": row.runtime,
        "target": row.target,
        "zipBytes": row.zip_bytes or None,
        "unpackedBytes": row.unpacked_bytes or None,
        "maxDuration": row.max_duration,
        "memory": row.memory,
        "python": row.python,
        "architecture": row.architecture,
        "distributions": [f"{item.name} {item.version}" for item in row.distributions],
        "routes": sum(route.function == row.name for route in manifest.routes),
    }


def _headers(headers: Headers, secrets: Secrets) -> list[Document]:
    rows = []
    for name, value in headers:
        key = name.decode("latin-1")
        hidden = key in HIDDEN_HEADERS
        rows.append(
            {
                "name": key,
                "value": None if hidden else secrets.mask(value.decode("latin-1")),
                "hidden": hidden,
            }
        )
    return rows


def _body(body: Body, secrets: Secrets) -> Document:
    data = bytes(body.kept)
    # The cut may lie within a character.
    text = data.decode("utf-8", "strict" if body.is_whole else "ignore") if _is_text(data) else None
    return {
        "size": body.size,
        "kept": len(data),
        "text": None if text is None else secrets.mask(text),
    }


def _is_text(data: bytes) -> bool:
    if b"\0" in data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(data) - 3 and error.end == len(data)
    return True


def _timeline(exchange: Exchange) -> Iterable[Document]:
    """Stretches in milliseconds since the request began, the whole first, then in order of their beginnings."""
    whole = exchange.duration_ms
    if whole is None:
        return
    yield {"name": "request", "start": 0.0, "end": whole}
    for row in sorted(_spans(exchange, whole), key=lambda row: (row.start, -row.end)):
        yield {"name": row.name, "start": max(row.start, 0.0), "end": min(row.end, whole)}


def _spans(exchange: Exchange, whole: float) -> list[Span]:
    """What the parts noted, and what follows from it: when the handler ran, and the wait for its process before."""
    seen = exchange.trace
    spans = list(seen.spans)
    named = {row.name: row for row in spans}
    handler = named.get("handler")
    if handler is None and seen.handler_ms is not None:
        end = exchange.first_byte_ms or whole
        handler = Span("handler", end - seen.handler_ms, end)
        spans.append(handler)
    if handler and "cold start" not in named and seen.beginning and seen.init_ms is not None:
        free = max((row.end for row in spans if row.end <= handler.start), default=0.0)
        start = max(handler.start - seen.init_ms - (seen.spawn_ms or 0.0), free, 0.0)
        # What began before the request did not keep it waiting.
        if handler.start - start > _NOTICEABLE:
            spans.append(Span("cold start", start, handler.start))
    return spans
