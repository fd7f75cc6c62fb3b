"""CloudFront's cache at one edge location: what is kept, for how long, and under which key.

Sources: Amazon CloudFront Developer Guide, "Manage how long content stays in the cache (expiration)", "Understand the
cache key", "Control how long CloudFront caches errors", "How CloudFront processes HTTP 4xx and 5xx status codes".
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_plus

from packager.preview.http import Answer, Headers
from packager.preview.topology import CachePolicy

CAPACITY = 64 * 2**20
"""Bytes of bodies that are kept; what was asked for longest ago goes first."""

_ERROR_TTL = 10
_ERRORS = frozenset((404, 405, 410, 414, 500, 501, 502, 503, 504))
_ERRORS_IF_ASKED = frozenset((400, 403, 412, 415))
_OBEYING = frozenset((404, 410, 414, 501))
"""Errors whose `no-store`, `no-cache` and `private` CloudFront obeys."""

_DIRECTIVE = re.compile(r"([\w-]+)(?:\s*=\s*\"?([^\",]*)\"?)?")

type Key = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long an answer is fresh, and for how long after it may still be used: while another one is fetched, or if
    that fails. Seconds."""

    fresh: float
    while_revalidate: float = 0.0
    if_error: float = 0.0


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer in the cache; `since` is a moment of the cache's clock."""

    answer: Answer
    lifetime: Lifetime
    since: float

    def age(self, now: float) -> float:
        """Seconds since it was fetched or last confirmed."""
        return now - self.since

    def is_fresh(self, now: float) -> bool:
        """Whether it may be used without asking the origin."""
        return self.age(now) < self.lifetime.fresh

    def may_be_stale(self, now: float) -> bool:
        """Whether it may be used while another one is fetched."""
        return self.age(now) < self.lifetime.fresh + self.lifetime.while_revalidate

    def may_replace_error(self, now: float) -> bool:
        """Whether it may be used in place of the origin's error."""
        return self.age(now) < self.lifetime.fresh + self.lifetime.if_error


class EdgeCache:
    """Answers by key, at most `capacity` bytes of bodies. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float], capacity: int = CAPACITY) -> None:
        self.clock = clock
        self._capacity = capacity
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._bytes = 0

    def find(self, key: Key) -> Kept | None:
        """What is kept under the key, fresh or not."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Key, answer: Answer, lifetime: Lifetime) -> None:
        """Keep an answer from now on."""
        self.drop(key)
        if len(answer.body) > self._capacity:
            return
        self._kept[key] = Kept(answer, lifetime, self.clock())
        self._bytes += len(answer.body)
        while self._bytes > self._capacity:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= len(gone.answer.body)

    def drop(self, key: Key) -> None:
        """Forget what is kept under the key."""
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._bytes -= len(gone.answer.body)


def key_of(policy: CachePolicy, path: bytes, query: bytes, headers: Headers) -> Key:
    """What tells the answer to this request from others. `headers` are those after the viewer-request function."""
    parts = [path, b"&".join(chosen_query(policy, query))]
    for name in sorted(policy.headers.names if policy.headers.selection == "whitelist" else ()):
        values = [value for key, value in headers if key == name.encode()]
        parts.append(name.encode() + b":" + b",".join(values))
    parts += sorted(chosen_cookies(policy, headers))
    parts.append(accepted_encoding(policy, headers))
    return tuple(parts)


def chosen_query(policy: CachePolicy, query: bytes) -> list[bytes]:
    """The parts of the query that are in the key, as sent."""
    parts = query.split(b"&") if query else []
    return [
        part for part in parts if policy.query.takes(unquote_plus(part.partition(b"=")[0].decode("latin-1")))
    ]


def chosen_cookies(policy: CachePolicy, headers: Headers) -> list[bytes]:
    """The cookies that are in the key, `name=value`."""
    rows = [part.strip() for name, value in headers if name == b"cookie" for part in value.split(b";")]
    return [row for row in rows if row and policy.cookies.takes(row.partition(b"=")[0].decode("latin-1"))]


def accepted_encoding(policy: CachePolicy, headers: Headers) -> bytes:
    """The encodings that the viewer takes of those that the policy knows, normalised as CloudFront does."""
    sent = b",".join(value for name, value in headers if name == b"accept-encoding").lower()
    accepted = {part.partition(b";")[0].strip() for part in sent.split(b",")}
    return b",".join(
        name.encode() for name in ("br", "gzip") if name in policy.encodings and name.encode() in accepted
    )


def lifetime_of(
    policy: CachePolicy, error_ttl: Mapping[int, int], status: int, headers: Headers, wall: float
) -> Lifetime | None:
    """How long an answer is kept; None: not at all. `wall` is the time of day in seconds since 1970."""
    if not policy.keeps or status == 206 or 100 <= status < 200:
        return None
    directives = _directives(headers)
    given = _given(directives, headers, wall)
    refused = bool({"no-store", "no-cache", "private"} & directives.keys())
    if status >= 400:
        return _error_lifetime(policy, error_ttl, status, given, refused)
    if refused:
        return Lifetime(policy.min_ttl) if policy.min_ttl else None
    fresh = max(policy.default_ttl, policy.min_ttl) if given is None else _within(policy, given)
    stale, if_error = (_seconds(directives, f"stale-{name}") for name in ("while-revalidate", "if-error"))
    if fresh <= 0 and not stale:
        return None
    return Lifetime(fresh, stale or 0.0, if_error or 0.0)


def _error_lifetime(
    policy: CachePolicy, error_ttl: Mapping[int, int], status: int, given: float | None, refused: bool
) -> Lifetime | None:
    if status not in _ERRORS and not (status in _ERRORS_IF_ASKED and given is not None):
        return None
    if refused and status in _OBEYING:
        return None
    least = error_ttl.get(status, _ERROR_TTL)
    asked = 0.0 if given is None or refused else min(given, policy.max_ttl)
    fresh = max(least, asked)
    return Lifetime(fresh) if fresh > 0 else None


def _within(policy: CachePolicy, seconds: float) -> float:
    return min(max(seconds, policy.min_ttl), policy.max_ttl)


def _given(directives: Mapping[str, str], headers: Headers, wall: float) -> float | None:
    """The time to live that the answer asks for, if it does."""
    for directive in ("s-maxage", "max-age"):
        if (seconds := _seconds(directives, directive)) is not None:
            return seconds
    for name, value in headers:
        if name == b"expires":
            try:
                return max(0.0, parsedate_to_datetime(value.decode("latin-1")).timestamp() - wall)
            except ValueError:
                return 0.0
    return None


def _seconds(directives: Mapping[str, str], name: str) -> float | None:
    text = directives.get(name)
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


def _directives(headers: Headers) -> dict[str, str]:
    text = ",".join(value.decode("latin-1") for name, value in headers if name == b"cache-control")
    return {found[1].lower(): found[2] or "" for found in _DIRECTIVE.finditer(text)}


def is_unchanged(request: Headers, answer: Answer) -> bool:
    """Whether the viewer's own copy is the kept one (RFC 9110 §13.1: `If-None-Match` before `If-Modified-Since`)."""
    asked, known = dict(request), dict(answer.headers)
    if tags := asked.get(b"if-none-match"):
        wanted = {tag.strip().removeprefix(b"W/") for tag in tags.split(b",")}
        return b"*" in wanted or known.get(b"etag", b"\0").removeprefix(b"W/") in wanted
    since, changed = asked.get(b"if-modified-since"), known.get(b"last-modified")
    if since is None or changed is None:
        return False
    try:
        moments = [parsedate_to_datetime(value.decode("latin-1")) for value in (changed, since)]
    except ValueError:
        return False
    return moments[0] <= moments[1]
