"""`config["matcher"]` of a `middleware.py`: for which requests the middleware runs.

A matcher is a path pattern, a list of them, or a list of objects with `source` and the conditions `has` (all)
and `missing` (none). Rules and truth table: Next.js 16 (`unstable_doesMiddlewareMatch`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import unquote

from runtimes.patterns import PatternError, compile_path, compile_value

type ConditionKind = Literal["header", "cookie", "query", "host"]

_KINDS = ("header", "cookie", "query", "host")
_MAX_LENGTH = 4096
_DATA_PREFIX = "/:nextData(_next/data/[^/]{1,})?"
_DATA_SUFFIX = r"{(\.json|\.rsc|\.segments/.+\.segment\.rsc)}?"
_ROOT_SUFFIX = r"(/?index|/?index\.json|/?index\.rsc|/?index\.segments/.+\.segment\.rsc)?"
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")


class MatcherError(ValueError):
    """The value is not a matcher; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `has` or `missing`. No `value`: present and not empty."""

    kind: ConditionKind
    key: str
    value: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Matcher:
    """A compiled matcher: the path and all `has` must match, no `missing` may."""

    source: str
    path: re.Pattern[str]
    has: tuple[Condition, ...] = ()
    missing: tuple[Condition, ...] = ()


class Subject(Protocol):
    """What conditions look at. Each gives the text, or None if the request has no such thing."""

    def header(self, name: str, /) -> str | None: ...
    def cookie(self, name: str, /) -> str | None: ...
    def query(self, name: str, /) -> str | None: ...
    def host(self) -> str: ...


def parse(matcher: object) -> tuple[Matcher, ...]:
    """Compile the literal value of `config["matcher"]`. Raises `MatcherError`."""
    if isinstance(matcher, str):
        return (_from_source(matcher, "matcher"),)
    if not isinstance(matcher, list | tuple):
        raise MatcherError("`matcher` must be a string, a list of strings or a list of objects")
    return tuple(_entry(item, f"matcher[{index}]") for index, item in enumerate(matcher))


def _entry(item: object, place: str) -> Matcher:
    if isinstance(item, str):
        return _from_source(item, place)
    if not isinstance(item, Mapping):
        raise MatcherError(f"`{place}` must be a string or an object with `source`")
    if unknown := set(item) - {"source", "has", "missing", "locale"}:
        raise MatcherError(f"`{place}` has the unknown key {min(map(str, unknown))!r}")
    source = item.get("source")
    if not isinstance(source, str):
        raise MatcherError(f"`{place}.source` must be a string")
    has = conditions(item.get("has", ()), f"{place}.has")
    missing = conditions(item.get("missing", ()), f"{place}.missing")
    return _from_source(source, place, has, missing)


def _from_source(
    source: str, place: str, has: tuple[Condition, ...] = (), missing: tuple[Condition, ...] = ()
) -> Matcher:
    if not source.startswith("/"):
        raise MatcherError(f'source must start with "/" at `{place}`: {source!r}')
    if len(source) > _MAX_LENGTH:
        raise MatcherError(f"source is longer than {_MAX_LENGTH} characters at `{place}`")
    suffix = _ROOT_SUFFIX if source == "/" else _DATA_SUFFIX
    try:
        compile_path(source)
        return Matcher(source, compile_path(_DATA_PREFIX + source + suffix), has, missing)
    except PatternError as error:
        raise MatcherError(f"invalid source at `{place}`: {error}") from error


def conditions(items: object, place: str) -> tuple[Condition, ...]:
    """Compile a list of `has` or `missing`; `place` names it in messages. Raises `MatcherError`."""
    if not isinstance(items, list | tuple):
        raise MatcherError(f"`{place}` must be a list")
    return tuple(_condition(item, f"{place}[{index}]") for index, item in enumerate(items))


def _condition(item: object, place: str) -> Condition:
    if not isinstance(item, Mapping):
        raise MatcherError(f"`{place}` must be an object")
    if unknown := set(item) - {"type", "key", "value"}:
        raise MatcherError(f"`{place}` has the unknown key {min(map(str, unknown))!r}")
    kind, key, value = item.get("type"), item.get("key"), item.get("value")
    if kind not in _KINDS:
        raise MatcherError(f"`{place}.type` must be one of {', '.join(map(repr, _KINDS))}")
    if kind == "host" and (key is not None or not isinstance(value, str)):
        raise MatcherError(f"`{place}` of type 'host' needs a `value` and no `key`")
    if kind != "host" and (not isinstance(key, str) or not key):
        raise MatcherError(f"`{place}.key` must be a string")
    if value is not None and not isinstance(value, str):
        raise MatcherError(f"`{place}.value` must be a string")
    name = "" if key is None else key.lower() if kind == "header" else key
    try:
        return Condition(kind, name, compile_value(value) if value else None)
    except PatternError as error:
        raise MatcherError(f"invalid value at `{place}`: {error}") from error


def matches(matchers: Sequence[Matcher], raw_path: str, subject: Subject) -> bool:
    """True if any matcher takes the request. The path is tried as sent and percent-decoded."""
    decoded = _decoded(raw_path)
    return any(
        (item.path.match(raw_path) or (decoded is not None and item.path.match(decoded)))
        and all(holds(condition, subject) for condition in item.has)
        and not any(holds(condition, subject) for condition in item.missing)
        for item in matchers
    )


def _decoded(raw_path: str) -> str | None:
    if "%" not in raw_path or _BAD_ESCAPE.search(raw_path):
        return None
    try:
        return unquote(raw_path, errors="strict")
    except UnicodeDecodeError:
        return None


def value_of(condition: Condition, subject: Subject) -> str | None:
    """The text of the request that a condition looks at."""
    if condition.kind == "header":
        return subject.header(condition.key)
    if condition.kind == "cookie":
        return subject.cookie(condition.key)
    if condition.kind == "query":
        return subject.query(condition.key)
    return subject.host()


def holds(condition: Condition, subject: Subject) -> bool:
    """True if the request fulfils the condition."""
    value = value_of(condition, subject)
    if not value:
        return False
    return condition.value is None or condition.value.match(value) is not None
