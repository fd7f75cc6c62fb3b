"""Cookies as Next.js reads and writes them (`@edge-runtime/cookies` 6): parsing, serialising, two stores.

A store is a view: `ResponseCookies` of the `Set-Cookie` headers of one response, `CookieStore` of what a
request carries and what the handler changes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Literal, Self
from urllib.parse import quote, unquote

type SameSite = Literal["strict", "lax", "none"]
type Priority = Literal["low", "medium", "high"]
type RawHeaders = list[tuple[bytes, bytes]]

_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_PAIRS = re.compile(r"; *")
_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SAFE = "!'()*~"
"""What `encodeURIComponent` leaves beyond letters, digits and `-_.`."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie with its attributes. `max_age` in seconds; `expires` is aware."""

    name: str
    value: str
    path: str | None = "/"
    expires: datetime | None = None
    max_age: int | None = None
    domain: str | None = None
    secure: bool = False
    httponly: bool = False
    samesite: SameSite | None = None
    partitioned: bool = False
    priority: Priority | None = None


def parse_cookie_header(header: str) -> dict[str, str]:
    """Names and decoded values of a `Cookie` header.

    A name without `=` has the value `"true"`, a value that cannot be decoded is left out, the last of equal
    names wins.
    """
    found: dict[str, str] = {}
    for pair in _PAIRS.split(header):
        if not pair:
            continue
        name, equals, value = pair.partition("=")
        decoded = _decoded(value) if equals else "true"
        if decoded is not None:
            found[name] = decoded
    return found


def _decoded(value: str) -> str | None:
    if "%" not in value:
        return value
    if _BAD_ESCAPE.search(value):
        return None
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return None


def serialise(cookie: Cookie) -> str:
    """The `Set-Cookie` value; attributes in Next's order."""
    attributes = (
        ("Path", cookie.path),
        ("Expires", cookie.expires and format_datetime(cookie.expires.astimezone(UTC), usegmt=True)),
        ("Max-Age", None if cookie.max_age is None else str(cookie.max_age)),
        ("Domain", cookie.domain),
    )
    parts = [f"{cookie.name}={quote(cookie.value, safe=_SAFE)}"]
    parts += [f"{name}={value}" for name, value in attributes if value]
    parts += ["Secure"] if cookie.secure else []
    parts += ["HttpOnly"] if cookie.httponly else []
    parts += [f"SameSite={cookie.samesite}"] if cookie.samesite else []
    parts += ["Partitioned"] if cookie.partitioned else []
    parts += [f"Priority={cookie.priority}"] if cookie.priority else []
    return "; ".join(parts)


def parse_set_cookie(header: str) -> Cookie | None:
    """The cookie of a `Set-Cookie` value; None if it has no name. Unknown attributes are dropped."""
    first, *rest = _PAIRS.split(header)
    name, equals, value = first.partition("=")
    if not name or not equals:
        return None
    attributes = {key.lower(): content for key, _, content in (part.partition("=") for part in rest)}
    samesite, priority = attributes.get("samesite", "").lower(), attributes.get("priority", "").lower()
    return Cookie(
        name,
        _decoded(value) or "",
        path=attributes.get("path"),
        expires=_date(attributes.get("expires")),
        max_age=int(age) if (age := attributes.get("max-age", "")).lstrip("-").isdecimal() else None,
        domain=attributes.get("domain"),
        secure="secure" in attributes,
        httponly="httponly" in attributes,
        samesite=samesite if samesite in ("strict", "lax", "none") else None,  # type: ignore[arg-type]
        partitioned="partitioned" in attributes,
        priority=priority if priority in ("low", "medium", "high") else None,  # type: ignore[arg-type]
    )


def _date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class RequestCookies(dict[str, str]):
    """Names and decoded values of a request's cookies; every change rewrites its `Cookie` header."""

    def __init__(self, raw_headers: RawHeaders) -> None:
        self._raw_headers = raw_headers
        header = b"; ".join(value for name, value in raw_headers if name == b"cookie")
        super().__init__(parse_cookie_header(header.decode("latin-1")))

    def __setitem__(self, name: str, value: str) -> None:
        super().__setitem__(name, value)
        self._write()

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._write()

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self

    def update(self, *others: Any, **named: str) -> None:
        super().update(*others, **named)
        self._write()

    def setdefault(self, name: str, default: str = "") -> str:
        value = super().setdefault(name, default)
        self._write()
        return value

    def pop(self, *arguments: Any) -> Any:
        value = super().pop(*arguments)
        self._write()
        return value

    def popitem(self) -> tuple[str, str]:
        pair = super().popitem()
        self._write()
        return pair

    def clear(self) -> None:
        super().clear()
        self._write()

    def _write(self) -> None:
        self._raw_headers[:] = [row for row in self._raw_headers if row[0] != b"cookie"]
        if self:
            pairs = "; ".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in self.items())
            self._raw_headers.append((b"cookie", pairs.encode("latin-1")))


class _Setter:
    """`set` and `delete`, the same for both stores."""

    def _put(self, cookie: Cookie) -> None:
        raise NotImplementedError

    def set(  # noqa: PLR0913  (the attributes of RFC 6265, by keyword)
        self,
        name: str,
        value: str,
        *,
        path: str | None = "/",
        max_age: int | None = None,
        expires: datetime | float | None = None,
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: SameSite | None = None,
        partitioned: bool = False,
        priority: Priority | None = None,
    ) -> Self:
        """Set a cookie.

        `max_age` in seconds (a positive one also sets `expires`); a number as `expires` is seconds since 1970.
        Raises `ValueError` for a name or attribute that would break the header.
        """
        if isinstance(expires, int | float):
            expires = datetime.fromtimestamp(expires, UTC)
        if max_age and expires is None:
            expires = datetime.now(UTC) + timedelta(seconds=max_age)
        cookie = Cookie(
            name,
            value,
            path=path or "/",
            expires=expires,
            max_age=max_age,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
            priority=priority,
        )
        _refuse_breaks(cookie)
        self._put(cookie)
        return self

    def delete(self, name: str, *, path: str | None = "/", domain: str | None = None) -> Self:
        """Make the browser forget a cookie."""
        return self.set(name, "", path=path, domain=domain, expires=EPOCH)


def _refuse_breaks(cookie: Cookie) -> None:
    if (
        not cookie.name
        or re.search(r"[\x00-\x20\x7f()<>@,;:\\\"/\[\]?={}]", cookie.name)
        or not cookie.name.isascii()
    ):
        raise ValueError(f"{cookie.name!r} is not a cookie name (RFC 6265)")
    for text in (cookie.path, cookie.domain):
        if text and re.search(r"[\x00-\x1f\x7f;]", text):
            raise ValueError(f"{text!r} cannot stand in a cookie's attribute")


class ResponseCookies(_Setter):
    """The `Set-Cookie` headers of one response, as a mapping that keeps its order."""

    def __init__(self, raw_headers: RawHeaders) -> None:
        self._raw_headers = raw_headers

    def _all(self) -> dict[str, Cookie]:
        parsed = (
            parse_set_cookie(value.decode("latin-1"))
            for name, value in self._raw_headers
            if name == b"set-cookie"
        )
        return {cookie.name: cookie for cookie in parsed if cookie is not None}

    def _put(self, cookie: Cookie) -> None:
        everything = {**self._all(), cookie.name: cookie}
        self._raw_headers[:] = [row for row in self._raw_headers if row[0] != b"set-cookie"]
        self._raw_headers += [
            (b"set-cookie", serialise(item).encode("latin-1")) for item in everything.values()
        ]

    def get(self, name: str) -> Cookie | None:
        """The cookie that the response sets, or None."""
        return self._all().get(name)

    def get_all(self, name: str | None = None) -> list[Cookie]:
        """All cookies that the response sets, or those of one name."""
        return [cookie for cookie in self._all().values() if name in (None, cookie.name)]

    def has(self, name: str) -> bool:
        """True if the response sets the cookie."""
        return name in self._all()


class CookieStore(_Setter):
    """What `cookies()` gives: the request's cookies, with the changes that the response will carry.

    `writable` says whether the answer is still to come; after that `set` and `delete` raise `RuntimeError`.
    """

    def __init__(self, request_cookies: Mapping[str, str], writable: Callable[[], bool]) -> None:
        self._seen = {name: Cookie(name, value) for name, value in request_cookies.items()}
        self._changed: dict[str, Cookie] = {}
        self._writable = writable

    def _put(self, cookie: Cookie) -> None:
        if not self._writable():
            raise RuntimeError(
                "Cookies can only be changed in middleware or a route handler, not in after()."
            )
        self._seen[cookie.name] = cookie
        self._changed[cookie.name] = cookie

    def delete(self, name: str, *, path: str | None = "/", domain: str | None = None) -> Self:
        """Make the browser forget a cookie; the store no longer has it."""
        super().delete(name, path=path, domain=domain)
        del self._seen[name]
        return self

    def get(self, name: str) -> Cookie | None:
        """The cookie, own changes included, or None."""
        return self._seen.get(name)

    def get_all(self, name: str | None = None) -> list[Cookie]:
        """All cookies, or those of one name."""
        return [cookie for cookie in self._seen.values() if name in (None, cookie.name)]

    def has(self, name: str) -> bool:
        """True if there is such a cookie."""
        return name in self._seen

    @property
    def changed(self) -> tuple[Cookie, ...]:
        """What was set or deleted, in order."""
        return tuple(self._changed.values())


def is_deletion(cookie: Cookie) -> bool:
    """True if a browser forgets the cookie when it gets this."""
    return cookie.max_age == 0 or (cookie.expires is not None and cookie.expires <= EPOCH)
