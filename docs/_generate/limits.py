"""The tables of limits and of route constants, made of the constants in the code that keep them."""

from pathlib import Path

import mkdocs_gen_files

from infra import behaviours, limits
from infra.stage import Throttle
from packager import route_config, splitting
from packager.preview import child, distribution, gateway, lambda_image, lambda_process, origin_request
from packager.traffic import history
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
    ("body, HTTP API", mb(gateway.MAX_BODY), "413 by the gateway"),
    ("request line and headers, HTTP API", f"{gateway.MAX_HEAD} bytes", "431 by the gateway"),
    ("URL, CloudFront", f"{distribution.MAX_URL} bytes", "414"),
    ("event or result of a nodejs function", mb(serving.MAX_PAYLOAD), "as JSON with base64: 413; 500 for the result"),
    ("answer of an edge route, `lambda-edge`", mb(origin_request.MAX_RESPONSE), "502 by CloudFront"),
    ("**Time**", "", ""),
    ("an edge route", f"{route_config.EDGE_MAX_DURATION} s", "`max_duration` above it is an error of `check`"),
    ("a nodejs route behind the HTTP API", f"{gateway.TIMEOUT:g} s", "503 by the gateway"),
    ("the start of a nodejs process", f"{lambda_process.INIT_LIMIT:g} s", "started again, within the first request"),
    ("`on_shutdown` functions together", f"{lambda_process._SHUTDOWN_LIMIT:g} s", "the process is killed"),
    ("a hop to another function or host", f"{proxy.TIMEOUT} s", "502"),
    ("**A process**", "", ""),
    ("memory", f"{NODEJS.memory} MB, edge {EDGE.memory} MB", "killed; `memory` of the route sets it"),
    ("`/tmp` of a nodejs function, all it may write to", f"{lambda_image._STORAGE} MB", "`OSError`: no space left"),
    ("open files of a nodejs function", f"{child._OPEN_FILES}", "`OSError`: too many open files"),
    ("**Size**", "", ""),
    ("a nodejs function, unpacked", mb(splitting.MAX_UNPACKED), "split into several functions, then an error"),
    ("an edge package, `lambda-edge`", mb(limits._ZIP["lambda-edge"]), "an error of `synth`"),
    ("an edge package, `web-function`", mb(limits._ZIP["web-function"]), "an error of `synth`"),
    ("variables, `lambda` and `regional`", f"{limits._VARIABLES['lambda']} bytes", "an error of `synth`"),
    ("variables, `web-function`", f"{limits._VARIABLES['web-function']} bytes", "an error of `synth`"),
    ("**Number**", "", ""),
    ("CloudFront behaviours", str(behaviours.MAX_BEHAVIOURS), "beyond, routes are told apart in the worker"),
    ("functions behind one HTTP API", str(limits.MAX_INTEGRATIONS), "an error of `synth`"),
    ("requests a second", f"{Throttle().rate:g}", "429; `throttle` of a stage sets it"),
    ("hops of one request", str(proxy.MAX_HOPS), "508"),
    ("**`fetch`**", "", ""),
    ("the answer", mb(client.MAX_BYTES), "`FetchError`"),
    ("redirects that it follows", str(client.MAX_REDIRECTS), "`FetchError`"),
    ("**The page `/_packager`**", "", ""),
    ("requests kept", str(history.MAX_EXCHANGES), "the oldest go"),
    ("of each body", f"{history.MAX_BODY // 1024} KB", "the rest is not kept"),
)  # fmt: skip
assert NODEJS.max_body_size == app.DEFAULT_MAX_BODY_SIZE
assert gateway.MAX_BODY == serving.MAX_BODY
assert gateway.TIMEOUT == route_config.HTTP_API_MAX_DURATION


def bounds(constant: str, least: int, most: int, unit: str) -> str:
    """The range of a constant, held against what the reader of route files takes."""
    read = route_config._PARSERS[constant]
    for value, taken in ((least - 1, False), (least, True), (most, True), (most + 1, False)):
        try:
            read(value)
        except ValueError:
            assert not taken, (constant, value)
        else:
            assert taken, (constant, value)
    return f"{unit}, {least} to {most}"


DURATION = bounds("max_duration", 1, limits._WEB_SECONDS[1], "seconds")
MEMORY = bounds("memory", *limits._MEMORY, "MB")

CONSTANTS = {
    "runtime": ('`"nodejs"`', '`"edge"`, `"nodejs"`, `"python"` (the same), `"auto"`'),
    "max_duration": (f"{NODEJS.max_duration}", f"{DURATION}; edge at most {route_config.EDGE_MAX_DURATION}"),
    "memory": (f"{NODEJS.memory}, edge {EDGE.memory}", MEMORY),
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
