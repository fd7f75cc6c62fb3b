"""Fixtures of the tests that build edge artifacts without running anything in them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from packager import pyodide, snapshot


@pytest.fixture
def hollow_pyodide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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

    monkeypatch.setattr(pyodide, "prepare", lambda: folder)
    monkeypatch.setattr(snapshot, "freeze", freeze)
    return folder
