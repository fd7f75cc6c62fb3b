"""Fixtures of the tests that build artifacts without running anything in them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from project_folder import Folder

from packager import pyodide, snapshot

if TYPE_CHECKING:
    from conftest import Wheelhouse


@pytest.fixture(scope="session")
def fetched_pyodide() -> Path:
    """What the user's cache has of npm, for tests with a cache of their own: each would download it again."""
    return pyodide.fetch(print)


@pytest.fixture
def hollow_pyodide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetched_pyodide: Path) -> Path:
    """Stands for Pyodide's files, a download of 6 MB, and for the import of the app in them; gives their folder.

    What is frozen in truth is in test_snapshot.py.
    """
    folder = tmp_path / "pyodide"
    folder.mkdir()
    for name in pyodide.FILES:
        (folder / name).write_bytes(name.encode() * 10_000)

    def freeze(worker: snapshot.Worker, _entrypoints: Iterable[Any], **_options: Any) -> snapshot.Snapshot:
        (worker.folder / snapshot.HEAP).write_bytes(b"heap" * 10_000)
        return snapshot.Snapshot((snapshot.HEAP,), {})

    monkeypatch.setattr(pyodide, "fetch", lambda _report: fetched_pyodide)
    monkeypatch.setattr(pyodide, "prepare", lambda _report: folder)
    monkeypatch.setattr(snapshot, "freeze", freeze)
    return folder


@pytest.fixture
def folder(tmp_path: Path, wheelhouse: "Wheelhouse", hollow_pyodide: Path) -> Folder:
    """A project with one nodejs route, and wheels to build it with that cannot be imported."""
    wheelhouse.add("anyio")
    wheelhouse.add("starlette", "1.10.0", requires=("anyio",), files={"starlette/__init__.py": ""})
    wheelhouse.add("mangum", "0.22.0")
    wheelhouse.add("python-multipart", "0.0.30")
    return Folder(tmp_path / "project")
