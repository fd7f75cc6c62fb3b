"""Files into the staging bucket: those that are not there, several at a time, each checked by S3 against its SHA-256.

A key names the content, so what is there is right: an object appears whole or not at all. Large files go in parts;
what an interrupted run has uploaded of them is found and taken over by the next one.
"""

import base64
import hashlib
import io
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO

from packager.deploy import staging
from packager.deploy.assembly import Asset
from packager.deploy.aws import Aws, error_code, explained
from packager.deploy.staging import Bucket
from packager.errors import ToolError

PART = 8 * 2**20
"""Bytes of a part; S3 takes 5 MB to 5 GB, and 10,000 parts (S3 User Guide, "Multipart upload limits")."""

WHOLE = 2 * PART
"""Bytes up to which a file goes up in one piece."""

_PARALLEL = 8

type Report = Callable[[int, int], None]
"""Called, from one thread at a time, with the bytes that are up and those that go up in all."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """How many files were sent, how many were there already, and the bytes sent."""

    sent: int
    present: int
    bytes: int


def upload(aws: Aws, assets: Iterable[Asset], staged: Mapping[str, Bucket], report: Report) -> Uploaded:
    """Have every file of `assets` in its bucket; `staged` are the buckets of the regions (`staging.buckets`).

    Raises `ToolError` if AWS or the network fails, and for a file that is no longer the one that was synthesized.
    However it ends, what is in the buckets is whole, and the next run sends the rest alone.
    """
    objects = _objects(aws, assets, staged)
    stop = threading.Event()
    with _threads(stop) as each:
        there = each(partial(_is_there, aws), objects)
        absent = [item for item, is_there in zip(objects, there, strict=True) if not is_there]
        groups = each(partial(_pieces, aws), absent)
        total = sum(piece.size for group in groups for piece in group if not piece.etag)
        send = partial(_send, aws, _Meter(report, total), stop)
        sent = each(send, [piece for group in groups for piece in group])
        parts = [[piece for piece in sent if piece.upload and piece.object is item] for item in absent]
        each(partial(_complete, aws), [group for group in parts if group])
    return Uploaded(len(absent), len(objects) - len(absent), total)


@dataclass(frozen=True, slots=True)
class _Object:
    """One object to be: a file, or the text that takes its place."""

    asset: Asset
    bucket: str
    text: bytes | None

    @property
    def name(self) -> str:
        return self.asset.path.name


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one request carries: a whole object, or a part (from 1) of an upload in parts. `sha256` in base64."""

    object: _Object
    offset: int
    size: int
    sha256: str
    number: int = 0
    upload: str = ""
    etag: str = ""


class _Meter:
    """Counts bytes of all threads, and tells whether they should stop."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total, self._sent = report, total, 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._sent += count
            self._report(self._sent, self._total)


class _Body(io.RawIOBase):
    """A piece as botocore reads it, which may start again. Bytes count when they are first read.

    `CancelledError`, which botocore lets through without trying again, ends the request of a run that stops.
    """

    def __init__(self, piece: _Piece, meter: _Meter, stop: threading.Event) -> None:
        super().__init__()
        source = piece.object
        self._file: BinaryIO = (
            source.asset.path.open("rb") if source.text is None else io.BytesIO(source.text)
        )
        self._piece, self._meter, self._stop = piece, meter, stop
        self._furthest = 0
        self.seek(0)

    def __len__(self) -> int:
        return self._piece.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell() - self._piece.offset

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._piece.size}[whence]
        self._file.seek(self._piece.offset + start + offset)
        return start + offset

    def read(self, size: int = -1) -> bytes:
        if self._stop.is_set():
            raise CancelledError
        left = self._piece.size - self.tell()
        data = self._file.read(left if size < 0 else min(size, left))
        if self.tell() > self._furthest:
            self._meter.add(self.tell() - self._furthest)
            self._furthest = self.tell()
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


def _objects(aws: Aws, assets: Iterable[Asset], staged: Mapping[str, Bucket]) -> list[_Object]:
    """Each object once, though several stacks may have it."""
    found: dict[tuple[str, str], _Object] = {}
    for asset in assets:
        bucket = staging.bucket_name(asset, staged)
        if (bucket, asset.key) not in found:
            found[bucket, asset.key] = _Object(asset, bucket, staging.content(aws, asset, staged))
    return list(found.values())


class _Threads:
    """Threads that do one thing to many values; the first failure is raised, and none of them starts another one."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def __call__[T, R](self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        futures = [self._pool.submit(work, item) for item in items]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        return [future.result() for future in futures]


@contextmanager
def _threads(stop: threading.Event) -> Iterator[_Threads]:
    pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="upload")
    try:
        yield _Threads(pool)
    finally:
        # After a failure or Ctrl-C the other threads end with their next read.
        stop.set()
        pool.shutdown(cancel_futures=True)


def _is_there(aws: Aws, item: _Object) -> bool:
    s3 = aws.client("s3", item.asset.region)
    with explained(f"looking for {item.name} in {item.bucket}"):
        try:
            s3.head_object(Bucket=item.bucket, Key=item.asset.key)
        except s3.exceptions.ClientError as error:
            # 403: who may write but not list is not told that an object is missing.
            if error_code(error) not in {"404", "NoSuchKey", "403"}:
                raise
            return False
    return True


def _pieces(aws: Aws, item: _Object) -> list[_Piece]:
    """The requests that an object takes. Parts that an earlier run left have their `etag`."""
    try:
        size, pieces = _measured(item)
    except OSError as error:
        raise ToolError(
            f"{item.asset.path} cannot be read: {error.strerror}", hint="Make it again with `packager synth`."
        ) from error
    if size <= WHOLE:
        return pieces
    s3 = aws.client("s3", item.asset.region)
    with explained(f"uploading {item.name} to {item.bucket}"):
        upload, there = _begun(s3, item)
        return [
            replace(piece, upload=upload, etag=there.get((piece.number, piece.size, piece.sha256), ""))
            for piece in pieces
        ]


def _measured(item: _Object) -> tuple[int, list[_Piece]]:
    """The object's size and its pieces, read once. Raises `ToolError` for a file that is not the promised one."""
    path, promised = item.asset.path, item.asset.sha256
    whole, offset = hashlib.sha256(), 0
    pieces: list[_Piece] = []
    with path.open("rb") as file:
        is_large = path.stat().st_size > WHOLE
        while data := file.read(PART if is_large else -1):
            whole.update(data)
            number = len(pieces) + 1 if is_large else 0
            pieces.append(_Piece(item, offset, len(data), _base64(hashlib.sha256(data)), number))
            offset += len(data)
    if promised and whole.hexdigest() != promised:
        raise _changed(item)
    if item.text is not None:
        return len(item.text), [_Piece(item, 0, len(item.text), _base64(hashlib.sha256(item.text)))]
    return offset, pieces


def _begun(s3: Any, item: _Object) -> tuple[str, dict[tuple[int, int, str], str]]:
    """The id of an upload in parts, and the ETags of the parts that it has, by number, size and SHA-256."""
    where = {"Bucket": item.bucket, "Key": item.asset.key}
    try:
        uploads = s3.list_multipart_uploads(Bucket=item.bucket, Prefix=item.asset.key).get("Uploads", [])
        for row in reversed(uploads):
            if row["Key"] == item.asset.key and row.get("ChecksumAlgorithm", "SHA256") == "SHA256":
                parts = s3.list_parts(**where, UploadId=row["UploadId"]).get("Parts", [])
                return row["UploadId"], {
                    (part["PartNumber"], part["Size"], part.get("ChecksumSHA256", "")): part["ETag"]
                    for part in parts
                }
    except s3.exceptions.ClientError as error:
        if error_code(error) not in {"AccessDenied", "NoSuchUpload"}:
            raise
    return s3.create_multipart_upload(**where, ChecksumAlgorithm="SHA256")["UploadId"], {}


def _send(aws: Aws, meter: _Meter, stop: threading.Event, piece: _Piece) -> _Piece:
    """The piece with its ETag."""
    if piece.etag:
        return piece
    item = piece.object
    s3 = aws.client("s3", item.asset.region)
    where = {"Bucket": item.bucket, "Key": item.asset.key, "ChecksumSHA256": piece.sha256}
    with explained(f"uploading {item.name} to {item.bucket}"), _Body(piece, meter, stop) as body:
        try:
            if piece.upload:
                answer = s3.upload_part(**where, UploadId=piece.upload, PartNumber=piece.number, Body=body)
            else:
                answer = s3.put_object(**where, Body=body)
        except s3.exceptions.ClientError as error:
            if error_code(error) == "BadDigest":
                raise _changed(item) from error
            if error_code(error) == "NoSuchUpload" and _is_there(aws, item):
                return piece  # another run, which took over the same upload, was faster
            raise
    return replace(piece, etag=answer["ETag"])


def _complete(aws: Aws, pieces: Sequence[_Piece]) -> None:
    item, upload = pieces[0].object, pieces[0].upload
    s3 = aws.client("s3", item.asset.region)
    parts = [
        {"PartNumber": piece.number, "ETag": piece.etag, "ChecksumSHA256": piece.sha256} for piece in pieces
    ]
    with explained(f"uploading {item.name} to {item.bucket}"):
        try:
            s3.complete_multipart_upload(
                Bucket=item.bucket,
                Key=item.asset.key,
                UploadId=upload,
                MultipartUpload={"Parts": parts},
            )
        except s3.exceptions.ClientError as error:
            if error_code(error) != "NoSuchUpload" or not _is_there(aws, item):
                raise


def _changed(item: _Object) -> ToolError:
    return ToolError(
        f"{item.asset.path} is not the file that was synthesized: its content has changed since",
        hint="Build and synthesize again, and let nothing write to the assembly meanwhile.",
    )


def _base64(digest: Any) -> str:
    return base64.b64encode(digest.digest()).decode()
