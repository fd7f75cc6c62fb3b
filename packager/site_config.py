"""The rules of the whole site in `[tool.packager]`: base path, trailing slashes, headers, redirects, rewrites.

What Next.js refuses in `next.config.js` (`checkCustomRoutes`) is refused here, with the line of the rule.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn
from urllib.parse import quote

from packager.errors import ProjectError
from packager.project import PYPROJECT, line_of
from runtimes import destinations
from runtimes.matchers import MatcherError, conditions
from runtimes.patterns import Group, PatternError, parse_path
from runtimes.site_rules import Has, HeaderRule, RedirectRule, RewriteRule, Rule, Site

_TABLE = "tool.packager"
_STATUSES = (301, 302, 303, 307, 308)
_STAGES = ("before_files", "after_files", "fallback")
_MAX_LENGTH = 4096
_BASE_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z:?-]+")
_COMMON = ("source", "has", "missing", "base_path")


def read(table: Mapping[str, Any], lines: tuple[str, ...]) -> Site:
    """The site of the table `[tool.packager]`, whose file has these `lines`. Raises `ProjectError`."""
    settings = _Settings(lines)
    rewrites = table.get("rewrites", [])
    stages = settings.stages(rewrites) if isinstance(rewrites, dict) else {"after_files": rewrites}
    named = "rewrites.{}" if isinstance(rewrites, dict) else "rewrites"
    return Site(
        base_path=settings.base_path(table.get("base_path", "")),
        trailing_slash=settings.flag(table, "trailing_slash"),
        headers=settings.rules("headers", table.get("headers", []), _header),
        redirects=settings.rules("redirects", table.get("redirects", []), _redirect),
        **{stage: settings.rules(named.format(stage), rows, _rewrite) for stage, rows in stages.items()},
    )


class _FaultError(Exception):
    """What is wrong with a rule, at which of its keys, and what to write instead."""

    def __init__(self, key: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.key, self.message, self.hint = key, message, hint


class _Settings:
    """The settings of one file, with its lines for the places of faults."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        self._lines = lines
        self._seen: dict[str, int] = {}

    def base_path(self, value: Any) -> str:
        if value != "" and not (isinstance(value, str) and _BASE_PATH.fullmatch(value)):
            hint = 'Write it with a slash in front and none at the end, such as base_path = "/shop".'
            self._fail("base_path", f"base_path is no path prefix: {value!r}", hint)
        return str(value)

    def flag(self, table: Mapping[str, Any], key: str) -> bool:
        value = table.get(key, False)
        if not isinstance(value, bool):
            self._fail(key, f"{key} must be true or false, not {value!r}", f"Write it as {key} = true.")
        return value

    def stages(self, rewrites: dict[str, Any]) -> dict[str, Any]:
        if unknown := [key for key in rewrites if key not in _STAGES]:
            message = f"[{_TABLE}.rewrites] has no setting {unknown[0]!r}"
            self._fail(unknown[0], message, _nearest(unknown[0], _STAGES), f"{_TABLE}.rewrites")
        return rewrites

    def rules[R: Rule](self, name: str, rows: Any, read_rule: Callable[[dict[str, Any]], R]) -> tuple[R, ...]:
        """The rules of the list `name`, each read with `read_rule`."""
        if not isinstance(rows, list):
            hint = f'Write it as {name} = [{{ source = "/…", … }}].'
            self._fail(name.partition(".")[0], f"{name} must be a list of tables", hint)
        return tuple(self._rule(f"{name}[{index}]", row, read_rule) for index, row in enumerate(rows))

    def _rule[R: Rule](self, name: str, row: Any, read_rule: Callable[[dict[str, Any]], R]) -> R:
        try:
            if not isinstance(row, dict):
                raise _FaultError("", f"{row!r} is no table", 'Write it as { source = "/…", … }.')
            source = str(row.get("source"))
            self._seen[source] = self._seen.get(source, 0) + 1
            return read_rule(row)
        except _FaultError as fault:
            line = self._line(row if isinstance(row, dict) else {}, fault.key) or line_of(
                self._lines, _TABLE, re.split(r"\W", name)[0]
            )
            raise ProjectError(
                f"{name}: {fault.message}", place=f"{PYPROJECT}:{line}", hint=fault.hint
            ) from fault

    def _line(self, row: dict[str, Any], key: str) -> int | None:
        """The line of a rule's key: the one nearest to the rule's source, of equal sources the one just read."""
        source = str(row.get("source"))
        spelled = "|".join(map(re.escape, {source, source.replace("\\", "\\\\")}))
        written = re.compile(rf"""\bsource["']?\s*=\s*["']{{1,3}}(?:{spelled})["']""")
        found = [number for number, line in enumerate(self._lines, 1) if written.search(line)]
        if not found:
            return None
        line = found[min(self._seen[source], len(found)) - 1]
        if key not in row and key not in row.get("headers", ()):
            return line
        named = re.compile(rf"""(?:^|[\s.{{,"']){re.escape(key)}["']?\s*=""")
        near = (line + step for distance in range(8) for step in (distance, -distance))
        return next(
            (at for at in near if 0 < at <= len(self._lines) and named.search(self._lines[at - 1])), line
        )

    def _fail(self, key: str, message: str, hint: str, table: str = _TABLE) -> NoReturn:
        raise ProjectError(message, place=f"{PYPROJECT}:{line_of(self._lines, table, key)}", hint=hint)


def _header(row: dict[str, Any]) -> HeaderRule:
    _known(row, (*_COMMON, "headers"))
    headers = row.get("headers")
    if not isinstance(headers, dict) or not headers:
        hint = 'Write it as headers = { X-Frame-Options = "DENY" }.'
        raise _FaultError("headers", "`headers` must be a table of at least one header", hint)
    pairs: list[tuple[str, str]] = []
    for name, value in headers.items():
        values = value if isinstance(value, list) and name.lower() == "set-cookie" else [value]
        if not _HEADER_NAME.fullmatch(name):
            raise _FaultError("headers", f"{name!r} is no name of a header", "See RFC 9110, section 5.1.")
        if not all(isinstance(item, str) and item.isprintable() for item in values):
            hint = f'Write it in quotes: {name} = "…". Only Set-Cookie may have a list of values.'
            raise _FaultError(name, f"the header {name} must be a text of one line, not {value!r}", hint)
        pairs += [(name, item) for item in values]
    rule = HeaderRule(**_scope(row), headers=tuple(pairs))
    names = _compiled("source", destinations.parameters, rule)
    for name, value in pairs:
        _compiled("headers", _templates, (name, value), names)
    return rule


def _redirect(row: dict[str, Any]) -> RedirectRule:
    _known(row, (*_COMMON, "destination", "permanent", "status_code"))
    permanent, status = row.get("permanent"), row.get("status_code")
    if status is None and not isinstance(permanent, bool):
        hint = "Write permanent = true (308) or false (307), or status_code = 301."
        raise _FaultError(
            "permanent", "`permanent` is neither true nor false, and there is no `status_code`", hint
        )
    if status is not None and permanent is not None:
        hint = "Keep one of the two."
        raise _FaultError("status_code", "`permanent` and `status_code` exclude each other", hint)
    if status is not None and (status not in _STATUSES or isinstance(status, bool)):
        hint = f"Choose one of {', '.join(map(str, _STATUSES))}."
        raise _FaultError("status_code", f"`status_code` {status!r} is no redirect", hint)
    rule = RedirectRule(
        **_scope(row), destination=_destination(row), status=status or (308 if permanent else 307)
    )
    _check_destination(rule)
    return rule


def _rewrite(row: dict[str, Any]) -> RewriteRule:
    _known(row, (*_COMMON, "destination"))
    rule = RewriteRule(**_scope(row), destination=_destination(row))
    external = rule.destination.startswith(("http://", "https://"))
    if not external and not rule.destination.startswith("/"):
        hint = 'Begin it with "/", "http://" or "https://".'
        raise _FaultError("destination", "`destination` is neither a path nor an http(s) URL", hint)
    if not rule.base_path and not external:
        hint = "Begin the destination with http:// or https://, or drop base_path = false."
        raise _FaultError("destination", "the rule rewrites to a path outside the base path", hint)
    _check_destination(rule)
    return rule


def _known(row: dict[str, Any], known: tuple[str, ...]) -> None:
    if unknown := [key for key in row if key not in known]:
        raise _FaultError(unknown[0], f"a rule has no {unknown[0]!r} here", _nearest(unknown[0], known))


def _scope(row: dict[str, Any]) -> dict[str, Any]:
    """What all rules have: source, conditions, base path."""
    source = row.get("source")
    if not isinstance(source, str) or not source.startswith("/"):
        said = "is missing" if source is None else "does not start with /"
        raise _FaultError("source", f"`source` {said}", 'Write a path such as source = "/old/:slug".')
    if len(source) > _MAX_LENGTH:
        raise _FaultError(
            "source", f"`source` is longer than {_MAX_LENGTH} characters", "Shorten the pattern."
        )
    if not source.isascii():
        encoded = "".join(char if char.isascii() else quote(char) for char in source)
        hint = f"Write it as it is sent: {encoded}"
        raise _FaultError("source", "`source` has characters that are escaped in a request's path", hint)
    if row.get("base_path", False) is not False:
        raise _FaultError("base_path", "`base_path` of a rule can only be false", "Drop it, or write false.")
    _compiled("source", parse_path, source)
    found: dict[str, tuple[Has, ...]] = {}
    for key in ("has", "missing"):
        _compiled(key, conditions, row.get(key, []), key)
        found[key] = tuple(Has(**item) for item in row.get(key, []))
    return {"source": source, "base_path": row.get("base_path", True), **found}


def _destination(row: dict[str, Any]) -> str:
    value = row.get("destination")
    if not isinstance(value, str) or not value:
        said = "is missing" if value is None else f"must be a text, not {value!r}"
        raise _FaultError("destination", f"`destination` {said}", 'Write a path such as "/new/:slug".')
    return value


def _check_destination(rule: RedirectRule | RewriteRule) -> None:
    """Refuse parameters that no request of the rule has. Raises `_FaultError`."""
    known = _compiled("source", destinations.parameters, rule)
    unnamed = sum(
        isinstance(part, Group) and not part.name and bool(part.pattern) for part in parse_path(rule.source)
    )
    numbers = [f":{number}" for number in range(unnamed) if re.search(rf":{number}(?!\d)", rule.destination)]
    if numbers:
        hint = "Name the group in the source: /:rest(.*) instead of /(.*)."
        raise _FaultError("destination", f"`destination` has unnamed params {', '.join(numbers)}", hint)
    compiled = _compiled("destination", destinations.compile_destination, rule, "")
    groups = [part for part in (*compiled.host, *compiled.path) if isinstance(part, Group) and part.pattern]
    if missing := [group.name or "(…)" for group in groups if group.name not in known]:
        given = ", ".join(f":{name}" for name in known) or "none"
        raise _FaultError(
            "destination",
            f"`destination` has segments not in `source` or `has` ({', '.join(missing)})",
            f"Those that the source gives: {given}. A colon that is none is written with a backslash in front.",
        )
    for group in groups:
        if known[group.name] and group.modifier not in ("*", "+"):
            raise _FaultError(
                "destination",
                f"`:{group.name}` matches several segments, and stands for one in `destination`",
                f"Write :{group.name}* there too.",
            )


def _templates(texts: Iterable[str], names: Iterable[str]) -> None:
    for text in texts:
        destinations.text_template(text, names)


def _compiled[**P, T](key: str, compile_it: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `compile_it` gives; its error as a fault of `key`."""
    try:
        return compile_it(*args, **kwargs)
    except PatternError as error:
        hint = "The syntax is path-to-regexp's: /a/:name, /a/:name*, /a/:name(\\\\d+), /a{/:name}?."
        raise _FaultError(key, f"`{key}` is no valid pattern: {error}", hint) from error
    except MatcherError as error:
        hint = '{ type = "header", key = "x-name", value = "…" }; type may also be cookie, query or host.'
        raise _FaultError(key, f"`{key}`: {error}", hint) from error


def _nearest(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(re.sub("([A-Z])", r"_\1", key).lower(), known, 1)
    return f"Did you mean {near[0]!r}?" if near else f"Known settings: {', '.join(known)}."
