"""The tables of limits and of route constants, made of the constants in the code that keep them."""

from pathlib import Path

import mkdocs_gen_files

from infra import behaviours, limits
from packager import route_config, splitting
from runtimes import app, client, proxy
from runtimes.testing import serving

REFERENCE = Path(__file__).parents[1] / "reference"
MB = 2**20


def mb(size: int) -> str:
    """Bytes as MB of 2²⁰."""
    return f"{size / MB:g} MB"


EDGE, NODEJS = route_config.DEFAULTS["edge"], route_config.DEFAULTS["nodejs"]
ROWS = (
    ("**A request**", "", ""),
    ("body, nodejs", mb(NODEJS.max_body_size), "413; `max_body_size` lowers it; Lambda takes no more"),
    ("body, edge", mb(EDGE.max_body_size), "413; `max_body_size` raises it on other targets than `lambda-edge`"),
    ("body, HTTP API", mb(serving.MAX_BODY), "413 by the gateway"),
    ("event or result of a nodejs function", mb(serving.MAX_PAYLOAD), "as JSON with base64: 413; 500 for the result"),
    ("**Time**", "", ""),
    ("an edge route", f"{route_config.EDGE_MAX_DURATION} s", "`max_duration` above it is an error of `check`"),
    ("a nodejs route behind the HTTP API", f"{route_config.HTTP_API_MAX_DURATION} s", "503 by the gateway"),
    ("the start of a nodejs process", "10 s", "it is started again, within the first request"),
    ("`on_shutdown` functions together", "0.5 s", "the process is killed"),
    ("a hop to another function or host", f"{proxy.TIMEOUT} s", "502"),
    ("**Size**", "", ""),
    ("a nodejs function, unpacked", mb(splitting.MAX_UNPACKED), "split into several functions, then an error"),
    ("an edge package, `lambda-edge`", mb(limits._ZIP["lambda-edge"]), "an error of `synth`"),
    ("an edge package, `web-function`", mb(limits._ZIP["web-function"]), "an error of `synth`"),
    ("variables, `lambda` and `regional`", f"{limits._VARIABLES['lambda']} bytes", "an error of `synth`"),
    ("variables, `web-function`", f"{limits._VARIABLES['web-function']} bytes", "an error of `synth`"),
    ("**Number**", "", ""),
    ("CloudFront behaviours", str(behaviours.MAX_BEHAVIOURS), "beyond, routes are told apart in the worker"),
    ("functions behind one HTTP API", str(limits.MAX_INTEGRATIONS), "an error of `synth`"),
    ("hops of one request", str(proxy.MAX_HOPS), "508"),
    ("**`fetch`**", "", ""),
    ("the answer", mb(client.MAX_BYTES), "`FetchError`"),
    ("redirects that it follows", str(client.MAX_REDIRECTS), "`FetchError`"),
)  # fmt: skip
assert NODEJS.max_body_size == app.DEFAULT_MAX_BODY_SIZE

CONSTANTS = {
    "runtime": ('`"nodejs"`', '`"edge"`, `"nodejs"`, `"python"` (the same), `"auto"`'),
    "max_duration": (f"{NODEJS.max_duration}", f"seconds, 1 to 900; edge at most {route_config.EDGE_MAX_DURATION}"),
    "memory": (f"{NODEJS.memory}, edge {EDGE.memory}", "MB, 128 to 10240"),
    "max_body_size": (f"{mb(NODEJS.max_body_size)}, edge {mb(EDGE.max_body_size)}", 'bytes, or `"2mb"`, `"500kb"`'),
    "revalidate": ("", "seconds that the CDN keeps a GET; `0` forbids it; `False`: a year, for caches of your own"),
    "cors": ("", f"a dict: {', '.join(f'`{key}`' for key in route_config._CORS_KEYS)}"),
    "isolate": ("`False`", "a function of its own"),
    "files": ("", "patterns of data files for its artifact, from the project's folder"),
}  # fmt: skip
assert set(CONSTANTS) == set(route_config._PARSERS)


def replaced(page: str, mark: str, lines: list[str]) -> None:
    """Put lines in the place of a mark in a page of the reference."""
    text = (REFERENCE / page).read_text(encoding="utf-8").replace(f"<!-- {mark} -->", "\n".join(lines))
    with mkdocs_gen_files.open(f"reference/{page}", "w") as stream:
        stream.write(text)


replaced(
    "limits.md",
    "limits",
    ["| what | limit | beyond it |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in ROWS)],
)
replaced(
    "routes.md",
    "constants",
    [
        "| constant | default | values |",
        "|---|---|---|",
        *(f"| `{name}` | {' | '.join(row)} |" for name, row in CONSTANTS.items()),
    ],
)
