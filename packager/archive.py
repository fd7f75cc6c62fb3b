"""Zip archives: written so that equal contents give equal bytes, read without path escapes.

The writer is ours, and not `zipfile`, for two reasons: the bytes depend on nothing but the entries, and what
never changes from build to build (distributions, bytecode, Pyodide's files) is deflated once and then comes from
the user's cache.
Format: PKWARE APPNOTE 6.3.3, without zip64 (Lambda unpacks at most 250 MB).
"""

import hashlib
import os
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packager.cache import derived_dir
from packager.errors import ProjectError, ToolError

type Place = Callable[[str], str | None]

LEVEL = 10
"""Of libdeflate: 3.5 % less than zlib's best, and the same bytes on every machine, whatever zlib that has."""
MAX_ENTRIES = 65_535
MAX_UNPACKED = 2**30

_WORTH_KEEPING = 4 * 1024
"""Bytes from which on it is faster to read a deflated entry than to deflate it."""
_LARGE = 2**20
_QUICK = 6
"""The level for large contents that are given as bytes: snapshots, of which no later build has the same."""

_CHUNK = 2**20
_VERSION_NEEDED = 20
_MADE_ON_UNIX = (3 << 8) | _VERSION_NEEDED
_UTF8_NAME = 1 << 11
_STORED, _DEFLATED = 0, 8
_DATE_1980_01_01 = (1 << 5) | 1
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_CACHED = struct.Struct("<II")
_UNSAFE_NAME = re.compile(r"^[A-Za-z]:|[\\\0]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive: its POSIX path inside, and its contents or the file that holds them.

    `stored` is for what is compressed already.
    """

    name: str
    source: Path | bytes
    executable: bool = False
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A finished archive: the SHA-256 of the file (hexadecimal), its bytes and those of its contents."""

    sha256: str
    size: int
    unpacked: int


@dataclass(frozen=True, slots=True)
class _Packed:
    method: int
    crc: int
    size: int
    data: bytes


def write_zip(path: Path, entries: Iterable[Entry]) -> Written:
    """Write `entries`, sorted by name, to `path`.

    Times are 1980-01-01, permissions 0644 or 0755, deflate, no extra fields. Raises
    `ProjectError` if there are more entries than a zip may have, `ValueError` if a name occurs twice.
    """
    ordered = sorted(entries, key=lambda entry: entry.name)
    if len(ordered) > MAX_ENTRIES:
        raise ProjectError(
            f"{path.name} would hold {len(ordered):,} files; a zip holds at most {MAX_ENTRIES:,}",
            hint="Take files out of [tool.packager] include, or drop a dependency.",
        )
    digest = hashlib.sha256()
    directory: list[bytes] = []
    offset = unpacked = 0
    with path.open("wb") as file:

        def put(data: bytes) -> int:
            file.write(data)
            digest.update(data)
            return len(data)

        previous = None
        for entry in ordered:
            if entry.name == previous:
                raise ValueError(f"{entry.name} is twice in {path.name}")
            previous = entry.name
            packed = _pack(entry)
            local, central = _headers(entry, packed, offset)
            offset += put(local) + put(packed.data)
            directory.append(central)
            unpacked += packed.size
        size = sum(put(record) for record in directory)
        count = len(ordered)
        put(_END.pack(b"PK\x05\x06", 0, 0, count, count, size, offset, 0))
    return Written(digest.hexdigest(), offset + size + _END.size, unpacked)


def unpack(
    archive: Path,
    folder: Path,
    *,
    place: Place | None = None,
    limit: int = MAX_UNPACKED,
) -> None:
    """Unpack `archive` into `folder`, which is made if needed. `limit` bounds the contents, in bytes.

    `place` gives another path for an entry, or None to leave it out. Files get 0644, or 0755 if the archive
    marks them executable. Raises `ToolError` if the archive is damaged, too large, or names a path outside
    `folder`.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            rows = source.infolist()
            if len(rows) > MAX_ENTRIES or sum(row.file_size for row in rows) > limit:
                raise _unsafe(archive, f"it holds more than {limit // 2**20:,} MB or {MAX_ENTRIES:,} files")
            folder.mkdir(parents=True, exist_ok=True)
            for row in rows:
                _check_safe(archive, row)
                target = row.filename if place is None else place(row.filename)
                if target is not None and not row.is_dir():
                    _extract(source, row, folder / target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError) as error:
        raise _unsafe(archive, f"it is not a readable zip file: {error}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _unsafe(archive, f"two of its entries claim one path: {error.filename}") from error


def _check_safe(archive: Path, row: zipfile.ZipInfo) -> None:
    # zipfile has cut `filename` at a NUL and replaced this system's separators
    name = row.orig_filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or _UNSAFE_NAME.search(name):
        raise _unsafe(archive, f"it names a path outside its folder: {name!r}")
    kind = stat.S_IFMT(row.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise _unsafe(archive, f"{name!r} is a link or a device")


def _extract(source: zipfile.ZipFile, row: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with source.open(row) as data, path.open("xb") as file:
        shutil.copyfileobj(data, file, _CHUNK)
    path.chmod(0o755 if (row.external_attr >> 16) & 0o111 else 0o644)


def _unsafe(archive: Path, why: str) -> ToolError:
    return ToolError(
        f"{archive.name} was not unpacked: {why}",
        hint="Find out where this archive comes from; a package index should not serve it.",
        place=str(archive),
    )


def _headers(entry: Entry, packed: _Packed, offset: int) -> tuple[bytes, bytes]:
    name = entry.name.encode()
    flags = 0 if entry.name.isascii() else _UTF8_NAME
    sizes = (packed.crc, len(packed.data), packed.size)
    local = _LOCAL.pack(
        b"PK\x03\x04", _VERSION_NEEDED, flags, packed.method, 0, _DATE_1980_01_01, *sizes, len(name), 0
    )
    mode = stat.S_IFREG | (0o755 if entry.executable else 0o644)
    central = _CENTRAL.pack(
        b"PK\x01\x02", _MADE_ON_UNIX, _VERSION_NEEDED, flags, packed.method, 0, _DATE_1980_01_01,
        *sizes, len(name), 0, 0, 0, 0, mode << 16, offset,
    )  # fmt: skip
    return local + name, central + name


def _pack(entry: Entry) -> _Packed:
    content = entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()
    if entry.stored:
        return _Packed(_STORED, zlib.crc32(content), len(content), content)
    if len(content) < _WORTH_KEEPING:
        return _Packed(_DEFLATED, zlib.crc32(content), len(content), _deflate(content, LEVEL))
    if len(content) > _LARGE and isinstance(entry.source, bytes):
        return _Packed(_DEFLATED, zlib.crc32(content), len(content), _deflate(content, _QUICK))
    return _pack_kept(content)


def _pack_kept(content: bytes) -> _Packed:
    key = hashlib.sha256(content).hexdigest()
    folder = derived_dir() / f"deflated-{LEVEL}" / key[:2]
    kept = folder / key[2:]
    try:
        raw = kept.read_bytes()
        crc, size = _CACHED.unpack_from(raw)
        return _Packed(_DEFLATED, crc, size, raw[_CACHED.size :])
    except (FileNotFoundError, struct.error):
        packed = _Packed(_DEFLATED, zlib.crc32(content), len(content), _deflate(content, LEVEL))
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_CACHED.pack(packed.crc, packed.size) + packed.data)
        Path(name).replace(kept)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return packed


def _deflate(content: bytes, level: int) -> bytes:
    """Raw deflate, as a zip entry holds it."""
    import deflate  # noqa: PLC0415 - a build that changes nothing needs none

    return bytes(deflate.deflate_compress(content, level))
