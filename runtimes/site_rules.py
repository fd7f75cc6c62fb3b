"""The rules of a whole site, as the build reads them from `[tool.packager]` and writes them into artifacts.

What they do to a request is in `site.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

type Stage = Literal["before_files", "after_files", "fallback"]


@dataclass(frozen=True, slots=True)
class Has:
    """One condition of `has` or `missing`, as it is written; `matchers.Condition` is the compiled one."""

    type: str
    key: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """Headers for the responses to what `source` matches. `base_path` False: it is no path below the base path."""

    source: str
    headers: tuple[tuple[str, str], ...]
    has: tuple[Has, ...] = ()
    missing: tuple[Has, ...] = ()
    base_path: bool = True


@dataclass(frozen=True, slots=True)
class RedirectRule:
    """`status` is 301, 302, 303, 307 or 308. `base_path` False: neither path is below the base path."""

    source: str
    destination: str
    status: int
    has: tuple[Has, ...] = ()
    missing: tuple[Has, ...] = ()
    base_path: bool = True


@dataclass(frozen=True, slots=True)
class RewriteRule:
    """`destination` is a path of the app or an http(s) URL. `base_path` False: `source` is not below the base path."""

    source: str
    destination: str
    has: tuple[Has, ...] = ()
    missing: tuple[Has, ...] = ()
    base_path: bool = True


type Rule = HeaderRule | RedirectRule | RewriteRule


@dataclass(frozen=True, slots=True)
class Site:
    """The site's rules, in order. `base_path` is `""` or begins with a slash and ends with none."""

    base_path: str = ""
    trailing_slash: bool = False
    headers: tuple[HeaderRule, ...] = ()
    redirects: tuple[RedirectRule, ...] = ()
    before_files: tuple[RewriteRule, ...] = ()
    after_files: tuple[RewriteRule, ...] = ()
    fallback: tuple[RewriteRule, ...] = ()


def from_document(document: Mapping[str, Any]) -> Site:
    """The site of a JSON object as `dataclasses.asdict` of a site gives it."""
    return Site(
        base_path=document["base_path"],
        trailing_slash=document["trailing_slash"],
        headers=tuple(
            HeaderRule(**{**_fields(row), "headers": tuple((name, value) for name, value in row["headers"])})
            for row in document["headers"]
        ),
        redirects=tuple(RedirectRule(**_fields(row)) for row in document["redirects"]),
        before_files=_rewrites(document["before_files"]),
        after_files=_rewrites(document["after_files"]),
        fallback=_rewrites(document["fallback"]),
    )


def _rewrites(rows: list[Mapping[str, Any]]) -> tuple[RewriteRule, ...]:
    return tuple(RewriteRule(**_fields(row)) for row in rows)


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, **{key: tuple(Has(**item) for item in row[key]) for key in ("has", "missing")}}
