"""What the rules of the whole site do to one request: base path, trailing slashes, headers, redirects, rewrites.

Pure functions. Paths and queries are as sent, the base path included. Order of execution and what the rules
match: Next.js 16 (`next.config.js`, `resolve-routes`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from runtimes import routing
from runtimes.destinations import (
    Destination,
    Scope,
    compile_destination,
    compile_scope,
    fill_destination,
    fill_text,
    match,
    parameters,
    text_template,
)
from runtimes.matchers import Subject
from runtimes.patterns import Parts
from runtimes.site_rules import HeaderRule, RewriteRule, Site, Stage

_EXTENSION = re.compile(rb".+\.\w+\Z")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LATE: tuple[Stage, ...] = ("after_files", "fallback")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with this status and `Location`."""

    location: str
    status: int


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Go on with this path and query; on another host if `origin` (`https://host:port`) is not empty."""

    path: str
    query: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class _Headers:
    scope: Scope
    templates: tuple[tuple[Parts, Parts], ...]


@dataclass(frozen=True, slots=True)
class _Redirect:
    scope: Scope
    destination: Destination
    status: int


@dataclass(frozen=True, slots=True)
class _Rewrite:
    scope: Scope
    destination: Destination


@dataclass(frozen=True, slots=True)
class CompiledSite:
    """A site that is ready to answer for requests."""

    base_path: bytes
    trailing_slash: bool
    headers: tuple[_Headers, ...]
    redirects: tuple[_Redirect, ...]
    rewrites: Mapping[Stage, tuple[_Rewrite, ...]]


def compile_site(site: Site) -> CompiledSite:
    """Compile every rule, once. Raises `PatternError` or `MatcherError` for rules that the build refuses."""
    base = site.base_path
    return CompiledSite(
        base_path=base.encode(),
        trailing_slash=site.trailing_slash,
        headers=tuple(_compile_headers(rule, base) for rule in site.headers),
        redirects=tuple(
            _Redirect(compile_scope(rule, base), compile_destination(rule, base), rule.status)
            for rule in site.redirects
        ),
        rewrites={
            "before_files": _compile_rewrites(site.before_files, base),
            "after_files": _compile_rewrites(site.after_files, base),
            "fallback": _compile_rewrites(site.fallback, base),
        },
    )


def _compile_headers(rule: HeaderRule, base: str) -> _Headers:
    names = parameters(rule)
    rows = tuple((text_template(name, names), text_template(value, names)) for name, value in rule.headers)
    return _Headers(compile_scope(rule, base), rows)


def _compile_rewrites(rules: tuple[RewriteRule, ...], base: str) -> tuple[_Rewrite, ...]:
    return tuple(_Rewrite(compile_scope(rule, base), compile_destination(rule, base)) for rule in rules)


class _Asked:
    """A request with the query that conditions look at, which a rewrite may have changed."""

    def __init__(self, subject: Subject, query: str) -> None:
        self.header, self.cookie, self.host = subject.header, subject.cookie, subject.host
        self._query = query

    def query(self, name: str) -> str | None:
        return dict(parse_qsl(self._query, keep_blank_values=True)).get(name)


def headers_for(site: CompiledSite, raw_path: str, query: str, subject: Subject) -> list[tuple[bytes, bytes]]:
    """The headers that the rules give to the response: of equal names the last, of `Set-Cookie` all, which go first.

    They win over the handler's, middleware's win over them; redirects of the site have none of them. A name that
    a parameter has made unfit is left out.
    """
    found: dict[str, str] = {}
    cookies: list[str] = []
    asked = _Asked(subject, query)
    for item in site.headers:
        params = match(item.scope, raw_path, asked)
        if params is None:
            continue
        for name_template, value_template in item.templates:
            name, value = fill_text(name_template, params).lower(), fill_text(value_template, params)
            if name == "set-cookie":
                cookies.append(value)
            elif _TOKEN.fullmatch(name):
                found[name] = value
    rows = [*(("set-cookie", value) for value in cookies), *found.items()]
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in rows]


def redirect_for(site: CompiledSite, raw_path: str, query: str, subject: Subject) -> Redirect | None:
    """The first redirect that the rules ask for; it carries the request's query, over which its own wins."""
    asked = _Asked(subject, query)
    for item in site.redirects:
        params = match(item.scope, raw_path, asked)
        if params is not None:
            target = fill_destination(item.destination, params, query, append=False)
            search = f"?{target.query}" if target.query else ""
            fragment = f"#{target.fragment}" if target.fragment else ""
            return Redirect(f"{target.origin}{target.path}{search}{fragment}", item.status)
    return None


def rewrites(
    site: CompiledSite, stage: Stage, raw_path: str, query: str, subject: Subject
) -> Iterator[Rewrite]:
    """The rewrites of a stage, in order, each of what the one before left; one to another host is the last."""
    at = Rewrite(raw_path, query)
    for item in site.rewrites[stage]:
        params = match(item.scope, at.path, _Asked(subject, at.query))
        if params is None:
            continue
        target = fill_destination(item.destination, params, at.query, append=True)
        at = Rewrite(target.path, target.query, target.origin)
        yield at
        if at.origin:
            return


def resolve[T](
    site: CompiledSite,
    at: Rewrite,
    subject: Subject,
    find: Callable[[bytes], T | None],
    is_static: Callable[[T], bool],
) -> tuple[Rewrite, T | None]:
    """Where a request for `at` ends after all rewrites, and what `find` has there: None if nothing or another host.

    `find` gets a path as `strip_base` gives it. Order: `before_files`, static routes, `after_files` with a look
    at all routes after each, dynamic routes, `fallback` with a look after each.
    """

    def look(path: str) -> T | None:
        inside = strip_base(site, path.encode("latin-1"))
        return None if inside is None else find(inside)

    at = [at, *rewrites(site, "before_files", at.path, at.query, subject)][-1]
    found = None if at.origin else look(at.path)
    if at.origin or (found is not None and is_static(found)):
        return at, found
    for stage in _LATE:
        for rewrite in rewrites(site, stage, at.path, at.query, subject):
            at = rewrite
            found = None if at.origin else look(at.path)
            if at.origin or found is not None:
                return at, found
        if found is not None:
            break
    return at, found


def strip_base(site: CompiledSite, raw_path: bytes) -> bytes | None:
    """The path as routes are spelled: no base path, no slash at the end. None: outside the base path."""
    base = site.base_path
    if base and raw_path != base and not raw_path.startswith(base + b"/"):
        return None
    path = raw_path[len(base) :]
    return (path[:-1] if path.endswith(b"/") else path) or b"/"


def canonical(site: CompiledSite, raw_path: bytes) -> bytes:
    """The path that a request is redirected to: single slashes, at the end one or none as the site says.

    With `trailing_slash` a last segment with an extension has none, and what is below `/.well-known/` stays as
    it is; so does all that is outside the base path.
    """
    bare = routing.canonical(raw_path)
    as_sent = bare + b"/" if raw_path.endswith((b"/", b"\\")) and bare != b"/" else bare
    inside = strip_base(site, bare)
    if inside is None:
        return as_sent
    if not site.trailing_slash or bare == b"/":
        return bare
    last = inside.rpartition(b"/")[2]
    if inside.startswith(b"/.well-known"):
        return as_sent
    if b"." not in last:
        return bare + b"/"
    return bare if _EXTENSION.match(last) else as_sent
