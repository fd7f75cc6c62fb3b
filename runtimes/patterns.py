"""Path patterns of matchers and site rules (`/docs/:path*`) and the JavaScript regular expressions inside them.

The pattern language is that of path-to-regexp 6, which Next.js 16 uses; what a pattern matches is fixed by
the conformance table. JavaScript expressions are rewritten for `re`: see `javascript_regex`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_SPACE = r"\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_NAME = re.compile(r"[0-9A-Za-z_]+")
_DELIMITER = r"\/#\?"
_PREFIXES = ("", ".", "/")
_SAME_ESCAPES = frozenset("dDwWbBnrtfv0123456789xu")


class PatternError(ValueError):
    """The text is not a path pattern or not a JavaScript regular expression; says where and why."""


type TokenKind = Literal["modifier", "open", "close", "name", "pattern", "char", "escaped", "end"]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: TokenKind
    index: int
    value: str


@dataclass(frozen=True, slots=True)
class Group:
    """`{prefix :name(pattern) suffix}modifier`; `pattern` is empty for plain text, `name` without a name."""

    prefix: str
    name: str
    pattern: str
    suffix: str
    modifier: str


type Parts = tuple[str | Group, ...]
"""A parsed path pattern: literal texts and groups."""


@dataclass(frozen=True, slots=True)
class Source:
    """A compiled pattern with its named groups, in order: `captures` are of `regex`, one for each."""

    regex: re.Pattern[str]
    groups: tuple[Group, ...]
    captures: tuple[str, ...]


def compile_path(source: str) -> re.Pattern[str]:
    """The expression that a whole path must match (`fullmatch` is not needed: it is anchored).

    Case-sensitive; one trailing `/`, `#` or `?` may follow. Raises `PatternError`.
    """
    route = "".join(_fragment(part) for part in parse_path(source))
    return _compiled(f"^{route}[{_DELIMITER}]?$", source)


def compile_source(source: str) -> Source:
    """As `compile_path`, but with the values of named parameters, and whatever the case.

    Source: Next.js 16, `getPathMatch` as custom routes use it. Raises `PatternError`.
    """
    parts = parse_path(source)
    # the names themselves need not be names of `re`, and may repeat
    captures = {
        index: f"_{index}" for index, part in enumerate(parts) if isinstance(part, Group) and part.name
    }
    route = "".join(_fragment(part, captures.get(index)) for index, part in enumerate(parts))
    regex = _compiled(f"^{route}[{_DELIMITER}]?$", source, re.IGNORECASE)
    groups = tuple(part for part in parts if isinstance(part, Group) and part.name)
    return Source(regex, groups, tuple(captures.values()))


def match_source(source: Source, path: str) -> dict[str, str | list[str]] | None:
    """The parameters of a path, as written in it; a repeating one is a list, an absent one has no key."""
    found = source.regex.match(path)
    if found is None:
        return None
    params: dict[str, str | list[str]] = {}
    for group, capture in zip(source.groups, source.captures, strict=True):
        value = found[capture]
        if value is not None:
            repeats = group.modifier in ("*", "+")
            params[group.name] = value.split(group.suffix + group.prefix) if repeats else value
    return params


def fill(parts: Parts, value: Callable[[str], str | list[str] | None]) -> str:
    """The text of a pattern with `value(name)` for its parameters; a group whose value is None is left out."""
    out: list[str] = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif not part.pattern:
            out.append("" if part.modifier in ("*", "?") else part.prefix + part.suffix)
        else:
            given = value(part.name)
            values = [] if given is None else [given] if isinstance(given, str) else given
            out.extend(part.prefix + item + part.suffix for item in values)
    return "".join(out)


def compile_value(source: str) -> re.Pattern[str]:
    """The expression that a `has` or `missing` value must match as a whole. Raises `PatternError`."""
    return _compiled(f"^(?:{source})$", source)


def _compiled(javascript: str, source: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    try:
        return re.compile(javascript_regex(javascript), re.ASCII | flags)
    except (re.error, OverflowError) as error:
        raise PatternError(f"{source!r} is not a valid pattern: {error}") from error


# -- path patterns ---------------------------------------------------------


def _lex(source: str) -> list[_Token]:
    tokens: list[_Token] = []
    index = 0
    while index < len(source):
        char = source[index]
        start = index
        if char in "*+?":
            kind, value, index = "modifier", char, index + 1
        elif char in "{}":
            kind, value, index = "open" if char == "{" else "close", char, index + 1
        elif char == "\\":
            kind, value, index = "escaped", source[index + 1 : index + 2], index + 2
        elif char == ":":
            match = _NAME.match(source, index + 1)
            if match is None:
                raise PatternError(f"missing parameter name at {index} in {source!r}")
            kind, value, index = "name", match[0], match.end()
        elif char == "(":
            value, index = _balanced(source, index)
            kind = "pattern"
        else:
            kind, value, index = "char", char, index + 1
        tokens.append(_Token(kind, start, value))  # type: ignore[arg-type]
    return [*tokens, _Token("end", len(source), "")]


def _balanced(source: str, start: int) -> tuple[str, int]:
    if source[start + 1 : start + 2] == "?":
        raise PatternError(f'a pattern cannot start with "?" at {start + 1} in {source!r}')
    depth = 0
    index = start
    while index < len(source):
        char = source[index]
        if char == "\\":
            index += 1
        elif char == "(":
            depth += 1
            if depth > 1 and source[index + 1 : index + 2] != "?":
                raise PatternError(f"capturing groups are not allowed at {index} in {source!r}")
        elif char == ")":
            depth -= 1
            if depth == 0:
                if index == start + 1:
                    raise PatternError(f"missing pattern at {start} in {source!r}")
                return source[start + 1 : index], index + 1
        index += 1
    raise PatternError(f"unbalanced pattern at {start} in {source!r}")


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = _lex(source)
        self.position = 0
        self.parts: list[str | Group] = []

    def take(self, *kinds: TokenKind) -> str:
        token = self.tokens[self.position]
        if token.kind not in kinds:
            return ""
        self.position += 1
        return token.value

    def require(self, kind: TokenKind) -> None:
        token = self.tokens[self.position]
        if token.kind != kind:
            raise PatternError(
                f"unexpected {token.kind} at {token.index}, expected {kind}, in {self.source!r}"
            )
        self.position += 1

    def text(self) -> str:
        value = ""
        while more := self.take("char", "escaped"):
            value += more
        return value

    def default_pattern(self, prefix: str) -> str:
        previous = self.parts[-1] if self.parts else None
        before = prefix or (previous if isinstance(previous, str) else "")
        if previous is not None and not before:
            raise PatternError(f"there must be text between two parameters in {self.source!r}")
        if not before or any(char in before for char in "/#?"):
            return f"[^{_DELIMITER}]+?"
        return f"(?:(?!{_escaped(before)})[^{_DELIMITER}])+?"

    def parse(self) -> Parts:
        literal = ""
        while True:
            char = self.take("char")
            name = self.take("name")
            pattern = self.take("pattern")
            if name or pattern:
                prefix = char if char in _PREFIXES else ""
                literal += "" if prefix else char
                literal = self.flush(literal)
                pattern = pattern or self.default_pattern(prefix)
                self.parts.append(Group(prefix, name, pattern, "", self.take("modifier")))
            elif value := char or self.take("escaped"):
                literal += value
            else:
                literal = self.flush(literal)
                if not self.take("open"):
                    self.require("end")
                    return tuple(self.parts)
                self.parts.append(self.group())

    def flush(self, literal: str) -> str:
        if literal:
            self.parts.append(literal)
        return ""

    def group(self) -> Group:
        prefix = self.text()
        name = self.take("name")
        pattern = self.take("pattern")
        suffix = self.text()
        self.require("close")
        if name and not pattern:
            pattern = self.default_pattern(prefix)
        return Group(prefix, name, pattern, suffix, self.take("modifier"))


def parse_path(source: str) -> Parts:
    """The parts of a path pattern. Raises `PatternError`."""
    return _Parser(source).parse()


def _fragment(part: str | Group, capture: str | None = None) -> str:
    """The expression of a part; what a group stands for is captured under the name `capture`."""
    if isinstance(part, str):
        return _escaped(part)
    prefix, suffix, pattern, modifier = (
        _escaped(part.prefix),
        _escaped(part.suffix),
        part.pattern,
        part.modifier,
    )
    if not pattern:
        return f"(?:{prefix}{suffix}){modifier}"
    start = f"(?<{capture}>" if capture else "(?:"
    if modifier in ("*", "+"):
        if not prefix and not suffix:
            raise PatternError("a parameter cannot repeat without a prefix or suffix")
        once = "?" if modifier == "*" else ""
        return f"(?:{prefix}{start}(?:{pattern})(?:{suffix}{prefix}(?:{pattern}))*){suffix}){once}"
    if prefix or suffix:
        return f"(?:{prefix}{start}{pattern}){suffix}){modifier}"
    return f"{start}{pattern}){modifier}"


def _escaped(text: str) -> str:
    return re.sub(r"([.+*?=^!:${}()[\]|/\\])", r"\\\1", text)


# -- JavaScript regular expressions ----------------------------------------


def javascript_regex(source: str) -> str:
    """Rewrite a JavaScript regular expression (no flags) for `re` with `re.ASCII`.

    `$` is the very end, `.` stops at U+2028 and U+2029, `\\s` is Unicode's space, `(?<n>…)` is a named group,
    `[]` matches nothing and `[^]` anything. Raises `PatternError` for what only Python would take.
    """
    out: list[str] = []
    index = 0
    while index < len(source):
        char = source[index]
        if char == "\\":
            piece, index = _escape(source, index, inside=False)
        elif char == "[":
            piece, index = _character_class(source, index)
        elif char == "(":
            piece, index = _group_start(source, index)
        elif char == "{" and source[index + 1 : index + 2] == ",":
            piece, index = r"\{", index + 1
        elif char in "*+?}" and source[index + 1 : index + 2] == "+":
            raise PatternError(f"nothing to repeat at {index + 1} in {source!r}")
        else:
            piece, index = {"$": r"\Z", ".": r"[^\n\r\u2028\u2029]"}.get(char, char), index + 1
        out.append(piece)
    return "".join(out)


def _escape(source: str, index: int, *, inside: bool) -> tuple[str, int]:
    char = source[index + 1 : index + 2]
    if not char:
        raise PatternError(f"a backslash at the end of {source!r}")
    if char == "s":
        return (_SPACE if inside else f"[{_SPACE}]"), index + 2
    if char == "S" and not inside:
        return f"[^{_SPACE}]", index + 2
    if char == "k" and (named := re.compile(r"\\k<(\w+)>").match(source, index)):
        return f"(?P={named[1]})", named.end()
    if char in _SAME_ESCAPES or char == "S":
        return "\\" + char, index + 2
    return re.escape(char), index + 2


def _character_class(source: str, index: int) -> tuple[str, int]:
    negated = source.startswith("[^", index)
    index += 2 if negated else 1
    pieces: list[str] = []
    while index < len(source) and source[index] != "]":
        if source[index] == "\\":
            piece, index = _escape(source, index, inside=True)
        else:
            char = source[index]
            piece, index = ("\\" + char if char in "[&|~" else char), index + 1
        pieces.append(piece)
    if index >= len(source):
        raise PatternError(f"unterminated character class in {source!r}")
    if not pieces:
        return ("(?s:.)" if negated else "(?!)"), index + 1
    return f"[{'^' if negated else ''}{''.join(pieces)}]", index + 1


def _group_start(source: str, index: int) -> tuple[str, int]:
    if source[index + 1 : index + 2] != "?":
        return "(", index + 1
    follow = source[index + 2 : index + 3]
    if follow == "<" and source[index + 3 : index + 4] not in ("=", "!"):
        return "(?P<", index + 3
    if follow in (":", "=", "!", "<") and follow:
        return source[index : index + 3], index + 3
    raise PatternError(f"invalid group at {index} in {source!r}")
