"""The life of a nodejs process in preview, under the real awslambdaric: its start, its paths, its end."""

import json

import pytest
from serving import serving

pytestmark = pytest.mark.e2e

ROUTE = """
from runtimes import Request, after_restore, on_shutdown

events = []
after_restore(lambda: events.append("started"))


@on_shutdown
def close():
    print("closing", *events, flush=True)


@on_shutdown
def fail():
    raise LookupError("already closed")


def GET(request: Request, params: dict):
    events.append("answered")
    return {"events": events, "slug": params["slug"], "path": request.url.path}
"""


@pytest.fixture(scope="module", params=["false", "true"], ids=["on-demand", "snap-start"])
def life(tmp_path_factory, request):
    """Some answers, and the log of a preview that has ended."""
    folder = tmp_path_factory.mktemp("lambda_life")
    (folder / "pyproject.toml").write_text(f"[tool.packager.lambda]\nsnap_start = {request.param}\n")
    file = folder / "app/api/life/[...slug]/route.py"
    file.parent.mkdir(parents=True)
    file.write_text(ROUTE)
    with serving(folder) as server:
        paths = ("a%2Fb/c", "a%252Fb", "a%20b+c", "me%3Fadmin", "100%25")
        answers = [json.loads(server.ask("GET", f"/api/life/{path}").body) for path in paths]
        bad = server.ask("GET", "/api/life/%zz", {"x-packager-path": "/api/life/good"})
    [function] = json.loads((folder / ".packager/manifest.json").read_text())["functions"]
    assert function["snap_start"] == json.loads(request.param)
    return answers, bad, "".join(server.log)


def test_start_up_runs_once_before_the_first_request(life):
    answers, _, _ = life
    assert [answer["events"] for answer in answers] == [["started", *["answered"] * n] for n in range(1, 6)]


def test_functions_given_to_on_shutdown_run_when_the_preview_ends(life):
    _, _, log = life
    assert "closing started answered answered answered answered answered" in log
    assert "LookupError: already closed" in log


def test_escapes_reach_the_handler_as_sent_though_the_gateway_decodes_them(life):
    answers, _, _ = life
    assert [answer["slug"] for answer in answers] == [
        ["a/b", "c"],
        ["a%2Fb"],
        ["a b+c"],
        ["me?admin"],
        ["100%"],
    ]
    assert answers[0]["path"] == "/api/life/a%2Fb/c"


def test_a_bad_escape_is_400_and_no_client_can_say_otherwise(life):
    _, bad, _ = life
    assert bad.status == 400
