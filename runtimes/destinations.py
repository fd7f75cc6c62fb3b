"""What a rule's `:name` stand for, and the destinations and headers that are filled with them.

A parameter stays one part of what it is put into: it never adds a pair to a query, a host to a path or a line to
a header.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

from runtimes import matchers
from runtimes.matchers import Condition, Subject
from runtimes.patterns import Parts, PatternError, Source, compile_source, fill, match_source, parse_path
from runtimes.site_rules import Has, RedirectRule, RewriteRule, Rule

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_IN_PATH = "/:@!$&'()*+,;=~"
_QUERY_SYNTAX = re.compile(r"[&+#;=]")
_SLASHES = re.compile(r"[/\\]{2,}|\\")
_ORIGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#:]*(?::[A-Za-z_]\w*[^/?#:]*)*)(:\d+)?(?=[/?#]|\Z)")
_UNSAFE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")

type Params = dict[str, str | list[str]]


class _Text(str):
    """A parameter that is plain text (of a header, a cookie …); those of the path are parts of a URL as sent."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """The requests that a rule is for."""

    source: Source
    has: tuple[Condition, ...]
    missing: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Destination:
    """A compiled destination: templates of its host, of path with fragment, and of the query's values."""

    scheme: str
    host: Parts
    port: str
    path: Parts
    query: tuple[tuple[str, Parts], ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """A destination for one request. `origin` is empty for a path of the app; nothing has its `?` or `#`."""

    origin: str
    path: str
    query: str
    fragment: str


def compile_scope(rule: Rule, base: str) -> Scope:
    """Compile source and conditions. Raises `PatternError`, or `MatcherError` for a condition."""
    source = _joined(base, rule.source) if rule.base_path else rule.source
    return Scope(compile_source(source), _conditions(rule.has, "has"), _conditions(rule.missing, "missing"))


def match(scope: Scope, raw_path: str, subject: Subject) -> Params | None:
    """The parameters that a request gives to a rule, None if the rule is not for it."""
    params = match_source(scope.source, raw_path)
    if params is None or any(matchers.holds(condition, subject) for condition in scope.missing):
        return None
    for condition in scope.has:
        value = matchers.value_of(condition, subject)
        found = condition.value.match(value) if value and condition.value else None
        if not value or (condition.value and not found):
            return None
        groups = found.groupdict() if found else {}
        for name in _names(condition):
            text = groups.get(name, value)
            if text is not None:
                params[name] = _Text(text)
    return params


def parameters(rule: Rule) -> dict[str, bool]:
    """The names that source and `has` of a rule give to its destination or headers; True for one that repeats.

    Raises `PatternError` for a source, `MatcherError` for a condition that cannot be compiled.
    """
    named = {
        part.name: part.modifier in ("*", "+")
        for part in parse_path(rule.source)
        if not isinstance(part, str) and part.name
    }
    for condition in _conditions(rule.has, "has"):
        named |= dict.fromkeys(_names(condition), False)
    return named


def compile_destination(rule: RedirectRule | RewriteRule, base: str) -> Destination:
    """Compile a rule's destination. Raises as `parameters`, `PatternError` if it is no path and no URL."""
    names = parameters(rule)
    text = quote(rule.destination, safe=_PRINTABLE)
    scheme = host = port = ""
    if found := _ORIGIN.match(text):
        scheme, host, port = found[1], found[2], found[3] or ""
        text = text[found.end() :]
    elif not text.startswith("/"):
        raise PatternError(f"{rule.destination!r} begins neither with a slash nor with a scheme and a host")
    elif rule.base_path:
        text = _joined(base, text)
    text, hash_sign, fragment = text.partition("#")
    path, _, query = text.partition("?")
    return Destination(
        scheme=scheme,
        host=parse_path(host),
        port=port,
        path=parse_path((path or "/") + hash_sign + fragment),
        query=tuple(
            (key, text_template(value, names))
            for key, _, value in (pair.partition("=") for pair in query.split("&") if pair)
        ),
    )


def fill_destination(destination: Destination, params: Params, query: str, *, append: bool) -> Filled:
    """The destination with the parameters in it. Its own query wins over the request's, which is carried on.

    With `append`, if neither path nor host names a parameter, all of them are put into the query.
    """
    own = [(key, _filled(value, params, _in_query)[1:]) for key, value in destination.query]
    used = {part.name for part in (*destination.path, *destination.host) if not isinstance(part, str)}
    if append and not used.intersection(params):
        given = {unquote_plus(key) for key, _ in own}
        own += [
            (name, _in_query(value))
            for name, values in params.items()
            if name not in given
            for value in ([values] if isinstance(values, str) else values)
        ]
    path, _, fragment = _filled(destination.path, params, _in_path).partition("#")
    return Filled(
        origin=destination.scheme + _filled(destination.host, params, _in_host) + destination.port,
        path=_SLASHES.sub("/", path) or "/",
        query=_merged(query, own),
        fragment=fragment,
    )


def text_template(text: str, names: Iterable[str]) -> Parts:
    """Compile a text in which only `:name` of a known name is a parameter. Raises `PatternError`."""
    known = "|".join(map(re.escape, sorted(names, key=len, reverse=True))) or "(?!)"
    parameter = re.compile(rf"(:(?:{known})(?!\w)[*+?]?)|([\\:*?+(){{}}])")
    # a path pattern begins with a slash; it is taken off again where the template is filled
    return parse_path("/" + parameter.sub(lambda found: found[1] or "\\" + found[2], text))


def fill_text(template: Parts, params: Params) -> str:
    """The text of a header; what no header may hold is left out, so that it can be encoded as Latin-1."""
    return _UNSAFE.sub("", _filled(template, params, str)[1:])


def _joined(base: str, path: str) -> str:
    """A path below the base path, whose root has no slash of its own."""
    return base if base and path == "/" else base + path


def _conditions(rows: Iterable[Has], place: str) -> tuple[Condition, ...]:
    return matchers.conditions([dataclasses.asdict(row) for row in rows], place)


def _names(condition: Condition) -> tuple[str, ...]:
    """What a fulfilled condition names: its groups, else `host`, else without a value its key."""
    if condition.value is not None:
        return tuple(condition.value.groupindex) or (("host",) if condition.kind == "host" else ())
    key = condition.key if re.fullmatch(r"\w+", condition.key) else re.sub("[^A-Za-z]", "", condition.key)
    return (key,) if key else ()


def _filled(parts: Parts, params: Params, encode: Callable[[str], str]) -> str:
    def value(name: str) -> str | list[str] | None:
        given = params.get(name)
        if given is None:
            return None
        return encode(given) if isinstance(given, str) else [encode(item) for item in given]

    return fill(parts, value)


def _merged(query: str, own: list[tuple[str, str]]) -> str:
    if not own:
        return query
    names = {unquote_plus(key) for key, _ in own}
    kept = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in names]
    return "&".join([*kept, *(f"{key}={value}" for key, value in own)])


def _in_path(value: str) -> str:
    return quote(value, safe=_IN_PATH) if isinstance(value, _Text) else value.replace("#", "%23")


def _in_query(value: str) -> str:
    if isinstance(value, _Text):
        return quote(value, safe="")
    return _QUERY_SYNTAX.sub(lambda found: f"%{ord(found[0]):02X}", value)


def _in_host(value: str) -> str:
    return quote(value, safe="")
