"""The interactive reference of an API, for a server on this machine: Swagger UI from npm, served whole from here.

Nothing is loaded from elsewhere, and nothing is told to anyone: the page may reach its own server alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from packager.openapi import npm_set
from packager.openapi.document import text

MOUNT = "/_packager/api"
"""Where the page is; what it loads lies below."""

_DATA = Path(__file__).parents[1] / "data"
_SET = "api_page"
_SCRIPT, _STYLE, _JSON = "text/javascript; charset=utf-8", "text/css; charset=utf-8", "application/json"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI has its icons in `data:` URLs."""


@dataclass(frozen=True, slots=True)
class Page:
    """What the page shows, and the folder of Swagger UI."""

    title: str
    document: str
    assets: Path


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the page."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def page(document: Mapping[str, Any], base_path: str, report: Callable[[str], None]) -> Page:
    """The page of an OpenAPI document, which asks the server that serves it instead of those that the document names.

    The first call downloads Swagger UI, which `report` is told. Raises `ToolError` if that fails.
    """
    assets = npm_set.installed(_SET, "Swagger UI", report) / "swagger-ui-dist"
    here = {**document, "servers": [{"url": base_path or "/"}]}
    return Page(document["info"]["title"], text(here), assets)


def respond(shown: Page, path: str) -> Reply:
    """The answer to a GET of `path`, which begins with `MOUNT`; 404 for what the page does not have."""
    match path.removeprefix(MOUNT).removeprefix("/"):
        case "":
            html = (_DATA / "api_page.html").read_text(encoding="utf-8")
            filled = html.replace("{{mount}}", MOUNT).replace("{{title}}", escape(shown.title))
            return _reply(filled.encode(), "text/html; charset=utf-8", ("content-security-policy", _POLICY))
        case "openapi.json":
            return _reply(shown.document.encode(), _JSON)
        case "start.js":
            return _reply((_DATA / "api_page.js").read_bytes(), _SCRIPT)
        case "swagger-ui-bundle.js" as name:
            return _reply((shown.assets / name).read_bytes(), _SCRIPT)
        case "swagger-ui.css" as name:
            return _reply((shown.assets / name).read_bytes(), _STYLE)
    return Reply(404, (("content-type", _JSON),), b'{"error": "Not Found"}')


def _reply(body: bytes, content_type: str, *headers: tuple[str, str]) -> Reply:
    always = (
        ("cache-control", "no-cache"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    )
    return Reply(200, (("content-type", content_type), *always, *headers), body)
