import json

import pytest

GET = "def GET(): return {}\n"
FILES = {
    "pyproject.toml": '[project]\nname = "x"\ndependencies = ["fast"]\n',
    "app/api/a/[id]/route.py": f'import fast\nimport lib\nruntime = "auto"\n{GET}',
    "lib.py": "import socket\n",
}


@pytest.fixture
def root(write, wheelhouse):
    for name, version in (("anyio", "1.0"), ("starlette", "1.10.0"), ("mangum", "0.22.0")):
        wheelhouse.add(name, version)
    wheelhouse.add("python-multipart", "0.0.30")
    wheelhouse.add("fast", tag="cp313-cp313-manylinux_2_28_aarch64")
    return write(FILES)


def test_a_route_in_a_few_lines(root, packager):
    ended = packager("why", root, "/api/a/7")
    assert ended.status == 0
    lines = ended.out.splitlines()
    assert lines[:2] == [
        "/api/a/[id]  app/api/a/[id]/route.py",
        "runs on nodejs (declared auto): something that it reaches does not run on edge",
    ]
    assert "    and 1 more: --all shows them" in lines
    assert "function api, alone" in lines
    assert len(packager("why", root, "/api/a/7", "--all").out.splitlines()) > len(lines)


def test_json_is_one_document(root, packager):
    document = json.loads(packager("why", root, "/api/a/[id]", "--json").out)
    assert (document["kind"], document["runtime"], document["function"]) == ("route", "nodejs", "api")
    assert {item["rule"] for item in document["findings"]} == {"no-wasm-wheel", "banned-import"}
    document = json.loads(packager("why", root, "fast", "--json").out)
    assert document["kind"] == "distribution"
    assert [(row["function"], row["present"]) for row in document["artifacts"]] == [("api", True)]


def test_a_package_with_the_way_to_it(root, packager):
    assert packager("why", root, "fast").out.splitlines() == [
        "fast  distribution",
        "in api (nodejs) 1.0",
        "    app/api/a/[id]/route.py:1 import fast",
    ]


def test_an_unknown_name_is_wrong_usage(root, packager):
    ended = packager("why", root, "fasd", "--json")
    assert (ended.status, ended.out) == (2, "")
    assert "Did you mean fast" in ended.err


def test_without_an_index_what_the_project_says_is_told(root, packager, monkeypatch):
    monkeypatch.setenv("UV_FIND_LINKS", "")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    ended = packager("why", root, "/api/a/7")
    assert ended.status == 0
    assert "warning: the distributions are not known: " in ended.err
    assert "[banned-import] lib.py:1:1" in ended.out
