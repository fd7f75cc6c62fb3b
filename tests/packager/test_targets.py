import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from packager import pyodide, targets
from packager.archive import Entry
from packager.bundle import Contents
from packager.errors import ProjectError

CONTENTS = Contents(
    name="edge",
    entries=(Entry("app/api/a/route.py", b"x = 1\n"), Entry("runtimes/__init__.py", b"")),
    max_body_size=1000,
    max_duration=30,
    memory=256,
)


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for Pyodide's files, which are a download of 6 MB."""
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "pyodide"
    folder.mkdir()
    (folder / "pyodide.asm.wasm").write_bytes(bytes(400_000))
    (folder / "pyodide.mjs").write_text("export {}\n")
    monkeypatch.setattr(pyodide, "prepare", lambda: folder)
    return folder


def test_each_target_is_found_by_its_name() -> None:
    assert {name: target.NAME for name, target in targets.registry().items()} == {
        "lambda": "lambda",
        "lambda-edge": "lambda-edge",
    }


@pytest.mark.parametrize(
    ("name", "runtime"), [("nowhere", "edge"), ("lambda", "edge"), ("lambda-edge", "nodejs")]
)
def test_a_target_that_does_not_run_the_routes_is_refused_with_those_that_do(name: str, runtime: str) -> None:
    with pytest.raises(ProjectError, match=f"no {runtime} target named '{name}'") as caught:
        targets.find(name, runtime)  # type: ignore[arg-type]
    assert ("lambda-edge" in caught.value.hint) == (runtime == "edge")


def test_the_edge_folder_holds_the_worker_pyodide_the_app_and_its_limits(
    prepared: Path, tmp_path: Path
) -> None:
    targets.find("lambda-edge", "edge").bundle(CONTENTS, tmp_path / "out")
    folder = tmp_path / "out/edge/edge"
    assert (folder / "pyodide/pyodide.mjs").read_bytes() == (prepared / "pyodide.mjs").read_bytes()
    assert {"worker.mjs", "serve.mjs"} <= {path.name for path in folder.glob("*.mjs")}
    assert json.loads((folder / "worker.json").read_text()) == {
        "function": "edge",
        "max_body_size": 1000,
        "max_duration": 30,
        "memory": 256,
    }
    with zipfile.ZipFile(folder / "app.zip") as file:
        assert file.namelist() == ["app/api/a/route.py", "runtimes/__init__.py"]


def test_the_edge_zip_is_the_folder(prepared: Path, tmp_path: Path) -> None:
    target = targets.find("lambda-edge", "edge")
    written = target.bundle(CONTENTS, tmp_path / "out")
    folder = tmp_path / "out" / str(target.folder("edge"))
    path = tmp_path / "out" / target.artifact("edge")
    with zipfile.ZipFile(path) as file:
        inside = {name: file.read(name) for name in file.namelist()}
    assert inside == {
        item.relative_to(folder).as_posix(): item.read_bytes() for item in folder.rglob("*") if item.is_file()
    }
    assert written.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert written.unpacked == sum(len(content) for content in inside.values())


def test_two_edge_artifacts_of_equal_contents_are_equal(prepared: Path, tmp_path: Path) -> None:
    target = targets.find("lambda-edge", "edge")
    assert target.bundle(CONTENTS, tmp_path / "one") == target.bundle(CONTENTS, tmp_path / "two")
