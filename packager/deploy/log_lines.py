"""One line of a function's log as Lambda wrote it, in either of its formats, as a value.

Lambda writes its own lines between those of the function: JSON objects of `type: platform.…` where the function logs
as JSON, START, END and REPORT where it logs as text, as Lambda@Edge does (Lambda Developer Guide, "Log and monitor
functions"; Telemetry API, "Event schema reference"). What a program prints arrives as it is, in both formats.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

type Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")

type Outcome = Literal["success", "error", "failure", "timeout"]


@dataclass(frozen=True, slots=True)
class Text:
    """What a program said. `whole` is false for a line that may be a part of what it printed, of a traceback."""

    level: Level
    text: str
    request_id: str | None = None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Started:
    """A process begins to work on a request."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Reported:
    """Lambda's account of a request: milliseconds, MB. `start_ms` is what a cold start took, None for a warm one."""

    request_id: str
    duration_ms: float
    start_ms: float | None
    memory_mb: int
    used_mb: int
    outcome: Outcome = "success"
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """The line of `runtimes.middleware.request_log` for a request; `route` is None if none answered."""

    id: str
    method: str
    route: str | None
    path: str
    status: int
    duration_ms: float


type Line = Text | Started | Reported | Logged

_LEVELS: dict[str, Level] = {
    **dict.fromkeys(("TRACE", "DEBUG"), "debug"),
    **dict.fromkeys(("WARN", "WARNING"), "warning"),
    **dict.fromkeys(("ERROR", "FATAL", "CRITICAL"), "error"),
}
_ID = r"[0-9a-f]{8}-[0-9a-f-]{27}"
_STARTED = re.compile(rf"START RequestId: ({_ID})")
_REPORTED = re.compile(rf"REPORT RequestId: ({_ID})")
_OF_LAMBDA = re.compile(
    rf"END RequestId: {_ID}\s*|(INIT_START|RESTORE_START|RESTORE_REPORT|EXTENSION|XRAY TraceId:?)\s.*|INIT_REPORT "
    r"(?!.*Status: ).*",
    re.DOTALL,
)
_NODE = re.compile(
    rf"[0-9TZ:.-]{{20,27}}\t(?P<id>{_ID}|undefined)\t(?P<level>[A-Z]+)\t(?P<text>.*)", re.DOTALL
)
_PYTHON = re.compile(
    rf"\[(?P<level>[A-Z]+)\](?:\t[0-9TZ:.-]{{20,27}}\t(?P<id>{_ID})?\t?| )(?P<text>.*)", re.DOTALL
)
_TIMED_OUT = re.compile(rf"[0-9TZ:.-]{{20,27}} (?P<id>{_ID}) (?P<text>Task timed out after .*)", re.DOTALL)
_BASIC = re.compile(r"(DEBUG|WARN|WARNING|ERROR|CRITICAL|FATAL): ?(?=\S)", re.IGNORECASE)
_SKIPPED = {
    *("platform.initStart", "platform.initRuntimeDone", "platform.runtimeDone", "platform.extension"),
    *("platform.restoreStart", "platform.restoreRuntimeDone", "platform.restoreReport"),
    "platform.telemetrySubscription",
}
_ROW = {"id", "method", "route", "path", "status", "duration_ms"}


def line(message: str) -> Line | None:
    """What the message of one log event says; None if nobody needs to read it."""
    text = message.rstrip("\r\n")
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except ValueError:
            return _of_text(text)
        return _of_document(document, text)
    return _of_text(text)


def _of_document(document: dict[str, Any], text: str) -> Line | None:
    kind, record = document.get("type"), document.get("record")
    if isinstance(kind, str) and kind.startswith("platform.") and isinstance(record, dict):
        try:
            return _of_platform(kind, record)
        except (TypeError, ValueError, AttributeError):  # an app may print what looks so
            return Text("info", text)
    if row := _row(document):
        return row
    level = document.get("level") or document.get("log_level")
    message = document.get("message", document.get("msg"))
    if not isinstance(level, str) or (message is None and "errorMessage" not in document):
        return Text("info", text)
    if isinstance(message, str) and message.startswith("{"):
        try:
            if row := _row(json.loads(message)):
                return row
        except ValueError:
            pass
    # where a runtime's own handler has caught it, Node puts the error's fields into the message
    fields = {**document, **message} if isinstance(message, dict) and "errorType" in message else document
    said = message if isinstance(message, str) else None if message is fields else message
    request_id = document.get("requestId")
    return Text(
        _level(level),
        _with_error(said, fields),
        request_id if isinstance(request_id, str) and request_id else None,
    )


def _with_error(message: Any, fields: dict[str, Any]) -> str:
    """A message, and below it the traceback and the error, in the order in which each language prints them."""
    said = "" if message is None else message if isinstance(message, str) else _compact(message)
    error = ": ".join(str(fields[key]) for key in ("errorType", "errorMessage") if fields.get(key))
    steps = fields.get("stackTrace") or fields.get("stack") or []
    trace = [str(step).rstrip("\n") for step in (steps if isinstance(steps, list) else [steps])]
    if not error:
        return "\n".join([said, *trace]) if said else "\n".join(trace)
    if trace and trace[0].lstrip().startswith("File "):
        whole = ["Traceback (most recent call last):", *trace, error]
    else:
        whole = trace if trace and error in trace[0] else [error, *trace]
    repeated = not said or said in (error, fields.get("errorMessage")) or "errorType" in said
    return "\n".join(whole if repeated else [said, *whole])


def _of_platform(kind: str, record: dict[str, Any]) -> Line | None:
    request_id = str(record.get("requestId", ""))
    match kind:
        case "platform.start":
            return Started(request_id)
        case "platform.report":
            return _report(request_id, record)
        case "platform.logsDropped":
            return Text("warning", f"Lambda dropped log lines: {record.get('reason', 'there were too many')}")
        case "platform.initReport":
            failed = record.get("status", "success") != "success"
            cause = record.get("errorType") or record.get("status")
            return Text("error", f"the process did not start: {cause}") if failed else None
    if kind in _SKIPPED:
        return None
    return Text("error" if kind == "platform.fault" else "info", f"{kind}: {_compact(record)}")


def _report(request_id: str, record: dict[str, Any]) -> Reported:
    metrics = record.get("metrics", {})
    start = metrics.get("initDurationMs", metrics.get("restoreDurationMs"))
    return Reported(
        request_id,
        float(metrics.get("durationMs", 0)),
        None if start is None else float(start),
        int(metrics.get("memorySizeMB", 0)),
        int(metrics.get("maxMemoryUsedMB", 0)),
        _outcome(record.get("status")),
        record.get("errorType"),
    )


def _of_text(text: str) -> Line | None:
    if found := _STARTED.match(text):
        return Started(found[1])
    if found := _REPORTED.match(text):
        return _report_of_text(found[1], text)
    if _OF_LAMBDA.fullmatch(text):
        return None
    if found := _TIMED_OUT.fullmatch(text):
        return Text("error", found["text"], found["id"])
    if found := _NODE.fullmatch(text) or _PYTHON.fullmatch(text):
        id_ = found["id"]
        return Text(_level(found["level"]), found["text"], None if id_ == "undefined" else id_)
    level = _BASIC.match(text)
    traced = "\nTraceback (most recent call last):" in text
    return Text("error" if traced else _level(level[1]) if level else "info", text, whole=False)


def _report_of_text(request_id: str, text: str) -> Reported:
    fields = dict(part.partition(": ")[::2] for part in text.split("\t") if ": " in part)

    def number(name: str) -> float | None:
        found = re.match(r"[\d.]+", fields.get(name, ""))
        return float(found[0]) if found else None

    start = number("Init Duration")
    return Reported(
        request_id,
        number("Duration") or 0,
        number("Restore Duration") if start is None else start,
        int(number("Memory Size") or 0),
        int(number("Max Memory Used") or 0),
        _outcome(fields.get("Status", "").strip()),
        fields.get("Error Type", "").strip() or None,
    )


def _row(document: Any) -> Logged | None:
    if not isinstance(document, dict) or not document.keys() >= _ROW:
        return None
    try:
        return Logged(
            str(document["id"]),
            str(document["method"]),
            None if document["route"] is None else str(document["route"]),
            str(document["path"]),
            int(document["status"]),
            float(document["duration_ms"]),
        )
    except (TypeError, ValueError):
        return None


def _level(name: str) -> Level:
    return _LEVELS.get(name.upper(), "info")


def _outcome(status: object) -> Outcome:
    return status if status in ("error", "failure", "timeout") else "success"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
