"""The route table: what the build writes into every artifact and the runtime reads at start."""

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from runtimes.site_rules import Site

PATH = "_packager/table.json"
"""Where the table lies in an artifact."""

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "QUERY")
"""What a handler may be named after; every other method token is answered with 400, as in Next."""

SOURCES = ("body", "query", "headers", "cookies", "params")
"""The parameters of handlers that are filled with a part of the request, as their annotation says."""


@dataclass(frozen=True, slots=True)
class Cors:
    """The `cors` constant of a route. An origin may be `"*"`; `max_age` in seconds."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] | None = None
    headers: tuple[str, ...] | None = None
    credentials: bool = False
    max_age: int | None = None


ORIGIN_RULE = 'scheme and host without a path, or "*". In a host, * stands for one whole label, such as https://*.shop.example.'

# A `*` is never the last label, nor a part of one: `https://*shop.example` would let `https://evilshop.example` in.
_ORIGIN = re.compile(
    r"\*|null|[A-Za-z][A-Za-z0-9+.-]*://(?:(?:\*|[^\s/?#@,*.]+)\.)*[^\s/?#@,*.]+\.?(?::\d+)?"
)


def is_origin(text: str) -> bool:
    """Whether a text may stand in `Cors.origins`; `ORIGIN_RULE` says it in words."""
    return _ORIGIN.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One route. `file` is relative to the artifact's root, `max_body_size` in bytes."""

    path: str
    file: str
    function: str
    max_body_size: int
    revalidate: int | Literal[False] | None = None
    cors: Cors | None = None


@dataclass(frozen=True, slots=True)
class MiddlewareEntry:
    """One `middleware.py`; `scope` is the URL folder it guards, `matchers` None means every path."""

    file: str
    scope: str
    matchers: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """The routes an artifact knows. Those of another `function` are not served but handed on.

    `import_root` is the folder, relative to the artifact's root, from which user modules are imported. `site` is
    None if the project has no rules for the whole site. `cdn_functions` are those that the API does not lead to.
    `development` is never set in what is deployed: faults answer with their details then.
    """

    function: str
    routes: tuple[RouteEntry, ...]
    middleware: tuple[MiddlewareEntry, ...] = ()
    import_root: str = ""
    public_url: str | None = None
    site: "Site | None" = None
    cdn_functions: tuple[str, ...] = ()
    development: bool = False


def answers_unknown(table: Table) -> bool:
    """Whether the function answers URLs without a route.

    Before an API those are left to it: its first function has all of the middleware.
    """
    return table.function not in table.cdn_functions or all(
        entry.function in table.cdn_functions for entry in table.routes
    )


def to_json(table: Table) -> str:
    """The table as its file's text. Equal tables give equal text."""
    return (
        json.dumps(dataclasses.asdict(table), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        + "\n"
    )


def from_json(text: str) -> Table:
    """Read what `to_json` wrote."""
    document = json.loads(text)
    return Table(
        function=document["function"],
        routes=tuple(_route(row) for row in document["routes"]),
        middleware=tuple(_middleware(row) for row in document["middleware"]),
        import_root=document["import_root"],
        public_url=document["public_url"],
        site=None if document["site"] is None else _site(document["site"]),
        cdn_functions=tuple(document["cdn_functions"]),
        development=document.get("development", False),
    )


def _site(document: dict[str, Any]) -> "Site":
    from runtimes import site_rules  # noqa: PLC0415 - most apps have no such rules

    return site_rules.from_document(document)


def _route(row: dict[str, Any]) -> RouteEntry:
    cors = row.pop("cors")
    return RouteEntry(**row, cors=None if cors is None else _cors(cors))


def _cors(row: dict[str, Any]) -> Cors:
    lists: dict[str, Any] = {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
    return Cors(**{**row, **lists})


def _middleware(row: dict[str, Any]) -> MiddlewareEntry:
    matchers = row["matchers"]
    return MiddlewareEntry(row["file"], row["scope"], None if matchers is None else tuple(matchers))
