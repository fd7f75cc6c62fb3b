import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packager import pyodide, targets
from packager.archive import Entry
from packager.bundle import Contents
from packager.errors import ProjectError

CONTENTS = Contents(
    name="edge",
    entries=(Entry("app/api/a/route.py", b"x = 1\n"), Entry("runtimes/__init__.py", b"")),
    distributions=(),
    entrypoints=(),
    loader="stock",
    strict=True,
    max_body_size=1000,
    max_duration=30,
    memory=256,
)


def test_each_target_is_found_by_its_name() -> None:
    assert {name: target.NAME for name, target in targets.registry().items()} == {
        "lambda": "lambda",
        "lambda-edge": "lambda-edge",
        "regional": "regional",
        "web-function": "web-function",
    }


@pytest.mark.parametrize(
    ("name", "runtime"), [("nowhere", "edge"), ("lambda", "edge"), ("lambda-edge", "nodejs")]
)
def test_a_target_that_does_not_run_the_routes_is_refused_with_those_that_do(name: str, runtime: str) -> None:
    with pytest.raises(ProjectError, match=f"no {runtime} target named '{name}'") as caught:
        targets.find(name, runtime)  # type: ignore[arg-type]
    assert ("lambda-edge" in caught.value.hint) == (runtime == "edge")


def test_the_edge_folder_holds_the_worker_pyodide_the_app_and_its_limits(
    hollow_pyodide: Path, tmp_path: Path
) -> None:
    made = targets.find("lambda-edge", "edge").bundle(CONTENTS, tmp_path / "out", lambda _: None)
    folder = tmp_path / "out/edge/edge"
    assert made.snapshot
    for name in pyodide.FILES:
        assert (folder / "pyodide" / name).read_bytes() == (hollow_pyodide / name).read_bytes()
    assert {"worker.mjs", "serve.mjs"} <= {path.name for path in folder.glob("*.mjs")}
    assert json.loads((folder / "worker.json").read_text()) == {
        "function": "edge",
        "max_body_size": 1000,
        "max_duration": 30,
        "memory": 256,
        "loader": "stock",
        "identity": made.snapshot.identity,
    }
    with zipfile.ZipFile(folder / "app.zip") as file:
        assert file.namelist() == ["app/api/a/route.py", "runtimes/__init__.py"]


@pytest.mark.parametrize(
    ("name", "handler", "entries"),
    [
        ("lambda-edge", "index.handler", {"index.mjs"}),
        ("regional", "index.handler", {"index.mjs"}),
        ("web-function", "index.js", {"index.js", "web_function.mjs"}),
    ],
)
def test_edge_targets_differ_in_what_the_platform_starts(
    hollow_pyodide: Path, tmp_path: Path, name: str, handler: str, entries: set[str]
) -> None:
    target = targets.find(name, "edge")
    target.bundle(CONTENTS, tmp_path / "out", lambda _: None)
    folder = tmp_path / "out/edge/edge"
    assert handler == target.HANDLER
    scripts = {path.name for path in folder.iterdir() if path.suffix in {".js", ".mjs", ".cjs"}}
    assert scripts == {"worker.mjs", "serve.mjs", "child.cjs"} | entries


def test_the_edge_zip_is_the_folder(hollow_pyodide: Path, tmp_path: Path) -> None:
    target = targets.find("lambda-edge", "edge")
    made = target.bundle(CONTENTS, tmp_path / "out", lambda _: None)
    folder = tmp_path / "out" / str(target.folder("edge"))
    path = tmp_path / "out" / target.artifact("edge")
    with zipfile.ZipFile(path) as file:
        inside = {name: file.read(name) for name in file.namelist()}
    assert inside == {
        item.relative_to(folder).as_posix(): item.read_bytes() for item in folder.rglob("*") if item.is_file()
    }
    assert made.written.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert made.written.unpacked == sum(len(content) for content in inside.values())


def test_two_edge_artifacts_of_equal_contents_are_equal(hollow_pyodide: Path, tmp_path: Path) -> None:
    target = targets.find("lambda-edge", "edge")
    one = target.bundle(CONTENTS, tmp_path / "one", lambda _: None)
    assert one == target.bundle(CONTENTS, tmp_path / "two", lambda _: None)


def test_the_identity_follows_what_is_frozen_and_not_the_limits(hollow_pyodide: Path, tmp_path: Path) -> None:
    def identity(name: str, **changed: Any) -> str:
        target = targets.find("lambda-edge", "edge")
        made = target.bundle(replace(CONTENTS, **changed), tmp_path / name, lambda _: None)
        assert made.snapshot
        return made.snapshot.identity

    first = identity("one")
    assert identity("two", memory=512, max_duration=5) == first
    assert identity("three", entries=(*CONTENTS.entries, Entry("x.txt", b"x"))) != first


def test_compiled_packages_are_not_frozen_by_pyodides_own_loader(
    hollow_pyodide: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    contents = replace(CONTENTS, entries=(Entry("fast.cpython-314-wasm32-emscripten.so", b"\0asm"),))
    made = targets.find("lambda-edge", "edge").bundle(contents, tmp_path / "out", lines.append)
    assert made.snapshot is None
    assert not (tmp_path / "out/edge/edge/heap.bin").exists()
    assert "cannot freeze compiled packages" in " ".join(lines)
