"""`cors` as a real browser sees it: pages of other origins whose scripts call the API behind `preview`."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from serving import serving

CHROMIUM = shutil.which("chromium")
BROWSER_SECONDS = 120
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (apt-get install chromium)"),
]

ROUTE = """
from runtimes import Request, Response

runtime = "{runtime}"
{cors}

async def GET(request: Request) -> Response:
    response = Response.json({{"session": request.cookies.get("session")}})
    response.cookies.set("session", "{runtime}")
    return response

async def POST(request: Request) -> dict:
    return {{"got": await request.json(), "custom": request.headers.get("x-custom")}}

async def PUT() -> dict:
    raise RuntimeError("a fault")

async def DELETE() -> dict:
    return {{}}
"""
PAGE = """<!doctype html><title>cors</title><script type="module">
const findings = {};
for (const [name, url, init] of CASES) {
  try {
    const response = await fetch(url, init);
    findings[name] = [response.status, await response.json()];
  } catch (error) {
    findings[name] = error.name;
  }
}
await fetch("/findings", { method: "POST", body: JSON.stringify(findings) });
</script>"""

BLOCKED = "TypeError"
JSON_TYPE = {"content-type": "application/json"}
COOKIES = {"credentials": "include"}
SENT = {"method": "POST", "body": '{"a": "ü"}'}
CASES = {
    "any origin: simple GET": ("any", {}),
    "any origin: POST of JSON": ("any", {**SENT, "headers": JSON_TYPE}),
    "named: simple GET": ("named", {}),
    "named: first GET with cookies": ("named", COOKIES),
    "named: second GET with cookies": ("named", COOKIES),
    "named: POST of JSON with a custom header": ("named", {**SENT, "headers": {**JSON_TYPE, "x-custom": "1"}}),
    "named: a header that is not listed": ("named", {"headers": {"x-other": "1"}}),
    "named: a method that is not listed": ("named", {"method": "DELETE"}),
    "named: a handler that fails": ("named", {"method": "PUT"}),
    "named: JSON that is none": ("named", {"method": "POST", "body": "{", "headers": JSON_TYPE}),
    "named: a body that is too large": ("named", {"method": "POST", "body": "x" * 3000}),
    # Last, for a browser keeps the cookie of an answer that it keeps from the script.
    "any origin: with cookies": ("any", COOKIES),
    "none: simple GET": ("none", {}),
    "none: POST of JSON": ("none", {**SENT, "headers": JSON_TYPE}),
}  # fmt: skip


def allowed(runtime):
    """What a script of an allowed origin gets."""
    echo = {"got": {"a": "ü"}, "custom": None}
    return {
        "any origin: simple GET": [200, {"session": None}],
        "any origin: POST of JSON": [200, echo],
        "any origin: with cookies": BLOCKED,
        "named: simple GET": [200, {"session": None}],
        "named: first GET with cookies": [200, {"session": None}],
        "named: second GET with cookies": [200, {"session": runtime}],
        "named: POST of JSON with a custom header": [200, {**echo, "custom": "1"}],
        "named: a header that is not listed": BLOCKED,
        "named: a method that is not listed": BLOCKED,
        "named: a handler that fails": [500, {"error": "Internal Server Error"}],
        "named: JSON that is none": [400, {"error": "Invalid JSON: Expecting property name enclosed in double quotes "
                                                    "at line 1 column 2"}],
        "named: a body that is too large": [413, {"error": "Payload Too Large"}],
        "none: simple GET": BLOCKED,
        "none: POST of JSON": BLOCKED,
    }  # fmt: skip


class Site(ThreadingHTTPServer):
    """Serves the page to every host name and takes its findings."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Visit)
        self.page = b""
        self.findings = queue.SimpleQueue()


class Visit(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200 if self.path == "/" else 404, self.server.page)

    def do_POST(self):
        self.server.findings.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.answer(200, b"{}")

    def answer(self, status, body):
        self.send_response_only(status)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Nothing."""


@pytest.fixture(scope="module")
def site():
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def api(tmp_path_factory, site):
    project = tmp_path_factory.mktemp("browser") / "project"
    origins = [f"http://127.0.0.1:{site.server_port}", f"http://*.shop.localhost:{site.server_port}"]
    named = {"origins": origins, "methods": ["GET", "POST", "PUT"], "headers": ["content-type", "x-custom"]}
    constants = {
        "any": "cors = {'origins': ['*']}",
        "named": f"max_body_size = 2048\ncors = { {**named, 'credentials': True, 'max_age': 60} }",
        "none": "",
    }
    files = {"pyproject.toml": '[project]\nname = "browser"\nversion = "1"\nrequires-python = ">=3.12"\n'}
    for runtime in ("nodejs", "edge"):
        for name, cors in constants.items():
            files[f"app/{runtime}/{name}/route.py"] = ROUTE.format(runtime=runtime, cors=cors)
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    with serving(project) as server:
        yield server


@contextlib.contextmanager
def browser(url, profile):
    """Chromium with a new profile, at `url`; ended with all its processes."""
    log = profile.with_name("chromium.log")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", url],
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def findings(site, api, tmp_path):
    """What a page of host `page` finds when it calls the API by the host name `host`, by runtime."""

    def find(page, host, runtime):
        base = f"http://{host}:{api.port}/{runtime}"
        cases = [[name, f"{base}/{route}", init] for name, (route, init) in CASES.items()]
        site.page = PAGE.replace("CASES", json.dumps(cases)).encode()
        with browser(f"http://{page}:{site.server_port}/", tmp_path / "profile") as log:
            try:
                return site.findings.get(timeout=BROWSER_SECONDS)
            except queue.Empty:
                raise AssertionError(f"the page reported nothing:\n{log.read_text()}") from None

    return find


on_both = pytest.mark.parametrize("runtime", ["nodejs", "edge"])


@on_both
def test_a_named_origin_may_do_what_cors_lists_and_reads_errors(findings, runtime):
    assert findings("127.0.0.1", "127.0.0.1", runtime) == allowed(runtime)


@on_both
def test_an_origin_that_fits_the_pattern_may_do_the_same(findings, runtime):
    assert findings("eu.shop.localhost", "api.shop.localhost", runtime) == allowed(runtime)


@on_both
def test_an_origin_beside_the_pattern_is_blocked_but_where_any_origin_may_ask(findings, runtime):
    found = findings("shop.localhost", "api.shop.localhost", runtime)
    open_to_all = {name: value for name, value in allowed(runtime).items() if name.startswith("any")}
    assert found == {**dict.fromkeys(CASES, BLOCKED), **open_to_all}
