import json

import pytest

from infra.stage import Permission
from packager.project import load
from packager.stages import read

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


IAM = {
    "app/api/a/route.py": "import boto3\ns3 = boto3.client('s3')\n"
    f"def work(b): s3.get_object(Bucket=b); s3.list_objects_v2(Bucket='b')\n{GET}",
    "app/api/b/route.py": GET,
}


def test_iam_suggests_permissions_that_can_be_pasted(write, packager):
    root = write(IAM)
    ended = packager("why", root, "--iam")
    assert (ended.status, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[:5] == [
        "api (nodejs)",
        "    s3:GetObject on * (narrow it down)",
        "        app/api/a/route.py:3 s3.get_object()",
        "    s3:ListBucket on arn:aws:s3:::b",
        "        app/api/a/route.py:3 s3.list_objects_v2()",
    ]
    (root / "pyproject.toml").write_text("\n".join(lines[lines.index("[tool.packager.stages.default]") :]))
    permissions = read(load(root), "dev").permissions
    assert permissions == (
        Permission(("s3:GetObject",), ("*",), ("api",)),
        Permission(("s3:ListBucket",), ("arn:aws:s3:::b",), ("api",)),
    )


def test_iam_of_one_route_as_json(write, packager):
    root = write(IAM)
    (row,) = json.loads(packager("why", root, "/api/b", "--iam", "--json").out)["functions"]
    assert (row["function"], row["statements"]) == ("api", [])
    assert "no calls of boto3 were found" in packager("why", root, "/api/b", "--iam").out


def test_nothing_asked_for_and_an_unknown_name_are_wrong_usage(write, packager):
    root = write(IAM)
    ended = packager("why", root)
    assert (ended.status, ended.out) == (2, "")
    assert "what is asked for is missing" in ended.err
    ended = packager("why", root, "nope", "--iam")
    assert (ended.status, ended.out) == (2, "")
    assert "The functions are api" in ended.err
