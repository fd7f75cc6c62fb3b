"""Path patterns of CloudFront: `*` is any text, slashes too, `?` any one character.

Source: CloudFront developer guide, "Path pattern": case-sensitive, at most 255 characters, letters, digits and
`_-.$/~"'@:+&` beside the wildcards.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

MAX_LENGTH = 255

_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
_OTHER = re.compile(r"[^A-Za-z0-9_\-.$/~\"'@:+&*]")


def glob(url: str, fresh: str) -> str:
    """The pattern of a URL with `*` for each segment that is `fresh`.

    What a pattern cannot spell becomes a wildcard: an escape `*`, which CloudFront may have resolved, and any other
    character `?`.
    """
    parts = ["*" if part == fresh else _spelled(part) for part in url.split("/")]
    return "/".join(parts)


def _spelled(part: str) -> str:
    return _OTHER.sub("?", _ESCAPE.sub("*", part.replace("*", "?")))


def rank(pattern: str) -> tuple[object, ...]:
    """The order of patterns: first those that end with a slash, then those of more segments, then as the router's.

    A pattern takes URLs of as many segments as it has and of more, so that it comes after those of more.
    """
    parts = pattern.strip("/").split("/")
    kinds = tuple(("*" in part or "?" in part, part) for part in parts)
    return (not pattern.endswith("/"), -len(parts), kinds)


def is_covered(pattern: str, by: str) -> bool:
    """True if `by` surely matches all that `pattern` does."""
    return "?" not in by and _expression(by).fullmatch(pattern) is not None


def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(_source(pattern), re.DOTALL)


def _source(pattern: str) -> str:
    return "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)


class Choice:
    """CloudFront's choice among patterns, which are in order."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)
        self._all = re.compile("|".join(f"({_source(pattern)})" for pattern in self._patterns), re.DOTALL)

    def first(self, path: str) -> str | None:
        """The first pattern that matches; None: the default behaviour."""
        found = self._all.fullmatch(path) if self._patterns else None
        return self._patterns[found.lastindex - 1] if found and found.lastindex else None


def meetings(pattern: str, parts: Sequence[str | None]) -> Iterator[list[str | None]]:
    """The ways in which the pattern takes URLs with these parts (None: any), each as the parts that it takes then.

    A segment with a wildcard stands for one part or many. Ways in which a wildcard takes nothing are left out.
    """
    yield from _meetings(pattern.strip("/").split("/"), list(parts))


def _meetings(wanted: list[str], parts: list[str | None]) -> Iterator[list[str | None]]:
    if not wanted or not parts:
        if not wanted and not parts:
            yield []
        return
    first, part = wanted[0], parts[0]
    if "*" in first or "?" in first:
        for rest in _meetings(wanted[1:], parts[1:]):
            yield [part, *rest]
        if "*" in first:
            for rest in _meetings(wanted, parts[1:]):
                yield [part, *rest]
    elif part is None or part == first:
        for rest in _meetings(wanted[1:], parts[1:]):
            yield [first, *rest]
