import json
from pathlib import Path

import pytest

FASTAPI = """\
from fastapi import FastAPI, File, UploadFile

app = FastAPI()


@app.get("/hello/{name}")
def hello(name: str):
    return {"hello": name}


@app.post("/upload")
def upload(file: UploadFile = File()):
    return {}
"""


def test_a_project_in_a_new_folder_with_the_next_steps(packager, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = packager("init", "My Shop")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines()[-3:] == ["next:", "  cd 'My Shop'", "  packager dev"]
    assert 'name = "my-shop"' in (tmp_path / "My Shop/pyproject.toml").read_text()
    assert packager("check", "My Shop").status == 0


def test_without_a_folder_the_empty_one_is_taken(packager, tmp_path, monkeypatch):
    (tmp_path / "shop/.git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "shop")
    ended = packager("init", "--name", "other")
    assert (ended.status, ended.out.splitlines()[-2:]) == (0, ["next:", "  packager dev"])
    again = packager("init")
    assert (again.status, again.out) == (2, "")
    assert "is not empty" in again.err


def test_a_secret_is_made_for_each_project_and_not_for_git(packager, tmp_path):
    for name in ("a", "b"):
        assert packager("init", tmp_path / name, "--template", "full").status == 0
    keys = {(tmp_path / name / ".env.local").read_text() for name in ("a", "b")}
    assert len(keys) == 2
    assert ".env.local" in (tmp_path / "a/.gitignore").read_text()
    assert not any("packager-template" in path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_a_converted_app_and_what_was_not_moved(packager, tmp_path):
    file = tmp_path / "main.py"
    file.write_text(FASTAPI)
    ended = packager("init", tmp_path / "shop", "--from-fastapi", file)
    assert ended.status == 0
    assert "1 of 2 handlers moved" in ended.out
    assert "not moved: main.py:12: POST /upload: file: uploaded files are read from" in ended.out
    assert "POST /upload" in (tmp_path / "shop/MIGRATION.md").read_text()
    document = json.loads(packager("init", tmp_path / "b", "--from-fastapi", file, "--json").out)
    assert [row["place"] for row in document["not_moved"]] == ["main.py:12"]
    assert "app/hello/[name]/route.py" in document["files"]


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("def f(:\n", 1, "main.py:1 this is not Python"),
        ("x = 1\n", 2, "has no FastAPI routes"),
        (
            "from fastapi import FastAPI\napp = FastAPI()\n\n\n@app.websocket('/')\ndef f(): ...\n",
            2,
            "no FastAPI",
        ),
        (FASTAPI.replace("name: str", "name: UploadFile"), 1, "none of the 2 handlers can be moved"),
    ],
)
def test_a_file_that_gives_no_project_leaves_none(packager, tmp_path: Path, text, status, said):
    (tmp_path / "main.py").write_text(text)
    ended = packager("init", tmp_path / "shop", "--from-fastapi", tmp_path / "main.py")
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err
    assert not (tmp_path / "shop").exists()


def test_wrong_usage(packager, tmp_path):
    both = packager("init", tmp_path / "x", "--template", "full", "--from-chalice", "app.py")
    assert (both.status, "exclude each other" in both.err) == (2, True)
    assert packager("init", tmp_path / "x", "--from-chalice", tmp_path / "none.py").status == 2
    assert packager("init", tmp_path / "x", "--name", "a b").status == 2
    assert not (tmp_path / "x").exists()


def test_the_next_steps_work_for_a_folder_that_looks_like_an_option(packager, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "  cd ./-shop\n" in packager("init", "--", "-shop").out
