"""`cors` as a real browser sees it: pages of other origins whose scripts call the API behind `preview`."""

import json

import chromium
import pytest
from serving import serving

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(chromium.CHROMIUM is None, reason="there is no chromium (apt-get install chromium)"),
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
PAGE = b"<!doctype html><title>cors</title>"
ASK = """(async () => {
  const findings = {};
  for (const [name, url, init] of CASES) {
    try {
      const response = await fetch(url, init);
      findings[name] = [response.status, await response.json()];
    } catch (error) {
      findings[name] = error.name;
    }
  }
  return findings;
})()"""

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


@pytest.fixture(scope="module")
def site():
    with chromium.site() as server:
        yield server


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


@pytest.fixture
def findings(site, api, tmp_path):
    """What a page of host `page` finds when it calls the API by the host name `host`, by runtime."""

    def find(page, host, runtime):
        base = f"http://{host}:{api.port}/{runtime}"
        cases = [[name, f"{base}/{route}", init] for name, (route, init) in CASES.items()]
        site.files["/"] = PAGE
        with chromium.chromium(tmp_path / "profile") as tab:
            tab.open(f"http://{page}:{site.server_port}/")
            return tab.run(ASK.replace("CASES", json.dumps(cases)))

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
