"""What the functions of a stage log, from all regions, as one stream in order of time.

It is asked for with FilterLogEvents, again and again to follow. A live tail would come a second earlier, but it is
charged by the minute, ends after three hours, holds ten groups, and of more than 500 lines a second it leaves some out
(CloudWatch Logs API Reference, StartLiveTail).
"""

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from packager.deploy.aws import Aws, error_code, explained
from packager.deploy.log_groups import Found, LogGroup
from packager.deploy.log_lines import LEVELS, Level
from packager.deploy.log_records import Event, Message, Reader, Record, Request

_PARALLEL = 8

_PAUSE = 2.0
"""Seconds between two rounds. AWS allows 5 calls a second in an account's smaller regions, 25 in us-east-1."""

_LATE = 15_000
"""Milliseconds that are asked for again in each round, since lines of one process may arrive after another's."""

_AGAIN = 30
"""Rounds after which log groups are looked for anew: a replica may have begun to work in another region."""

type _Key = tuple[LogGroup, str, int, str, int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records are shown: from `level` on and, with a `route` (`/api/users/[id]`), those of its requests."""

    level: Level = "debug"
    route: str | None = None


def read(aws: Aws, groups: Iterable[LogGroup], since: datetime, until: datetime) -> Iterator[Record]:
    """The records from `since` to `until`. Raises `ToolError`; a group that is not there (yet) has none."""
    reader = Reader()
    yield from reader.read(
        event for _, event in _events(aws, groups, _milliseconds(since), _milliseconds(until))
    )
    yield from reader.rest()


def follow(
    aws: Aws, look: Callable[[], Found], since: datetime, pause: Callable[[float], None] = time.sleep
) -> Iterator[Record]:
    """The records from `since` on, without end; `look` finds the log groups. Raises `ToolError`."""
    reader, start = Reader(), _milliseconds(since)
    seen: set[_Key] = set()
    for number in count():
        if number % _AGAIN == 0:
            groups = look().groups
        fresh: list[Event] = []
        asked: set[_Key] = set()
        for key, event in _events(aws, groups, start, None):
            asked.add(key)
            if key not in seen:
                fresh.append(event)
        seen = asked
        yield from reader.read(fresh)
        yield from reader.rest()
        if fresh:
            start = max(start, fresh[-1].time - _LATE)
        pause(_PAUSE)


def chosen(records: Iterable[Record], wanted: Wanted) -> Iterator[Record]:
    """Those of the records that are wanted.

    Which route a request was for is known when it has ended, and of apps with `request_log` alone: until then its
    messages wait, and what belongs to a request of unknown route is let through.
    """
    least = LEVELS.index(wanted.level)
    passed = _of_route(records, wanted.route) if wanted.route else records
    return (record for record in passed if LEVELS.index(record.level) >= least)


def _of_route(records: Iterable[Record], route: str) -> Iterator[Record]:
    waiting: dict[str, list[Message]] = {}
    for record in records:
        if isinstance(record, Message):
            if record.request_id is None:
                yield record
            else:
                waiting.setdefault(record.request_id, []).append(record)
        else:
            said = waiting.pop(record.request_id, []) if record.request_id else []
            if _may_be_of(record, route):
                yield from said
                yield record
    for left in waiting.values():
        yield from left


def _may_be_of(request: Request, route: str) -> bool:
    return request.path is None or request.route == route


def _events(
    aws: Aws, groups: Iterable[LogGroup], since: int, until: int | None
) -> Iterator[tuple[_Key, Event]]:
    """All events, in order of time; each with what tells it from every other."""
    with ThreadPoolExecutor(_PARALLEL) as pool, explained("reading the logs"):
        pages = [_Pages(aws, pool, group, since, until) for group in groups]
        try:
            yield from heapq.merge(*(page.events() for page in pages), key=lambda row: row[1].time)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # who stops reading waits for no page


class _Pages:
    """The pages of one group; the next one is on its way while one is read."""

    def __init__(
        self, aws: Aws, pool: ThreadPoolExecutor, group: LogGroup, since: int, until: int | None
    ) -> None:
        self._client, self._pool, self._group = aws.client("logs", group.region), pool, group
        self._asked: dict[str, Any] = {"logGroupName": group.name, "startTime": since}
        if until is not None:
            self._asked["endTime"] = until
        self._next: Future[dict[str, Any]] | None = pool.submit(self._page, {})

    def events(self) -> Iterator[tuple[_Key, Event]]:
        group, alike = self._group, Counter[tuple[str, int, str]]()
        while self._next:
            page = self._next.result()
            token = page.get("nextToken")
            self._next = self._pool.submit(self._page, {"nextToken": token}) if token else None
            for row in page["events"]:
                # lines may be alike in everything; the first, the second, … of them stay so when asked for again
                same = (row["logStreamName"], row["timestamp"], row["message"])
                alike[same] += 1
                yield (
                    (group, *same, alike[same]),
                    Event(
                        row["timestamp"], group.function, group.region, row["logStreamName"], row["message"]
                    ),
                )

    def _page(self, more: dict[str, Any]) -> dict[str, Any]:
        try:
            page: dict[str, Any] = self._client.filter_log_events(**self._asked, **more)
        except self._client.exceptions.ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return {"events": []}
        return page


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
