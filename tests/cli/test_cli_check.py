import json

import pytest

GET = "def GET(): pass\n"


def test_a_project_without_faults(write, packager):
    ended = packager("check", write({"app/route.py": GET}))
    assert (ended.status, ended.out, ended.err) == (0, "no errors, no warnings in 1 route\n", "")


def test_json_is_one_document_with_every_diagnostic(write, packager):
    root = write({"app/route.py": f'import lib.x\nruntime = "edge"\n{GET}', "lib/x.py": "import socket\n"})
    ended = packager("check", root, "--json")
    assert (ended.status, ended.err) == (1, "")
    assert json.loads(ended.out) == {
        "diagnostics": [
            {
                "rule": "banned-import",
                "severity": "error",
                "file": "lib/x.py",
                "line": 1,
                "column": 1,
                "message": "socket does not work on edge: edge has no sockets",
                "hint": 'To use it, set runtime = "nodejs" in the route.',
                "chain": ["app/route.py:1 import lib.x", "lib/x.py:1 import socket"],
            }
        ]
    }


def test_text_has_place_chain_and_hint(write, packager):
    root = write({"app/route.py": f'import lib.x\nruntime = "edge"\n{GET}', "lib/x.py": "import socket\n"})
    ended = packager("check", root)
    assert ended.status == 1
    assert ended.err.splitlines() == [
        "error[banned-import] lib/x.py:1:1 socket does not work on edge: edge has no sockets",
        "    app/route.py:1 import lib.x",
        "    lib/x.py:1 import socket",
        '    hint: To use it, set runtime = "nodejs" in the route.',
    ]
    assert ended.out == "1 error, no warnings in 1 route\n"


def test_warnings_alone_are_no_failure(write, packager):
    ended = packager("check", write({"app/route.py": f"max_duration = 60\n{GET}"}), "--json")
    assert ended.status == 0
    assert [item["severity"] for item in json.loads(ended.out)["diagnostics"]] == ["warning"]


def test_variables_are_checked_too(write, packager):
    ended = packager("check", write({"app/route.py": GET, ".env": "AWS_REGION=x\n"}), "--json")
    assert [item["rule"] for item in json.loads(ended.out)["diagnostics"]] == ["env-name"]


@pytest.mark.parametrize(("runtime", "status", "severity"), [("edge", 1, "error"), ("nodejs", 0, "warning")])
def test_a_plain_variable_like_a_secret_is_told_by_where_the_routes_run(
    write, packager, runtime, status, severity
):
    files = {"app/route.py": f'runtime = "{runtime}"\n{GET}', ".env": "NAME=1\nSESSION_KEY=abcdef\n"}
    ended = packager("check", write(files))
    assert ended.status == status
    assert f"{severity}[env-secret-on-edge] .env:2:1 SESSION_KEY looks like a secret" in ended.err
    assert "abcdef" not in ended.err


def test_names_that_could_steer_a_terminal_are_spelled_out(write, packager):
    ended = packager(
        "check",
        write({"app/\x1b[31m\udcff/route.py": GET}),
    )
    assert ended.status == 1
    assert "\x1b" not in ended.err
    assert "\\x1b[31m" in ended.err


SETTINGS = '[project]\nname = "x"\ndependencies = ["fast"]\n'
NATIVE = "cp313-cp313-manylinux_2_28_aarch64"


@pytest.fixture
def wheels(wheelhouse):
    for name, version in (("anyio", "1.0"), ("starlette", "1.10.0"), ("mangum", "0.22.0")):
        wheelhouse.add(name, version)
    wheelhouse.add("python-multipart", "0.0.30")
    wheelhouse.add("fast", tag=NATIVE)
    return wheelhouse


@pytest.fixture
def no_index(monkeypatch):
    def cut():
        monkeypatch.setenv("UV_FIND_LINKS", "")
        monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    return cut


def test_edge_code_is_checked_against_the_resolved_distributions(write, packager, wheels):
    root = write({"pyproject.toml": SETTINGS, "app/route.py": f'import fast\nruntime = "edge"\n{GET}'})
    ended = packager("check", root, "--json")
    (item,) = json.loads(ended.out)["diagnostics"]
    assert (ended.status, item["rule"], item["line"]) == (1, "no-wasm-wheel", 1)
    assert item["message"] == "fast 1.0 has no wheel for edge (Pyodide), only for Linux"


def test_the_hint_names_the_nearest_version_with_a_wheel(write, packager, wheels):
    wheels.add("fast", "0.9", tag="cp314-cp314-pyemscripten_2026_0_wasm32")
    wheels.add("fast", "0.1")
    root = write({"pyproject.toml": SETTINGS, "app/route.py": f'import fast\nruntime = "edge"\n{GET}'})
    assert "hint: fast 0.9 has one: require that version" in packager("check", root).err


def test_auto_routes_go_where_the_distributions_let_them(write, packager, wheels):
    root = write({"pyproject.toml": SETTINGS, "app/route.py": f'import fast\nruntime = "auto"\n{GET}'})
    before = packager("routes", root)
    assert before.err == ("the runtime of auto routes is provisional: the dependencies are not locked yet\n")
    assert "edge" in before.out
    assert packager("check", root).status == 0
    after = packager("routes", root)
    assert (after.status, after.err) == (0, "")
    assert "edge" not in after.out


def test_without_index_and_cache_the_rest_is_checked_with_a_warning(write, packager, wheels, no_index):
    root = write(
        {"pyproject.toml": SETTINGS, "app/route.py": f'import fast, socket\nruntime = "edge"\n{GET}'}
    )
    no_index()
    ended = packager("check", root, "--json")
    assert ended.status == 1
    assert [item["rule"] for item in json.loads(ended.out)["diagnostics"]] == ["banned-import"]
    assert "warning: the distributions were not checked: " in ended.err


def test_what_was_resolved_once_is_checked_offline(write, packager, wheels, no_index):
    root = write({"pyproject.toml": SETTINGS, "app/route.py": f'import fast\nruntime = "edge"\n{GET}'})
    packager("check", root)
    for path in wheels.folder.iterdir():
        path.unlink()
    ended = packager("check", root, "--json")
    assert [item["rule"] for item in json.loads(ended.out)["diagnostics"]] == ["no-wasm-wheel"]
    assert ended.err == ""


def test_dependencies_that_cannot_be_resolved_are_a_diagnostic(write, packager, wheels):
    settings = SETTINGS.replace('"fast"', '"nothing-like-it"')
    root = write({"pyproject.toml": settings, "app/route.py": f'import socket\nruntime = "edge"\n{GET}'})
    ended = packager("check", root, "--json")
    found = [(item["rule"], item["file"], item["line"]) for item in json.loads(ended.out)["diagnostics"]]
    assert found == [("banned-import", "app/route.py", 1), ("unresolved-dependency", "pyproject.toml", 3)]


def test_a_project_of_nodejs_routes_alone_needs_no_index(write, packager, wheels, no_index):
    no_index()
    ended = packager("check", write({"pyproject.toml": SETTINGS, "app/route.py": GET}))
    assert (ended.status, ended.err) == (0, "")
