from pathlib import Path

import platformdirs
import pytest

from packager.cache import cache_dir, derived_dir, without_derived


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "here"))
    assert cache_dir() == tmp_path / "here"


def test_a_relative_name_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PACKAGER_CACHE_DIR", "here")
    assert cache_dir() == tmp_path / "here"


def test_without_it_the_platform_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGER_CACHE_DIR", "")
    assert cache_dir() == platformdirs.user_cache_path("packager", appauthor=False)


def test_what_builds_make_lies_in_the_same_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "here"))
    assert derived_dir() == cache_dir()


def test_without_what_builds_made_there_is_an_empty_folder_that_vanishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "here"))
    with without_derived():
        folder = derived_dir()
        assert not list(folder.iterdir())
        assert cache_dir() == tmp_path / "here"
    assert not folder.exists()
    assert derived_dir() == tmp_path / "here"
