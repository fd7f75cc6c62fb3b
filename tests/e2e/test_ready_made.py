"""Ready-made middleware in built artifacts: the same parts before an edge and a nodejs route."""

import json
import shutil
import time

import pytest
from serving import run, serving

pytestmark = pytest.mark.e2e

ROUTE = """
from runtimes import Request

runtime = "{runtime}"

async def GET(request: Request):
    request.state.session["visits"] = request.state.session.get("visits", 0) + 1
    return request.state.session
"""
MIDDLEWARE = """
from runtimes import Response
from runtimes.middleware import compose, cors, rate_limit, request_log, session

config = {"matcher": "/api/:path*"}

def guard(request):
    if request.headers.get("x-stop"):
        return Response.json({"error": "stopped"}, 403)

middleware = compose(
    request_log(),
    cors(["https://shop.example"]),
    rate_limit(2, per=600, key=lambda request: request.headers.get("x-user")),
    session(secret="SESSION_KEY"),
    guard,
)
"""
PROJECT = """
[project]
name = "ready-made"
version = "0"
requires-python = ">=3.12"
dependencies = [{dependencies}]

[tool.packager.environment]
secrets = {{ SESSION_KEY = "ssm:/ready-made/session-key" }}
"""
KEY = "a-local-key-of-forty-characters-at-least"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ready_made")
    for runtime in ("edge", "nodejs"):
        file = folder / "app/api" / runtime / "route.py"
        file.parent.mkdir(parents=True)
        file.write_text(ROUTE.format(runtime=runtime))
    (folder / "middleware.py").write_text(MIDDLEWARE)
    (folder / "pyproject.toml").write_text(PROJECT.format(dependencies='"itsdangerous>=2.2"'))
    (folder / ".env.local").write_text(f"SESSION_KEY={KEY}\n")
    return folder


@pytest.fixture(scope="module")
def server(project):
    with serving(project) as server:
        yield server


@pytest.mark.parametrize("runtime", ["edge", "nodejs"])
def test_a_session_of_one_runtime_goes_on_in_the_other(server, runtime):
    other = {"edge": "nodejs", "nodejs": "edge"}[runtime]
    first = server.ask("GET", f"/api/{runtime}", {"x-user": f"session-{runtime}"})
    cookie = first.header("set-cookie")
    assert cookie.endswith("; Secure; HttpOnly; SameSite=lax")
    second = server.ask(
        "GET", f"/api/{other}", {"cookie": cookie.partition(";")[0], "x-user": f"session-{runtime}"}
    )
    assert [json.loads(answer.body) for answer in (first, second)] == [{"visits": 1}, {"visits": 2}]


@pytest.mark.parametrize("runtime", ["edge", "nodejs"])
def test_the_limit_holds_and_its_answer_can_be_read_by_another_origin(server, runtime):
    headers = {"x-user": f"limit-{runtime}", "origin": "https://shop.example"}
    answers = [server.ask("GET", f"/api/{runtime}", headers) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.header("ratelimit-remaining") for answer in answers] == ["1", "0", "0"]
    assert 0 < int(answers[-1].header("retry-after")) <= 600
    assert {answer.header("access-control-allow-origin") for answer in answers} == {"https://shop.example"}


@pytest.mark.parametrize("runtime", ["edge", "nodejs"])
def test_every_request_is_one_line_in_the_log_whoever_answers(server, runtime):
    path = f"/api/{runtime}"
    stopped = server.ask("GET", f"{path}?token=hush", {"x-stop": "1", "x-user": f"log-{runtime}"})
    assert (stopped.status, stopped.header("ratelimit-remaining")) == (403, "1")
    line = wait_for(server, lambda line: '"duration_ms"' in line and path in line and "403" in line)
    row = json.loads(line[line.index("{") :])
    assert (row["method"], row["route"], row["runtime"]) == ("GET", path, runtime)
    assert not [line for line in server.log if '"duration_ms"' in line and "hush" in line]


def wait_for(server, wanted):
    """The first line of the log that is `wanted`; it arrives through a pipe, after the answer."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if line := next(filter(wanted, list(server.log)), None):
            return line
        time.sleep(0.05)
    raise AssertionError("".join(server.log))


def test_what_the_parts_need_is_in_both_artifacts_and_the_key_in_none(project, server):
    manifest = json.loads((project / ".packager" / "manifest.json").read_text())
    for function in manifest["functions"]:
        assert "itsdangerous" in {row["name"] for row in function["distributions"]}
        assert KEY.encode() not in (project / ".packager" / function["artifact"]).read_bytes()


def undeclared(project, folder, other):
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns(".packager", other))
    (folder / "pyproject.toml").write_text(PROJECT.format(dependencies=""))
    return folder


DECLARE = 'add "itsdangerous>=2.2" to [project] dependencies'


@pytest.mark.parametrize("runtime", ["edge", "nodejs"])
def test_a_build_without_itsdangerous_says_what_to_declare(project, tmp_path, runtime):
    other = {"edge": "nodejs", "nodejs": "edge"}[runtime]
    done = run("build", undeclared(project, tmp_path / "undeclared", other))
    assert done.returncode == 1
    assert "middleware.py:3" in done.stderr
    assert DECLARE in done.stderr
