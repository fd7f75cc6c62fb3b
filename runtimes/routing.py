"""Which route a path means: a trie of segments, so that a match costs the depth of the path.

At each level a static segment goes before `[x]`, `[x]` before `[...x]`, and that before `[[...x]]`; a deeper
match wins over a catch-all, as in Next.js 16.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote_to_bytes

type SegmentKind = Literal["static", "single", "catch-all", "optional-catch-all"]

PATH_HEADER = "x-packager-path"
"""The request header in which the CDN hands on the path as the client sent it; an HTTP API decodes the path itself."""

HOST_HEADER = "x-packager-host"
"""The request header in which the CDN hands on the host that the client asked; its own one names the origin."""

BAD_ESCAPE = re.compile(rb"%(?![0-9a-fA-F]{2})")
"""A `%` that begins no escape."""

_DYNAMIC = re.compile(
    r"\[(?P<name>[^\[\].]+)\]|\[\.\.\.(?P<rest>[^\[\].]+)\]|\[\[\.\.\.(?P<optional>[^\[\].]+)\]\]"
)
_SLASHES = re.compile(rb"[/\\]{2,}|\\")
_DOT = (b".", b"%2e")
_DOTS = (b"..", b".%2e", b"%2e.", b"%2e%2e")


class BadPathError(ValueError):
    """A dynamic segment has a bad escape or is not UTF-8: the request is answered with 400."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a route's path; `text` is the literal or the parameter's name."""

    kind: SegmentKind
    text: str


@dataclass(slots=True)
class Match[T]:
    """The value of the route and the decoded parameters: `str`, or `list[str]` of a catch-all."""

    value: T
    params: dict[str, str | list[str]]


def segments(path: str) -> tuple[Segment, ...]:
    """The segments of a route's path such as `/api/users/[id]`; `/` has none."""
    return tuple(_segment(part) for part in path.split("/") if part)


def _segment(part: str) -> Segment:
    match = _DYNAMIC.fullmatch(part)
    if match is None:
        return Segment("static", part)
    if match["name"]:
        return Segment("single", match["name"])
    if match["rest"]:
        return Segment("catch-all", match["rest"])
    return Segment("optional-catch-all", match["optional"])


@dataclass(slots=True)
class _Node[T]:
    static: dict[bytes, "_Node[T]"] = field(default_factory=dict)
    single: "_Node[T] | None" = None
    route: tuple[tuple[Segment, ...], T] | None = None
    catch_all: tuple[tuple[Segment, ...], T] | None = None
    optional: tuple[tuple[Segment, ...], T] | None = None


class Router[T]:
    """Finds the value that was given for a path's route.

    `paths` are pairs of a route's path, spelled as its folders (`/api/users/[id]`), and any value. Two
    routes for the same URLs are a mistake that the build reports; here the later one wins.
    """

    def __init__(self, paths: Iterable[tuple[str, T]]) -> None:
        self._root: _Node[T] = _Node()
        self._static: dict[bytes, T] = {}
        for path, value in paths:
            self._add(path, value)

    def exact(self, raw_path: bytes) -> Match[T] | None:
        """The route without parameters whose path this is, byte for byte; it goes before every other."""
        value = self._static.get(raw_path)
        return None if value is None else Match(value, {})

    def _add(self, path: str, value: T) -> None:
        parts = segments(path)
        dynamic = tuple(part for part in parts if part.kind != "static")
        node = self._root
        for part in parts:
            if part.kind == "static":
                node = node.static.setdefault(part.text.encode(), _Node())
            elif part.kind == "single":
                node.single = node.single or _Node()
                node = node.single
            elif part.kind == "catch-all":
                node.catch_all = (dynamic, value)
                return
            else:
                node.optional = (dynamic, value)
                return
        node.route = (dynamic, value)
        if not dynamic:
            self._static[path.encode()] = value

    def match(self, raw_path: bytes) -> Match[T] | None:
        """The route of a path, escapes as sent, without query; None if no route has it.

        Static segments compare byte for byte, dynamic ones are percent-decoded each. Raises `BadPathError` if a
        dynamic segment of the route found cannot be decoded.
        """
        parts = raw_path.split(b"/")[1:]
        if parts == [b""]:
            parts = []
        taken: list[bytes | list[bytes]] = []
        found = self._find(self._root, parts, 0, taken)
        if found is None:
            return None
        dynamic, value = found
        return Match(value, {part.text: _decoded(raw) for part, raw in zip(dynamic, taken, strict=False)})

    def _find(
        self, node: _Node[T], parts: list[bytes], depth: int, taken: list[bytes | list[bytes]]
    ) -> tuple[tuple[Segment, ...], T] | None:
        if depth == len(parts):
            return node.route or node.optional
        part = parts[depth]
        child = node.static.get(part)
        if child is not None and (found := self._find(child, parts, depth + 1, taken)):
            return found
        if not part:
            return None
        if node.single is not None:
            taken.append(part)
            if found := self._find(node.single, parts, depth + 1, taken):
                return found
            taken.pop()
        rest = node.catch_all or node.optional
        if rest is not None and all(parts[depth:]):
            taken.append(parts[depth:])
            return rest
        return None


def _decoded(raw: bytes | list[bytes]) -> str | list[str]:
    return [decode(part) for part in raw] if isinstance(raw, list) else decode(raw)


def decode(raw: bytes) -> str:
    """Percent-decode once, as `decodeURIComponent`. Raises `BadPathError` for a bad escape or invalid UTF-8."""
    if b"%" not in raw and raw.isascii():
        return raw.decode("ascii")
    if BAD_ESCAPE.search(raw):
        raise BadPathError(f"bad escape in {raw!r}")
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPathError(f"invalid UTF-8 in {raw!r}") from error


def resolve_dots(raw_path: bytes) -> bytes:
    """Resolve `.` and `..` segments, escaped ones too, as the WHATWG URL parser does."""
    if b"." not in raw_path and b"%2" not in raw_path:
        return raw_path
    kept: list[bytes] = []
    parts = raw_path.split(b"/")[1:]
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        folded = part.lower()
        if folded in _DOTS:
            if kept:
                kept.pop()
            if last:
                kept.append(b"")
        elif folded in _DOT:
            if last:
                kept.append(b"")
        else:
            kept.append(part)
    return b"/" + b"/".join(kept)


def canonical(raw_path: bytes) -> bytes:
    """The path that a request is redirected to: single slashes, none at the end but for the root."""
    if b"//" in raw_path or b"\\" in raw_path:
        raw_path = _SLASHES.sub(b"/", raw_path)
    if raw_path.endswith(b"/") and len(raw_path) > 1:
        return raw_path[:-1]
    return raw_path
