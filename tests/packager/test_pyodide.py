import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from packager import pyodide
from packager.errors import ToolError
from packager.precompile import precompile


@pytest.fixture
def usual() -> Path:
    """What is prepared in the user's cache."""
    return pyodide.prepare(print)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own that already has the downloaded files; npm would find no registry."""
    downloaded = pyodide.fetch(print)
    cache = tmp_path / "cache"
    shutil.copytree(downloaded, cache / downloaded.name)
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(cache))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    return cache


def test_the_lock_pins_this_version_by_integrity_and_names_no_address() -> None:
    lock = json.loads((pyodide.LOCK_FOLDER / "package-lock.json").read_text())
    packages = {name: row for name, row in lock["packages"].items() if name}
    assert packages["node_modules/pyodide"]["version"] == pyodide.VERSION
    assert all(row["integrity"].startswith("sha512-") for row in packages.values())
    assert not any("resolved" in row for row in packages.values())


def test_what_was_downloaded_once_needs_no_network(own_cache: Path) -> None:
    lines: list[str] = []
    assert pyodide.fetch(lines.append) == own_cache / f"pyodide-{pyodide.VERSION}"
    assert lines == []


def test_a_torn_download_is_got_again_and_without_network_an_error(own_cache: Path) -> None:
    lines: list[str] = []
    (own_cache / f"pyodide-{pyodide.VERSION}" / "pyodide.asm.wasm").write_bytes(b"half")
    with pytest.raises(
        ToolError, match=rf"Pyodide {pyodide.VERSION} is not here yet.*ECONNREFUSED"
    ) as caught:
        pyodide.fetch(lines.append)
    assert lines == [f"downloading Pyodide {pyodide.VERSION}, once"]
    assert caught.value.hint
    assert [path.name for path in own_cache.iterdir()] == [f"pyodide-{pyodide.VERSION}"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(ToolError, match="cannot be written") as caught:
        pyodide.fetch(print)
    assert "PACKAGER_CACHE_DIR" in caught.value.hint


def test_the_shell_is_patched_out_and_every_patch_must_match_once() -> None:
    source = (pyodide.fetch(print) / "pyodide.asm.mjs").read_text(encoding="utf-8")
    text = pyodide.patched(source)
    assert "process.binding" not in text
    assert "command>>>=0;if(false){" in text
    for other in (text, source + source):
        with pytest.raises(ToolError, match=r"the place to patch for os\.system"):
            pyodide.patched(other)


def test_two_processes_that_prepare_at_once_agree_and_give_the_usual_bytes(
    usual: Path, own_cache: Path
) -> None:
    words = [sys.executable, "-c", "from packager import pyodide; print(pyodide.prepare(len))"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {process.communicate()[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert folders == {str(own_cache / usual.name)}
    assert len(list(own_cache.iterdir())) == 2
    for file in usual.iterdir():
        assert file.read_bytes() == (own_cache / usual.name / file.name).read_bytes(), file.name


def test_modules_are_replaced_by_bytecode_that_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "sources.zip", "w") as archive:
        archive.writestr("precompiled_package/__init__.py", "from precompiled_package.inner import value")
        archive.writestr("precompiled_package/inner.py", "value = 42")
        archive.writestr("precompiled_package/data.txt", "text")
    target = tmp_path / "compiled.zip"
    precompile(str(tmp_path / "sources.zip"), str(target))
    names = [
        "precompiled_package/__init__.pyc",
        "precompiled_package/inner.pyc",
        "precompiled_package/data.txt",
    ]
    assert zipfile.ZipFile(target).namelist() == names
    monkeypatch.syspath_prepend(str(target))
    import precompiled_package  # noqa: PLC0415

    assert precompiled_package.value == 42
