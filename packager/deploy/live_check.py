"""The routes that a project names are requested at its live URL, when a deployment is done or a canary begins.

What has just been deployed may take a while until it answers everywhere, so a route has time to answer well.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packager.errors import ToolError

if TYPE_CHECKING:
    import httpx

_PATIENCE = 60.0
_TIMEOUT = 35.0
"""Seconds of one request; an HTTP API gives up after 30."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0
_PARALLEL = 8
_SHOWN = 200
_API = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com")


@dataclass(frozen=True, slots=True)
class Checked:
    """How a route answered at last: a status, and milliseconds; or no status, and why.

    `attempts` counts the requests. `said` is the beginning of an answer that was not good.
    """

    path: str
    status: int | None
    milliseconds: float
    attempts: int = 1
    said: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it was an answer of success or a redirect."""
        return self.status is not None and 200 <= self.status < 400


type Report = Callable[[Checked], None]


def check(
    url: str,
    paths: Sequence[str],
    report: Report = lambda _: None,
    *,
    base_path: str = "",
    patience: float = _PATIENCE,
) -> tuple[Checked, ...]:
    """Request each of `paths` with GET below the stage's `url`, and again for `patience` seconds until it is good.

    A path is spelled as in the route table: `base_path` comes before it. Redirects are not followed. `report` gets
    each result when it is known, from one thread at a time. Nothing is raised for bad answers; see `require`.
    """
    import httpx  # noqa: PLC0415 - 100 ms that only a deployment needs

    if not paths:
        return ()
    deadline = time.monotonic() + patience
    headers = {"user-agent": "packager", "cache-control": "no-cache"}
    with (
        httpx.Client(timeout=_TIMEOUT, headers=headers) as client,
        ThreadPoolExecutor(min(_PARALLEL, len(paths))) as pool,
    ):
        ask = partial(_checked, client, f"{_reached(url)}{base_path}", deadline=deadline)
        found = []
        for row in pool.map(ask, paths):
            report(row)
            found.append(row)
    return tuple(found)


def fault(rows: Iterable[Checked]) -> str | None:
    """What is wrong with the results, in words; None if all are good."""
    rows = tuple(rows)
    bad = [row for row in rows if not row.is_good]
    if not bad:
        return None
    said = "; ".join(f"{row.path} answered {row.status or 'nothing'}: {row.said}".rstrip(": ") for row in bad)
    return f"{len(bad)} of {len(rows)} routes that were asked do not answer well: {said}"


def require(rows: Iterable[Checked], undo: str) -> None:
    """Raise `ToolError` if one of the results is bad; `undo` is the command that goes back to what was before."""
    if text := fault(rows):
        raise ToolError(f"it is deployed, but {text}", hint=f"See `packager logs`; go back with: {undo}")


def _checked(client: "httpx.Client", url: str, path: str, *, deadline: float) -> Checked:
    attempts, pause = 1, _FIRST_PAUSE
    while True:
        found = _asked(client, f"{url}{path}", path, attempts)
        left = deadline - time.monotonic()
        if found.is_good or left <= 0:
            return found
        time.sleep(min(pause, left))
        attempts, pause = attempts + 1, min(2 * pause, _LONGEST_PAUSE)


def _asked(client: "httpx.Client", url: str, path: str, attempt: int) -> Checked:
    import httpx  # noqa: PLC0415

    began = time.monotonic()
    try:
        response = client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = str(error) or type(error).__name__
        return Checked(path, None, _since(began), attempt, why)
    found = Checked(path, response.status_code, _since(began), attempt)
    if found.is_good:
        return found
    said = " ".join(response.text.split())[:_SHOWN]
    return Checked(path, found.status, found.milliseconds, attempt, said)


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _reached(url: str) -> str:
    """Where the URL is asked: an emulator of AWS does not own AWS's names, and has the APIs below a path of its own."""
    emulator = os.environ.get("AWS_ENDPOINT_URL")
    api = _API.fullmatch(urlsplit(url).netloc)
    if emulator and api:
        return f"{emulator.rstrip('/')}/_aws/execute-api/{api['api']}/$default"
    return url.rstrip("/")
