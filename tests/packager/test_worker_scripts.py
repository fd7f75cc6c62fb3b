"""The worker's scripts are made by real esbuild, in caches of the test's own."""

import shutil
from pathlib import Path

import pytest

from packager import pyodide
from packager.bundle import runtimes_folder
from packager.errors import ToolError
from packager.worker_scripts import SCRIPTS, worker_scripts

MODULES = runtimes_folder() / "edge_worker"


@pytest.fixture
def packages() -> Path:
    """Pyodide's files in the user's cache, and esbuild with them."""
    return pyodide.fetch(print)


def use_cache(folder: Path, packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(packages, folder / packages.name, symlinks=True)
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(folder))


def test_the_bytes_do_not_tell_where_the_tool_is_installed(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for place in ("one", "elsewhere/than/the/other"):
        source = shutil.copytree(MODULES, tmp_path / place / "modules")
        use_cache(tmp_path / place / "cache", packages, monkeypatch)
        folder = worker_scripts(source, print)
        made.append({name: (folder / name).read_bytes() for name in SCRIPTS})
    assert made[0] == made[1]


def test_a_module_that_is_no_javascript_is_an_error_with_its_line(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = shutil.copytree(MODULES, tmp_path / "modules")
    (source / "body.mjs").write_text("export const half =\n", encoding="utf-8")
    use_cache(tmp_path / "cache", packages, monkeypatch)
    with pytest.raises(ToolError, match=r"scripts could not be made: .*body\.mjs:2") as caught:
        worker_scripts(source, print)
    assert str(tmp_path / "cache") in caught.value.hint
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [packages.name]
