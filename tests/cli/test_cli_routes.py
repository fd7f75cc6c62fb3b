import json
from dataclasses import replace
from hashlib import sha256

from infra import manifest
from packager import fingerprint
from packager.build import build

GET = "def GET(): pass\n"
GOOD = {
    "pyproject.toml": '[project]\nname = "x"\n',
    "app/api/hello/route.py": GET,
    "app/api/users/[id]/route.py": f'runtime = "edge"\nmax_body_size = "1kb"\n{GET}',
}


def test_json_has_the_rows_of_the_manifest(write, packager):
    ended = packager("routes", write(GOOD), "--json")
    assert (ended.status, ended.err) == (0, "")
    assert json.loads(ended.out) == {
        "routes": [
            {
                "path": "/api/hello",
                "file": "app/api/hello/route.py",
                "methods": ["GET", "HEAD", "OPTIONS"],
                "runtime": "nodejs",
                "declared_runtime": "nodejs",
                "params": [],
                "function": "api",
                "max_duration": 30,
                "memory": 512,
                "max_body_size": 6291456,
                "reason": "routes of nodejs with 512 MB and 30 s share one function",
                "revalidate": None,
                "cors": False,
            },
            {
                "path": "/api/users/[id]",
                "file": "app/api/users/[id]/route.py",
                "methods": ["GET", "HEAD", "OPTIONS"],
                "runtime": "edge",
                "declared_runtime": "edge",
                "params": [{"name": "id", "kind": "single"}],
                "function": "edge",
                "max_duration": 30,
                "memory": 256,
                "max_body_size": 1024,
                "reason": "routes of edge with 256 MB and 30 s share one function",
                "revalidate": None,
                "cors": False,
            },
        ]
    }


def test_the_table_has_a_line_for_each_route(write, packager):
    ended = packager("routes", write(GOOD))
    assert ended.status == 0
    assert [line.split() for line in ended.out.splitlines()] == [
        ["path", "methods", "runtime", "function", "file"],
        ["/api/hello", "GET", "HEAD", "OPTIONS", "nodejs", "api", "app/api/hello/route.py"],
        ["/api/users/[id]", "GET", "HEAD", "OPTIONS", "edge", "edge", "app/api/users/[id]/route.py"],
    ]


def test_the_folder_is_this_one_by_default(write, packager, monkeypatch):
    monkeypatch.chdir(write(GOOD))
    assert packager("routes").status == 0


def test_functions_are_those_of_the_build_as_long_as_it_is_current(write, packager):
    root = write({"pyproject.toml": '[project]\nname = "x"\n', "app/api/hello/route.py": GET})
    made = build(root, report=lambda _: None)
    # as if it had been too large
    row = replace(made.manifest.routes[0], function="api-numpy", reason="api would be too large")
    text = manifest.to_json(replace(made.manifest, routes=(row,)))
    (made.out / "manifest.json").write_text(text)
    record = fingerprint.read(made.out)
    sizes = {**record.outputs, "manifest.json": len(text)}
    changed = replace(record, manifest=sha256(text.encode()).hexdigest(), outputs=sizes)
    fingerprint.write(changed, made.out)

    def names():
        return [row["function"] for row in json.loads(packager("routes", root, "--json").out)["routes"]]

    assert names() == ["api-numpy"]
    write({"app/api/more/route.py": GET})
    assert names() == ["api", "api"]


def test_a_project_with_errors_shows_what_can_be_read_and_ends_with_1(write, packager):
    root = write({**GOOD, "app/[[a]]/route.py": GET, "app/b/route.py": "def GET(:\n"})
    ended = packager("routes", root, "--json")
    assert ended.status == 1
    assert [row["path"] for row in json.loads(ended.out)["routes"]] == ["/api/hello", "/api/users/[id]"]
    assert "error[invalid-segment] app/[[a]]/route.py:1:1 " in ended.err
    assert "error[syntax-error] app/b/route.py:1:9 " in ended.err


def test_a_tree_without_routes_says_so(write, packager):
    ended = packager("routes", write({"app/notes.txt": ""}))
    assert (ended.status, ended.out, ended.err) == (0, "", "no routes in app/\n")


def test_a_folder_without_a_tree_is_wrong_usage(tmp_path, packager):
    ended = packager("routes", tmp_path, "--json")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("error ")
    assert "    hint: Make a first route" in ended.err


def test_bad_settings_are_the_projects_fault(write, packager):
    ended = packager("routes", write({**GOOD, "pyproject.toml": "[tool.packager]\nincludes = []\n"}))
    assert ended.status == 1
    assert ended.err == (
        "error pyproject.toml:2 [tool.packager] has no setting 'includes'\n    hint: Did you mean 'include'?\n"
    )
