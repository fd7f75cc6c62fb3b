"""One deploy of a stage at a time, whoever starts it and wherever: an object in the staging bucket is the hold.

S3 makes an object only if there is none (`If-None-Match: *`) and replaces or deletes it only if it is the one that was
seen (`If-Match`); see S3 User Guide, "Conditional requests". Whoever holds a stage renews the object; one that has not
been renewed for `EXPIRY_SECONDS` belongs to a killed process and is taken over. Times are S3's alone, from its own
headers, so that clocks of machines do not matter.
"""

import getpass
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from infra.names import prefix
from packager.deploy.aws import Aws, error_code, explained
from packager.deploy.staging import HOLDS, Bucket
from packager.errors import ToolError

EXPIRY_SECONDS = 90.0
_RENEWALS = 4
"""How often a hold is renewed before it would expire."""

_POLL_SECONDS = 2.0
_LAST_WORDS_SECONDS = 10.0
"""How long the end of a command waits for a renewal that is under way."""

_OTHER = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409", "404"}
"""Another one was there first (S3 API Reference, PutObject: 412, or 409 while both write; 404 if it is gone)."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A hold as S3 has it. `age` is in seconds since its last renewal."""

    who: str
    since: datetime
    token: str
    etag: str
    age: float


@dataclass(frozen=True, slots=True)
class _Place:
    s3: Any
    bucket: str
    key: str


class Hold:
    """A stage that is held. `check` is asked before every step that changes something."""

    def __init__(self, place: _Place, who: str) -> None:
        self._place, self._who = place, who
        self._token = uuid.uuid4().hex
        self._etag = self._since = ""
        self._renewed = 0.0
        self._is_lost = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="hold", daemon=True)

    def check(self) -> None:
        """Raise `ToolError` if the stage may be another's by now: the hold was taken over, or not renewed in time."""
        if self._is_lost or time.monotonic() - self._renewed > EXPIRY_SECONDS:
            raise ToolError(
                "the hold on the stage is lost: it was not renewed in time, and another deploy may have begun",
                hint="Check the network, see with `packager diff` what is deployed, and run the command again.",
            )

    def take(self) -> _Found | None:
        """Take the hold if there is none, or one that has expired; else give the one that is there."""
        found = None if self._write(IfNoneMatch="*") else _read(self._place)
        if found and (self._is_mine(found) or self._replace(found)):
            found = None
        if found is None and self._etag:
            self._thread.start()
        return found

    @property
    def is_taken(self) -> bool:
        """Whether `take` succeeded."""
        return bool(self._etag)

    def release(self) -> None:
        """End it, if it was taken. Where S3 cannot be asked for that, it ends by expiring."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_WORDS_SECONDS)
        if self._thread.is_alive() or not self.is_taken:
            return
        with suppress(ToolError), explained("ending the hold"):
            try:
                self._place.s3.delete_object(
                    Bucket=self._place.bucket, Key=self._place.key, IfMatch=self._etag
                )
            except self._place.s3.exceptions.ClientError as error:
                if error_code(error) not in _OTHER:
                    raise

    def _write(self, **condition: str) -> bool:
        """Write the hold on a condition; False if it is not met."""
        begun = time.monotonic()
        content = {"who": self._who, "since": self._since, "token": self._token, "written": uuid.uuid4().hex}
        try:
            answer = self._place.s3.put_object(
                Bucket=self._place.bucket, Key=self._place.key, Body=json.dumps(content).encode(), **condition
            )
        except self._place.s3.exceptions.ClientError as error:
            if error_code(error) not in _OTHER:
                raise
            return False
        self._etag, self._renewed = answer["ETag"], begun
        self._since = self._since or _date(answer).isoformat()
        return True

    def _replace(self, found: _Found) -> bool:
        return found.age > EXPIRY_SECONDS and self._write(IfMatch=found.etag)

    def _is_mine(self, found: _Found) -> bool:
        """Whether S3 has this hold, although it refused to write it: an answer was lost, and the call made again."""
        if found.token != self._token:
            return False
        self._etag, self._since = found.etag, found.since.isoformat()
        self._renewed = time.monotonic() - found.age
        return True

    def _renew(self) -> None:
        """Renew the hold until it ends or is another's. What fails is tried again while there is time."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        while not self._ended.wait(EXPIRY_SECONDS / _RENEWALS) and not self._is_lost:
            with suppress(BotoCoreError, ClientError):
                if not self._write(IfMatch=self._etag):
                    found = _read(self._place)
                    self._is_lost = found is None or not self._is_mine(found)


@contextmanager
def hold(
    aws: Aws,
    bucket: Bucket,
    app: str,
    stage: str,
    who: str,
    *,
    wait: float = 0.0,
    report: Callable[[str], None],
) -> Iterator[Hold]:
    """Hold the stage for the length of the block. What the stacks of a stage are named after names the hold too.

    If another has it, it is waited for at most `wait` seconds, which `report` is told once. `who` is what others are
    told, as `caller` gives it. Raises `ToolError` with who has it and since when, and if S3 does not answer.
    """
    place = _Place(aws.client("s3", bucket.region), bucket.name, f"{HOLDS}{prefix(app, stage)}.json")
    mine = Hold(place, who)
    try:
        with explained("taking hold of the stage"):
            _take(mine, f"{app} {stage}", wait, report)
        yield mine
    finally:
        mine.release()


def caller() -> str:
    """Who runs this command, for others to know: the user and the machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in containers
        user = "somebody"
    return f"{user} on {socket.gethostname()}"


def _take(mine: Hold, name: str, wait: float, report: Callable[[str], None]) -> None:
    deadline, told = time.monotonic() + wait, False
    while not mine.is_taken:
        found = mine.take()
        if found is None:
            continue
        left = deadline - time.monotonic()
        since = f"{found.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if left <= 0:
            raise ToolError(
                f"{name} is being deployed by {found.who} since {since}",
                hint=f"Wait until that is done, with --wait SECONDS if you like. It was alive {round(found.age)} "
                f"seconds ago; if it was killed, the stage is free {round(EXPIRY_SECONDS)} seconds after its end.",
            )
        if not told:
            report(f"waiting for {found.who}, who deploys {name} since {since}")
            told = True
        time.sleep(min(_POLL_SECONDS, left))


def _read(place: _Place) -> _Found | None:
    try:
        answer = place.s3.get_object(Bucket=place.bucket, Key=place.key)
    except place.s3.exceptions.ClientError as error:
        if error_code(error) not in _OTHER:
            raise
        return None
    written = answer["LastModified"]
    try:
        content = json.loads(answer["Body"].read())
        since = datetime.fromisoformat(content["since"]) if content["since"] else written
        who, token = str(content["who"]), content["token"]
    except (ValueError, KeyError, TypeError):  # not of this tool, and holds all the same until it expires
        who, since, token = "somebody", written, ""
    return _Found(
        who=who,
        since=since,
        token=token,
        etag=answer["ETag"],
        age=(_date(answer) - written).total_seconds(),
    )


def _date(answer: dict[str, Any]) -> datetime:
    """When S3 gave the answer, by its own clock."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
