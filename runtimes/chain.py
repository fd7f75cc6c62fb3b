"""Middleware: which apply to a request, in which order, and what their answers do to request and response."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from starlette.responses import Response as StarletteResponse

from runtimes.context import RequestContext
from runtimes.cookie import EPOCH, Cookie, parse_set_cookie, serialise
from runtimes.handlers import Handler, Importer, call, handler, load_module
from runtimes.requests import Request
from runtimes.responses import NextResponse, RewriteResponse
from runtimes.routing import Match, Router
from runtimes.table import MiddlewareEntry, RouteEntry

if TYPE_CHECKING:
    from runtimes.matchers import Matcher

type Headers = list[tuple[bytes, bytes]]
type Part = Callable[..., Any]

_KEEP_BOTH = (b"set-cookie", b"vary")


@dataclass(frozen=True, slots=True)
class Composed:
    """What `runtimes.middleware.compose` gives: functions that run one after the other."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Middleware:
    """A loaded `middleware.py`. `folder` is `""` beside the tree; `below` matches the URLs under its scope."""

    file: str
    targets: tuple[Handler, ...]
    folder: str
    below: Router[None]
    matchers: "tuple[Matcher, ...] | None"


@dataclass(slots=True)
class Passage:
    """What the middleware that ran left: the request to go on with, headers for the response.

    Or its end: an answer, or the URL of another host that a rewrite named.
    """

    request: Request
    headers: Headers = field(default_factory=list)
    answer: StarletteResponse | None = None
    url: str | None = None


class Subject:
    """A request as matchers look at it."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def header(self, name: str) -> str | None:
        values = self._request.headers.getlist(name)
        return ", ".join(values) if values else None

    def cookie(self, name: str) -> str | None:
        return self._request.cookies.get(name)

    def query(self, name: str) -> str | None:
        return self._request.query_params.get(name)

    def host(self) -> str:
        return (self._request.headers.get("host") or "").partition(":")[0].lower()


def load(
    root: Path, entries: Sequence[MiddlewareEntry], importer: Importer = load_module
) -> tuple[Middleware, ...]:
    """Import the middleware of an artifact, outermost first.

    Raises what a module raises, `TypeError` if one has no function `middleware`.
    """
    if not entries:
        return ()
    from runtimes import matchers  # noqa: PLC0415 - only where there is middleware

    found = []
    for entry in sorted(
        entries, key=lambda item: (item.file.count("/") if item.scope != "/" else 0, item.file)
    ):
        function = getattr(importer(root, entry.file), "middleware", None)
        if isinstance(function, Composed):
            targets = tuple(handler(part, f"{entry.file} {_name(part)}") for part in function.parts)
        elif callable(function):
            targets = (handler(function, entry.file),)
        else:
            raise TypeError(f"{entry.file} has no function named middleware")
        folder = "" if entry.scope == "/" else entry.file.rpartition("/")[0] + "/"
        below = Router([(f"{entry.scope.rstrip('/')}/[[...rest]]", None)])
        compiled = None if entry.matchers is None else matchers.parse(entry.matchers)
        found.append(Middleware(entry.file, targets, folder, below, compiled))
    return tuple(found)


def _name(part: Part) -> str:
    return f"{part.__module__}.{getattr(part, '__qualname__', type(part).__qualname__)}"


def applies(item: Middleware, request: Request, match: Match[RouteEntry] | None) -> bool:
    """True if a middleware guards what the request asks for: its folder's routes, or URLs below it without a route."""
    if item.folder:
        if match is not None:
            if not match.value.file.startswith(item.folder):
                return False
        elif item.folder.endswith(")/") or item.below.match(local_path(request)) is None:
            return False
    if item.matchers is None:
        return True
    from runtimes import matchers  # noqa: PLC0415 - only where there is middleware

    return matchers.matches(item.matchers, local_path(request).decode("latin-1"), Subject(request))


def local_path(request: Request) -> bytes:
    """The path as sent, without the site's base path."""
    raw_path: bytes = request.scope["raw_path"]
    base = request.scope["root_path"].encode()
    return raw_path.removeprefix(base) or b"/"


async def step(item: Middleware, passage: Passage, context: RequestContext) -> None:
    """Run one middleware, up to its answer. Raises what it raises, `TypeError` for a wrong answer."""
    for target in item.targets:
        await _run(target, passage, context)
        if passage.answer or passage.url:
            return


async def _run(target: Handler, passage: Passage, context: RequestContext) -> None:
    """Call one function and take over what it says."""
    context.store = None
    result = await call(target, passage.request, {})
    if result is not None and not isinstance(result, StarletteResponse):
        raise TypeError(f"{target.place} returned {type(result).__name__}: return a Response or None")
    request = passage.request
    changed: tuple[Cookie, ...] = () if context.store is None else context.store.changed
    if result is not None:
        join_cookies(result, changed)
        if not isinstance(result, NextResponse):
            passage.answer = result
            return
        if isinstance(result, RewriteResponse) and urlsplit(result.url).netloc == request.url.netloc:
            request = _rewritten(request, result.url)
        elif isinstance(result, RewriteResponse):
            passage.url = result.url
        if result.request_headers is not None:
            request = derive(request, headers=result.request_headers)
        passage.headers = joined(passage.headers, result.raw_headers)
        _show_cookies(request, [value for name, value in result.raw_headers if name == b"set-cookie"])
    else:
        added = [(b"set-cookie", serialise(cookie).encode("latin-1")) for cookie in changed]
        passage.headers = joined(passage.headers, added)
        _show_cookies(request, [value for _, value in added])
    passage.request = context.request = request
    context.store = None


def derive(
    request: Request, *, headers: Headers | None = None, path: bytes | None = None, query: bytes = b""
) -> Request:
    """The same request with other headers or another URL; state and body are shared."""
    scope = dict(request.scope)
    scope["headers"] = list(scope["headers"] if headers is None else headers)
    if path is not None:
        scope["raw_path"], scope["query_string"] = path, query
        scope["path"] = unquote(path.decode("latin-1"))
    other = Request(scope, request.receive)
    if hasattr(request, "_body"):
        other._body = request._body
    return other


def _rewritten(request: Request, url: str) -> Request:
    target = urlsplit(url)
    if not hasattr(request.state, "original_url"):
        request.state.original_url = str(request.url)
    new = parse_qsl(target.query, keep_blank_values=True)
    replaced = {name for name, _ in new}
    kept = [
        part
        for part in request.scope["query_string"].decode("latin-1").split("&")
        if part and parse_qsl(part, keep_blank_values=True)[0][0] not in replaced
    ]
    query = "&".join([*kept, target.query] if target.query else kept)
    return derive(request, path=(target.path or "/").encode("latin-1"), query=query.encode("latin-1"))


def join_cookies(response: StarletteResponse, changed: Sequence[Cookie]) -> None:
    """Put what `cookies()` changed behind the response's own cookies, which win."""
    own = {cookie.name for cookie in _set_cookies(response.raw_headers)}
    response.raw_headers.extend(
        (b"set-cookie", serialise(cookie).encode("latin-1")) for cookie in changed if cookie.name not in own
    )


def _set_cookies(headers: Headers) -> list[Cookie]:
    parsed = (parse_set_cookie(value.decode("latin-1")) for name, value in headers if name == b"set-cookie")
    return [cookie for cookie in parsed if cookie is not None]


def _show_cookies(request: Request, values: list[bytes]) -> None:
    for value in values:
        cookie = parse_set_cookie(value.decode("latin-1"))
        if cookie is None:
            continue
        if cookie.max_age == 0 or (cookie.expires is not None and cookie.expires <= EPOCH):
            request.cookies.pop(cookie.name, None)
        else:
            request.cookies[cookie.name] = cookie.value


def joined(outer: Headers, inner: Headers) -> Headers:
    """The headers of two middleware: the inner one wins; of `Vary` and cookies both stay, the outer's first."""
    names = {name for name, _ in inner if name not in _KEEP_BOTH}
    return [row for row in outer if row[0] not in names] + inner


def under(response: StarletteResponse, headers: Headers) -> None:
    """Put the site's headers below those of an answer of middleware, which win; cookies stay both."""
    if headers:
        response.raw_headers[:] = joined(headers, response.raw_headers)


def onto(response: StarletteResponse, headers: Headers) -> None:
    """Put the middleware's headers on the handler's response: they win; `Vary` and cookies keep both."""
    if headers:
        names = {name for name, _ in headers if name not in _KEEP_BOTH}
        response.raw_headers[:] = headers + [row for row in response.raw_headers if row[0] not in names]
