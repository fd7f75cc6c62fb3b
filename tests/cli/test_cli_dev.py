import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Ended


def test_without_its_debugger_inspect_says_how_to_get_it(
    packager: "Callable[..., Ended]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "app/api/x").mkdir(parents=True)
    (tmp_path / "app/api/x/route.py").write_text("def GET(): return {}\n")
    there = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "debugpy" else there(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    ended = packager("dev", tmp_path, "--inspect")
    assert (ended.status, ended.out) == (2, "")
    assert "pip install debugpy" in ended.err
