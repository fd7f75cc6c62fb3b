"""How the page gets what it is built with."""

import asyncio
from pathlib import Path

import pytest

from packager import node
from packager.console.library import MODULES, Library, fetch
from packager.errors import ToolError


def lay_out(target: Path) -> None:
    """The files of the packages, empty."""
    for file in MODULES.values():
        (target / "node_modules" / file).parent.mkdir(parents=True, exist_ok=True)
        (target / "node_modules" / file).touch()


def test_it_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def install(lock_folder: Path, target: Path) -> None:
        asked.append(lock_folder)
        lay_out(target)

    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(node, "install", install)
    folders = {fetch(), fetch()}
    assert (len(asked), len(folders)) == (1, 1)
    folder = folders.pop()
    assert folder.parent.name.startswith("npm-console-")
    assert all((folder / file).is_file() for file in MODULES.values())


def test_a_download_that_failed_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [ToolError("no network", hint="Connect."), None]

    def install(lock_folder: Path, target: Path) -> None:
        if error := answers.pop(0):
            raise error
        lay_out(target)

    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(node, "install", install)

    async def both() -> Path:
        library = Library()
        with pytest.raises(ToolError):
            await library.folder()
        first, second = await asyncio.gather(library.folder(), library.folder())
        assert first == second
        return first

    assert asyncio.run(both()).is_dir()
    assert answers == []
