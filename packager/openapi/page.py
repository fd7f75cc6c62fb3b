"""The interactive reference of an API: Swagger UI from npm, for a server on this machine that serves it whole.

Nothing is loaded from elsewhere, and nothing is told to anyone: the page may reach its own server alone.
"""

import json
from collections.abc import Callable
from pathlib import Path

from packager import npm_set
from packager.errors import DiagnosticsError, PackagerError
from packager.openapi.document import text
from packager.openapi.generate import Described
from packager.pyodide import LOCK_FOLDER

MOUNT = "/_packager/api"
"""Where the page is; what it loads lies below."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content Security Policy; Swagger UI has its icons in `data:` URLs."""

SWAGGER = frozenset(("swagger-ui-bundle.js", "swagger-ui.css"))
"""The files of `swagger` that the page loads."""

_DATA = Path(__file__).parents[1] / "data"
_PROBLEM = ("place", "message", "hint", "chain")
OWN = {
    "": _DATA / "api_page.html",
    "api_page.css": _DATA / "api_page.css",
    "api_page.mjs": _DATA / "api_page.mjs",
}
"""The page and its own files, by their names below `MOUNT`."""


def swagger(report: Callable[[str], None]) -> Path:
    """The folder of Swagger UI, which the first call downloads and tells `report`. Raises `ToolError` if that fails."""
    return npm_set.installed("api_page", LOCK_FOLDER / "api_page", "Swagger UI", report) / "swagger-ui-dist"


def here(described: Described) -> str:
    """The document for the page: it asks the server that serves it, not those that the project names."""
    return text({**described.document, "servers": [{"url": described.base_path or "/"}]})


def fault(error: PackagerError) -> str:
    """What is wrong, in JSON: `error`, and `problems` with place, message, hint and chain."""
    rows: list[tuple[str | None, str, str, tuple[str, ...]]]
    if isinstance(error, DiagnosticsError):
        rows = [(f"{row.file}:{row.line}", row.message, row.hint, row.chain) for row in error.diagnostics]
    else:
        rows = [(error.place, error.message, error.hint, ())]
    return json.dumps(
        {
            "error": "The API cannot be described",
            "problems": [dict(zip(_PROBLEM, row, strict=True)) for row in rows],
        }
    )
