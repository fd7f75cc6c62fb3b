"""`packager dev` over a real socket: what is saved is what answers."""

import json
import os
import signal
import socket
import subprocess
import time

import pytest
from serving import PACKAGER, alive, started

pytestmark = pytest.mark.e2e

PATIENCE = 30
FILES = {
    "app/api/node/route.py": (
        "import os\n"
        "from lib.node_only import VALUE\n"
        "count = 0\n"
        "def GET():\n"
        "    global count\n"
        "    count += 1\n"
        "    return {'value': VALUE, 'count': count, 'pid': os.getpid(), 'colour': os.environ.get('COLOUR')}\n"
    ),
    "app/api/edge/route.py": (
        "import os\n"
        "from lib.edge_only import VALUE\n"
        "runtime = 'edge'\n"
        "count = 0\n"
        "def GET():\n"
        "    global count\n"
        "    count += 1\n"
        "    return {'value': VALUE, 'count': count, 'colour': os.environ.get('COLOUR')}\n"
    ),
    "app/api/nothing/route.py": "def GET():\n    pass\n",
    "lib/node_only.py": "VALUE = 0\n",
    "lib/edge_only.py": "VALUE = 0\n",
    ".env": "COLOUR=red\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("dev") / "shop"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture(scope="module")
def server(project):
    with started([*PACKAGER, "dev", str(project), "--port", "0", "--json-log"]) as server:
        yield server


@pytest.fixture(autouse=True)
def as_at_first(request):
    """The files that a test writes are as they were before the next one."""
    yield
    if "project" in request.fixturenames:
        root = request.getfixturevalue("project")
        for name, text in FILES.items():
            if (root / name).read_text() != text:
                (root / name).write_text(text)


def events(server, kind):
    rows = [json.loads(line) for line in [*server.log]]
    return [row for row in rows if row["event"] == kind]


def until(happened):
    """What `happened` gives, once it is true; asked again and again, as somebody does who reloads a page."""
    end = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def answer(server, path, **expected):
    """The JSON of `path`, as soon as it has what is expected."""

    def fitting():
        found = json.loads(server.ask("GET", path).body)
        return found if all(found.get(key) == value for key, value in expected.items()) else None

    return until(fitting)


@pytest.mark.parametrize("runtime", ["node", "edge"])
def test_a_saved_module_is_in_the_next_answers(runtime, server, project):
    answer(server, f"/api/{runtime}", value=0)
    (project / f"lib/{runtime}_only.py").write_text("VALUE = 'saved'\n")
    assert answer(server, f"/api/{runtime}", value="saved")["count"] == 1


@pytest.mark.parametrize(("edited", "other"), [("node", "edge"), ("edge", "node")])
def test_a_save_leaves_the_state_of_the_other_runtime_alone(edited, other, server, project):
    before = answer(server, f"/api/{other}", value=0)["count"]
    (project / f"lib/{edited}_only.py").write_text(f"VALUE = 'by {other}'\n")
    answer(server, f"/api/{edited}", value=f"by {other}")
    assert answer(server, f"/api/{other}", value=0)["count"] == before + 1


@pytest.mark.parametrize("runtime", ["node", "edge"])
def test_a_syntax_error_is_in_the_answer_and_heals_with_the_next_save(runtime, server, project):
    (project / f"lib/{runtime}_only.py").write_text("FIRST = 1\nVALUE = = 2\n")
    fault = answer(server, f"/api/{runtime}", file=f"lib/{runtime}_only.py")
    assert server.ask("GET", f"/api/{runtime}").status == 500
    assert (fault["error"], fault["line"]) == ("SyntaxError: invalid syntax", 2)
    assert fault["chain"][0] == f"app/api/{runtime}/route.py:2 <module>"
    (project / f"lib/{runtime}_only.py").write_text("VALUE = 'mended'\n")
    answer(server, f"/api/{runtime}", value="mended")


def test_a_route_that_python_refuses_stays_on_its_runtime(server, project):
    (project / "app/api/edge/route.py").write_text("def GET(:\n")
    fault = answer(server, "/api/edge", file="app/api/edge/route.py")
    assert fault["line"] == 1
    assert events(server, "request")[-1]["runtime"] == "edge"
    assert answer(server, "/api/node", value=0)


@pytest.mark.parametrize("runtime", ["node", "edge"])
def test_a_browser_gets_a_page_with_the_source_of_a_failed_import(runtime, server, project):
    (project / f"lib/{runtime}_only.py").write_text(
        "def value():\n    return 1 / 0  # <here>\nVALUE = value()\n"
    )
    answer(server, f"/api/{runtime}", line=2)
    page = server.ask("GET", f"/api/{runtime}", {"accept": "text/html,*/*;q=0.8"})
    assert page.header("content-type") == "text/html; charset=utf-8"
    text = page.body.decode()
    assert "ZeroDivisionError: division by zero" in text
    assert f"lib/{runtime}_only.py:2" in text
    assert "return 1 / 0  # &lt;here&gt;" in text


def test_a_handler_without_an_answer_names_its_place(server):
    fault = json.loads(server.ask("GET", "/api/nothing").body)
    assert (fault["file"], fault["line"]) == ("app/api/nothing/route.py", 1)
    assert "returned NoneType, not a response" in fault["error"]


def test_new_routes_are_there_and_removed_ones_are_gone(server, project):
    assert server.ask("GET", "/api/fresh").status == 404
    route = project / "app/api/fresh/route.py"
    route.parent.mkdir()
    route.write_text("runtime = 'edge'\ndef GET():\n    return {'fresh': True}\n")
    answer(server, "/api/fresh", fresh=True)
    route.unlink()
    route.parent.rmdir()
    answer(server, "/api/fresh", error="Not Found")


def test_a_url_without_a_route_is_a_page_for_browsers_and_json_for_others(server):
    page = server.ask("GET", "/api/<nobody>", {"accept": "text/html"})
    assert page.status == 404
    assert "/api/&lt;nobody&gt;" in page.body.decode()
    assert "/api/edge" in page.body.decode()
    assert json.loads(server.ask("GET", "/api/nobody").body) == {"error": "Not Found"}


def test_new_variables_reach_both_runtimes(server, project):
    answer(server, "/api/node", colour="red")
    answer(server, "/api/edge", colour="red")
    (project / ".env").write_text("COLOUR=blue\n")
    answer(server, "/api/node", colour="blue")
    answer(server, "/api/edge", colour="blue")


def test_a_settings_fault_is_told_and_what_ran_goes_on(server, project):
    (project / "pyproject.toml").write_text("[tool.packager]\nnonsense = 1\n")
    until(lambda: any("pyproject.toml:2" in row["text"] for row in events(server, "log")))
    answer(server, "/api/node", value=0)
    (project / "pyproject.toml").unlink()
    until(lambda: server.ask("GET", "/api/node").status == 200)


def test_the_checks_find_what_edge_must_not_do(server, project):
    (project / "lib/edge_only.py").write_text("import subprocess\nVALUE = 'checked'\n")
    found = until(lambda: [row for row in events(server, "diagnostic") if row["rule"] == "banned-import"])
    assert (found[0]["file"], found[0]["line"]) == ("lib/edge_only.py", 1)


def test_each_request_is_one_event(server):
    answer(server, "/api/node", value=0)
    server.ask("OPTIONS", "/api/node?secret=1")
    (event,) = until(lambda: [row for row in events(server, "request") if row["method"] == "OPTIONS"])
    assert event.pop("duration_ms") >= event.pop("handler_ms") > 0
    assert event.pop("memory_mb") > 0
    assert event == {
        "event": "request",
        "method": "OPTIONS",
        "path": "/api/node",
        "status": 204,
        "runtime": "nodejs",
        "function": "api",
        "cold": False,
        "reloaded": False,
        "spawn_ms": None,
        "init_ms": None,
        "cache": None,
    }


def _children(pid):
    rows = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = dict(tuple(map(int, row.split())) for row in rows.splitlines())
    found = {child for child, parent in parents.items() if parent == pid}
    return found.union(*(_children(child) for child in found))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_server(number, tmp_path):
    project, temporary = tmp_path / "project", tmp_path / "temporary"
    temporary.mkdir()
    for name in ("app/api/node/route.py", "lib/node_only.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(FILES[name])
    command = [*PACKAGER, "dev", str(project), "--port", "0"]
    with started(command, env={"TMPDIR": str(temporary)}) as server:
        assert server.ask("GET", "/api/node").status == 200
        children = until(lambda: _children(server.process.pid))
        os.kill(server.process.pid, number)
        status = server.process.wait(PATIENCE)
        until(lambda: not any(map(alive, children)))
    assert status == {signal.SIGINT: 130, signal.SIGTERM: 0, signal.SIGKILL: -9}[number]
    if number != signal.SIGKILL:
        assert not [*temporary.glob("packager-dev-*")]


def test_a_debugger_can_attach_to_nodejs_routes(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name in ("app/api/node/route.py", "lib/node_only.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(FILES[name])
    with started([*PACKAGER, "dev", str(tmp_path), "--port", "0", "--inspect", str(port)]) as server:
        for value in (0, "again"):
            (tmp_path / "lib/node_only.py").write_text(f"VALUE = {value!r}\n")
            answer(server, "/api/node", value=value)
            socket.create_connection(("127.0.0.1", port)).close()
