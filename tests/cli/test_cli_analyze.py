"""The distributions are stand-ins that no artifact could run with: hence `--no-check`."""

import json

import pytest

GET = "def GET():\n    return {}\n"


@pytest.fixture
def root(write, wheelhouse):
    for name, version in (("anyio", "1.0"), ("starlette", "1.10.0"), ("mangum", "0.22.0"), ("thing", "2.0")):
        wheelhouse.add(name, version)
    wheelhouse.add("python-multipart", "0.0.30")
    return write(
        {
            "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["thing"]\n',
            "app/api/a/route.py": f"import thing\n{GET}",
            "app/api/own/route.py": f"isolate = True\n{GET}",
        }
    )


def test_the_page_is_written_into_the_output_and_goes_with_the_next_build(root, packager):
    packager("build", root, "--no-check")
    ended = packager("analyze", root)
    file = root / ".packager/analysis.html"
    assert (ended.status, ended.out, ended.err) == (0, f"wrote {file}\n", "")
    assert file.read_text().startswith("<!doctype html>")
    (root / "app/api/a/route.py").write_text(f"{GET}# more\n")
    packager("build", root, "--no-check")
    assert not file.exists()


def test_the_page_may_be_written_elsewhere(root, packager, tmp_path):
    packager("build", root, "--no-check")
    assert packager("analyze", root, "--out", tmp_path / "new/page.html").status == 0
    assert (tmp_path / "new/page.html").is_file()
    assert not (root / ".packager/analysis.html").exists()


def test_json_is_one_document_with_the_tree_of_each_artifact(root, packager):
    packager("build", root, "--no-check")
    ended = packager("analyze", root, "--json")
    document = json.loads(ended.out)
    built = json.loads((root / ".packager/manifest.json").read_text())
    assert [(row["function"], row["tree"]["weight"]["zipped"]) for row in document["artifacts"]] == [
        (row["name"], row["zip_bytes"]) for row in built["functions"]
    ]
    parts = {row["name"]: row for row in document["artifacts"][0]["tree"]["children"]}
    assert parts["thing"]["why"] == ["app/api/a/route.py:1 import thing"]
    assert not (root / ".packager/analysis.html").exists()


def test_an_output_that_is_not_current_is_built_first(root, packager):
    packager("build", root, "--no-check")
    (root / "app/api/own/route.py").write_text("def GET(:\n")
    ended = packager("analyze", root)
    assert ended.status == 1
    assert "syntax-error" in ended.err


def test_json_and_a_page_together_are_wrong_usage(root, packager, tmp_path):
    assert packager("analyze", root, "--json", "--out", tmp_path / "page.html").status == 2
    assert not (root / ".packager").exists()


def test_the_table_of_a_build_tells_what_changed_and_why_a_function_is_there(root, packager):
    first = packager("build", root, "--no-check").out.splitlines()
    assert [line.split()[-1] for line in first[1:3]] == ["new", "new"]
    assert first[3] == "api-own: isolate = True gives it a function of its own"
    (root / "app/api/a/route.py").write_text(GET)
    (root / "app/api/own/route.py").unlink()
    second = packager("build", root, "--no-check").out.splitlines()
    assert second[1].split()[0] == "api"
    assert "changed, -" in second[1]
    assert second[2].split() == ["api-own", "nodejs", "removed"]
    third = packager("build", root, "--no-check").out.splitlines()
    assert third[1].split()[-1] == "unchanged"


def test_why_tells_bytes_once_it_is_built(root, packager):
    assert packager("why", root, "thing").out.splitlines()[1] == "in api (nodejs) 2.0"
    packager("build", root, "--no-check")
    line = packager("why", root, "thing").out.splitlines()[1]
    assert line.startswith("in api (nodejs) 2.0, ")
    assert " B of its zip, " in line
    document = json.loads(packager("why", root, "app/api/a/route.py", "--json").out)
    assert document["kind"] == "route"
    document = json.loads(packager("why", root, "thing", "--json").out)
    assert document["artifacts"][0]["weight"]["zipped"] > 0
    assert document["artifacts"][1]["weight"] is None
