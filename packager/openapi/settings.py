"""`[tool.packager.types]`: where the generated files go, and who may call which routes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packager.project import Document
from runtimes.matchers import Matcher, MatcherError, parse

_TABLE = "tool.packager.types"
_SECURITY = f"{_TABLE}.security"
_DEFAULT_OUT = "types"
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "apiKey": ("name", "in"),
    "http": ("scheme",),
    "mutualTLS": (),
    "oauth2": ("flows",),
    "openIdConnect": ("openIdConnectUrl",),
}
"""The kinds of security schemes and what each has to say (OpenAPI 3.1.0, §4.8.27)."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A security scheme as OpenAPI has it, and the `matchers` of the paths whose operations need it."""

    name: str
    value: Mapping[str, Any]
    matchers: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class TypesSettings:
    """What `packager types` is told. `out` is absolute; `configured` tells whether the project says so itself."""

    out: Path
    configured: bool
    version: str = "0.0.0"
    description: str | None = None
    security: tuple[Scheme, ...] = field(default=())


def read(root: Path) -> TypesSettings:
    """The settings of the project in `root`, with `[project]`'s version and description.

    Raises `ProjectError` with file and line for what cannot be.
    """
    document = Document.read(root)
    table, project = document.table(_TABLE), document.table("project")
    document.check_keys(_TABLE, table, ("out", "security"))
    out = document.text(_TABLE, table, "out")
    schemes = document.table(_SECURITY)
    return TypesSettings(
        out=root / (out or _DEFAULT_OUT),
        configured=out is not None,
        version=document.text("project", project, "version") or "0.0.0",
        description=document.text("project", project, "description"),
        security=tuple(_scheme(document, name) for name in sorted(schemes)),
    )


def _scheme(document: Document, name: str) -> Scheme:
    table = f"{_SECURITY}.{name}"
    value = document.table(table)
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in _REQUIRED:
        hint = f'Write type = "…" with one of {", ".join(_REQUIRED)}.'
        document.fail(table, "type", f"the security scheme {name} has no type that OpenAPI knows", hint)
    if missing := [key for key in _REQUIRED[kind] if key not in value]:
        hint = 'A session cookie is type = "apiKey", in = "cookie", name = "session".'
        document.fail(table, "type", f"the security scheme {name} does not say {missing[0]!r}", hint)
    paths = list(document.texts(table, value, "paths")) or ["/:path*"]
    try:
        matchers = parse(paths)
    except MatcherError as error:
        document.fail(
            table, "paths", f"paths: {error}", 'Write paths as in a matcher: ["/api/admin/:path*"].'
        )
    return Scheme(name, {key: item for key, item in value.items() if key != "paths"}, matchers)
