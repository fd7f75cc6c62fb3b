"""One count for all nodejs functions, in a DynamoDB table."""

import asyncio
import math
import sys
import time
from collections.abc import Callable
from typing import Any

_ATTEMPTS = 3
"""Another process can open or close the window between two writes; that this happens again and again is no chance."""


class DynamoDBStore:
    """Counts in the DynamoDB table `table`, whose partition key is the string `key`; for `rate_limit(store=…)`.

    Every hit is one conditional `UpdateItem` (two when a window begins), so that processes that count at the
    same time lose none. `expires` (seconds since 1970) is the end of the window: make it the table's
    time-to-live attribute, and DynamoDB removes old rows. The function's role needs `dynamodb:UpdateItem` on
    the table, the project declares boto3. `client` is a boto3 DynamoDB client, by default one with the
    function's Region and role.

    Raises `RuntimeError` on edge, which has no sockets; `hit` raises `ImportError` without boto3 and what the
    client raises.
    """

    def __init__(
        self, table: str, *, client: Any | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        if sys.platform == "emscripten":
            raise RuntimeError(
                "DynamoDBStore does not run on edge, which has no sockets: give rate_limit() the default store "
                'there, or set runtime = "nodejs" in the routes that this middleware guards.'
            )
        self._table = table
        self._client = client
        self._clock = clock

    async def hit(self, key: str, window_seconds: float) -> tuple[int, float]:
        """As `Store.hit`; a window begins with its first hit."""
        return await asyncio.to_thread(self._hit, key, window_seconds)

    def _hit(self, key: str, window_seconds: float) -> tuple[int, float]:
        if self._client is None:
            self._client = _new_client()
        failed = self._client.exceptions.ConditionalCheckFailedException
        for _ in range(_ATTEMPTS):
            now = self._clock()
            for write in (self._count_on, self._begin):
                try:
                    row = write(key, now, window_seconds)["Attributes"]
                except failed:
                    continue
                return int(row["hits"]["N"]), max(float(row["expires"]["N"]) - now, 0)
        raise RuntimeError(f"{self._table}: the window of {key!r} was changed by others {_ATTEMPTS} times")

    def _count_on(self, key: str, now: float, _window_seconds: float) -> Any:
        """One more in a window that is open."""
        return self._update(
            key, "ADD hits :one", "expires > :now", {":one": {"N": "1"}, ":now": {"N": repr(now)}}
        )

    def _begin(self, key: str, now: float, window_seconds: float) -> Any:
        """The first of a window: there was none, or it is over."""
        # time to live takes whole seconds only
        values = {
            ":one": {"N": "1"},
            ":now": {"N": repr(now)},
            ":end": {"N": str(math.ceil(now + window_seconds))},
        }
        condition = "attribute_not_exists(expires) OR expires <= :now"
        return self._update(key, "SET hits = :one, expires = :end", condition, values)

    def _update(self, key: str, change: str, condition: str, values: dict[str, Any]) -> Any:
        assert self._client is not None
        return self._client.update_item(
            TableName=self._table,
            Key={"key": {"S": key}},
            UpdateExpression=change,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )


def _new_client() -> Any:
    try:
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415 - only who counts in DynamoDB has it
    except ImportError as error:
        raise ImportError(
            "DynamoDBStore needs boto3: add it to [project] dependencies in pyproject.toml", name="boto3"
        ) from error
    # the default session may not be shared by threads
    return boto3.session.Session().client("dynamodb")
