"""Releases: what was live when, so that there is something to go back to.

Each successful deploy, rollback and fast deploy is one object in the staging bucket, `releases/<app>-<stage>/7.json`.
It is a note, not the state: what is live is asked of AWS (`live`), and a note that does not agree is told about. The
versions that the last releases name are kept, older ones are deleted, and their notes with them.
"""

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from infra import manifest, names
from infra.manifest import Manifest
from infra.stage import EDGE_REGION
from packager.deploy import live as lives
from packager.deploy.aws import Aws, error_code, explained
from packager.deploy.live import UNPUBLISHED, Live, Move, each
from packager.deploy.staging import Bucket
from packager.errors import ToolError

_FOLDER = "releases/"
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_GIT_SECONDS = 10

type Kind = Literal["deploy", "rollback", "fast"]


@dataclass(frozen=True, slots=True)
class Build:
    """What is deployed: the hash of its manifest, the function of each route, and the commit it was made from.

    `dirty`: the working tree had changes besides. None: the project is in no repository.
    """

    sha256: str
    routes: dict[str, str]
    commit: str | None = None
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """What was live from `time` (UTC) on, and who did it.

    `functions` and `edge` are versions by the function's deployed name; one of a fast deploy is `$LATEST`. `routes`
    are those that the API had. `of` is the release that a rollback went back to.
    """

    number: int
    time: str
    who: str
    kind: Kind
    build: str
    commit: str | None = None
    dirty: bool = False
    functions: dict[str, str] = field(default_factory=dict)
    edge: dict[str, str] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    of: int | None = None

    @property
    def is_published(self) -> bool:
        """Whether it can be gone back to: every function has a version of its own."""
        return UNPUBLISHED not in self.functions.values()


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where the releases of a stage are: its region's staging bucket. `app` and `stage` are spelled as people do."""

    bucket: Bucket
    app: str
    stage: str

    @property
    def prefix(self) -> str:
        """What the keys of its releases begin with."""
        return f"{_FOLDER}{names.prefix(self.app, self.stage)}/"


def build_of(built: Manifest, project: Path) -> Build:
    """What a release says of a build of the folder `project`."""
    commit, dirty = _commit(project)
    routes = {row.path: row.function for row in built.routes}
    return Build(sha256(manifest.to_json(built).encode()).hexdigest(), routes, commit, dirty)


def read(aws: Aws, ledger: Ledger) -> tuple[Release, ...]:
    """The releases that are kept, oldest first. Raises `ToolError`."""
    s3 = aws.client("s3", ledger.bucket.region)
    with explained("reading the releases"):
        keys = _keys(s3, ledger.bucket, ledger.prefix)
        texts = each(lambda key: _text(s3, ledger.bucket, key), keys)
    found = [_parsed(text, key) for key, text in zip(keys, texts, strict=True) if text is not None]
    return tuple(sorted(found, key=lambda row: row.number))


def record(
    aws: Aws, ledger: Ledger, *, kind: Kind, build: Build, live: Live, of: int | None = None
) -> Release:
    """Write down what is live now. If the newest release says the same already, that one is given.

    So it is after a fast deploy that had no code to replace. Raises `ToolError`.
    """
    found = read(aws, ledger)
    newest = found[-1] if found else None
    made = Release(
        number=newest.number + 1 if newest else 1,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        who=aws.identity.arn.split(":", 5)[5],
        kind=kind,
        build=build.sha256,
        commit=build.commit,
        dirty=build.dirty,
        functions=live.versions,
        edge=live.edge_versions,
        routes=build.routes,
        of=of,
    )
    if newest and (_says(newest, made) or (kind == "fast" and made.is_published and matches(newest, live))):
        return newest
    s3 = aws.client("s3", ledger.bucket.region)
    with explained("recording the release"):
        try:
            s3.put_object(
                Bucket=ledger.bucket.name,
                Key=f"{ledger.prefix}{made.number}.json",
                Body=json.dumps(asdict(made), indent=1).encode(),
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except s3.exceptions.ClientError as error:
            if error_code(error) not in _TAKEN:
                raise
            # Either the answer of our own first try was lost, or another one recorded meanwhile.
            if read(aws, ledger)[-1] != made:
                raise ToolError(
                    f"another deploy of {ledger.stage} recorded release {made.number} at the same time",
                    hint="See what is live with `packager releases` and deploy again.",
                ) from error
    return made


def matches(release: Release, live: Live) -> bool:
    """Whether what is live is this release, alone."""
    return (release.functions, release.edge) == (live.versions, live.edge_versions) and not live.is_split


def _says(newest: Release, made: Release) -> bool:
    """Whether a release says what another one says, but for when and by whom."""
    return replace(newest, number=made.number, time=made.time, who=made.who) == made


def current(found: Sequence[Release], live: Live) -> Release | None:
    """The newest release that is what is live; None: no release is."""
    return next((row for row in reversed(found) if matches(row, live)), None)


def behind(live: Live) -> tuple[Move, ...]:
    """What has to move so that the versions which the stacks published last answer, and they alone."""
    aliases = (
        Move(row.name, row.version, row.stacked)
        for row in live.functions
        if row.stacked and (row.version != row.stacked or row.weights)
    )
    edge = (Move(row.name, row.version, row.stacked, edge=True) for row in live.edge)
    return (*aliases, *(move for move in edge if move.before != move.after))


def reconcile(aws: Aws, live: Live) -> tuple[Move, ...]:
    """Have the versions that the stacks published last answer; gives what moved.

    After a rollback or a fast deploy, CloudFormation leaves the alias of a function alone if its template has not
    changed. A deploy calls this once the stacks are there, with what is live then. Raises `ToolError`.
    """
    moves = behind(live)
    lives.shift(aws, live, moves)
    return moves


def prune(aws: Aws, ledger: Ledger, live: Live, *, keep: int) -> int:
    """Delete the releases before the last `keep`, and the versions that none of these needs; gives how many versions.

    What is live, what the stacks know and everything newer stays. A version that cannot be deleted, because
    CloudFront still has replicas of it or an alias points to it, is tried again next time. Raises `ToolError`.
    """
    found = read(aws, ledger)
    kept, old = found[-keep:], found[:-keep]
    if not old:
        return 0
    needed: dict[str, set[str]] = {}
    for row in live.functions:
        others = {version for version, _ in row.weights}
        needed[row.name] = {row.version, row.stacked or row.version, *others}
    for edge in live.edge:
        needed[edge.name] = {edge.version, edge.stacked}
    for release in kept:
        for name, version in {**release.functions, **release.edge}.items():
            needed.setdefault(name, set()).add(version)
    regions = {row.name: EDGE_REGION for row in live.edge}
    spare = [
        (name, version, regions.get(name, live.region))
        for name, known in lives.versions(aws, live).items()
        for version in _spare(known, needed[name])
    ]
    with explained("deleting old releases"):
        deleted = sum(each(lambda row: _delete_version(aws, *row), spare))
        s3 = aws.client("s3", ledger.bucket.region)
        for release in old:
            s3.delete_object(Bucket=ledger.bucket.name, Key=f"{ledger.prefix}{release.number}.json")
    return deleted


def forget(aws: Aws, ledger: Ledger) -> int:
    """Delete all releases of a stage; gives how many there were. Raises `ToolError`."""
    s3 = aws.client("s3", ledger.bucket.region)
    with explained("deleting the releases"):
        keys = _keys(s3, ledger.bucket, ledger.prefix)
        for key in keys:
            s3.delete_object(Bucket=ledger.bucket.name, Key=key)
    return len(keys)


def others(aws: Aws, ledger: Ledger) -> bool:
    """Whether the bucket has releases of another stage or app. Raises `ToolError`."""
    s3 = aws.client("s3", ledger.bucket.region)
    with explained("looking for releases of other stages"):
        return any(not key.startswith(ledger.prefix) for key in _keys(s3, ledger.bucket, _FOLDER))


def _keys(s3: Any, bucket: Bucket, prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name, Prefix=prefix)
    return [row["Key"] for page in pages for row in page.get("Contents", [])]


def _text(s3: Any, bucket: Bucket, key: str) -> bytes | None:
    with suppress(s3.exceptions.NoSuchKey):
        content: bytes = s3.get_object(Bucket=bucket.name, Key=key)["Body"].read()
        return content
    return None


def _parsed(text: bytes, key: str) -> Release:
    known = {row.name for row in fields(Release)}
    try:
        return Release(**{name: value for name, value in json.loads(text).items() if name in known})
    except (ValueError, TypeError, AttributeError) as error:
        raise ToolError(
            f"the object {key} in the staging bucket is no release", hint="Delete it and run again."
        ) from error


def _spare(known: dict[str, str], needed: set[str]) -> list[str]:
    """Versions that nobody needs; what is newer than everything needed may be another deploy's."""
    newest = max((int(version) for version in needed if version.isdigit()), default=0)
    return [
        version for version in known if version.isdigit() and version not in needed and int(version) < newest
    ]


def _delete_version(aws: Aws, name: str, version: str, region: str) -> bool:
    client = aws.client("lambda", region)
    try:
        client.delete_function(FunctionName=name, Qualifier=version)
    except client.exceptions.ClientError as error:
        # Replicas at CloudFront give the second one for hours ("Delete Lambda@Edge functions and replicas").
        if error_code(error) in {
            "ResourceConflictException",
            "InvalidParameterValueException",
            "ResourceNotFoundException",
        }:
            return False
        raise
    return True


def _commit(project: Path) -> tuple[str | None, bool]:
    """The commit that is checked out in a folder, and whether the folder has changes besides."""
    head = _git(project, "rev-parse", "HEAD")
    return (head.strip(), bool(_git(project, "status", "--porcelain", "--", "."))) if head else (None, False)


def _git(project: Path, *command: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            ["git", "-C", str(project), *command],  # noqa: S607 - the one of the path
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
