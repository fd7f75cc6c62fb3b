"""URL patterns of other frameworks, `/users/{id}`, as folders of the route tree."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PARAM = re.compile(r"\{([A-Za-z_]\w*)(?::(\w+))?\}")
_STATIC = re.compile(r"[A-Za-z0-9.~-][A-Za-z0-9._~-]*")
_CONVERTORS = (None, "path", "str")


@dataclass(frozen=True, slots=True)
class UrlParam:
    """A parameter: its name in the source, and its key, which is the folder's; `rest`: the rest of the path."""

    name: str
    key: str
    rest: bool


@dataclass(frozen=True, slots=True)
class Url:
    """The folders of a URL, and its parameters."""

    segments: tuple[str, ...]
    params: tuple[UrlParam, ...]


def refusal(pattern: str) -> str | None:
    """Why a pattern has no folders; None if it has."""
    parts = _parts(pattern)
    for index, part in enumerate(parts):
        found = _PARAM.fullmatch(part)
        if found is None and not _STATIC.fullmatch(part):
            return f"{part!r} is no name of a folder: a parameter is a whole segment"
        if found and found[2] not in _CONVERTORS:
            return (
                f"the convertor {found[2]!r} chooses between routes; here the type of the parameter checks it"
            )
        if found and found[2] == "path" and index != len(parts) - 1:
            return "what follows a parameter for the rest of the path is never reached here"
    return None


def unified(patterns: Iterable[str]) -> dict[str, Url]:
    """The URL of each pattern that has one.

    Where two patterns differ in the name of a parameter alone they share a folder, and the first name is its key.
    """
    keys: dict[tuple[str, ...], str] = {}
    found = {}
    for pattern in patterns:
        if refusal(pattern) is not None:
            continue
        segments: list[str] = []
        params: list[UrlParam] = []
        for part in _parts(pattern):
            match = _PARAM.fullmatch(part)
            if match is None:
                segments.append(part)
                continue
            rest = match[2] == "path"
            key = keys.setdefault((*segments, "..." if rest else "[]"), match[1])
            segments.append(f"[...{key}]" if rest else f"[{key}]")
            params.append(UrlParam(match[1], key, rest))
        found[pattern] = Url(tuple(segments), tuple(params))
    return found


def _parts(pattern: str) -> list[str]:
    return [part for part in pattern.split("/") if part]
