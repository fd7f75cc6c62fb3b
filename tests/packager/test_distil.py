"""The distilled runtime is made by real Node from Pyodide's real files, in a cache of the test's own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from packager import distil, pyodide
from packager.bundle import runtimes_folder
from packager.errors import ToolError

pytestmark = pytest.mark.long

WORKER = runtimes_folder() / "edge_worker"
ANCHOR = "assignWasmExports(wasmExports);updateGOT(origExports);"


@pytest.fixture
def usual() -> Path:
    """What is distilled in the user's cache, without libraries."""
    return distil.distilled((), WORKER, print)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that has Pyodide's files, downloaded and prepared, and no distilled runtime."""
    cache = tmp_path / "cache"
    for folder in (pyodide.fetch(print), pyodide.prepare(print)):
        shutil.copytree(folder, cache / folder.name, symlinks=True)
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(cache))
    return cache


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the scripts that distil, to be changed."""
    folder = shutil.copytree(pyodide.LOCK_FOLDER, tmp_path / "npm")
    monkeypatch.setattr(pyodide, "LOCK_FOLDER", folder)
    return folder


def runtimes_in(cache: Path) -> list[str]:
    """All that is in the cache beside Pyodide's own files."""
    return sorted(path.name for path in cache.iterdir() if not path.name.startswith("pyodide-"))


def test_what_was_distilled_once_is_taken_from_the_cache(usual: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in usual.iterdir()}
    lines: list[str] = []
    assert distil.distilled((), WORKER, lines.append) == usual
    assert lines == []
    assert {path: path.stat().st_mtime_ns for path in usual.iterdir()} == before


def test_the_runtime_is_a_fraction_of_pyodide(usual: Path) -> None:
    source = pyodide.fetch(print)
    assert (usual / distil.SCRIPT).stat().st_size < (source / "pyodide.asm.mjs").stat().st_size / 2
    assert (usual / distil.MODULE).stat().st_size < (source / "pyodide.asm.wasm").stat().st_size
    assert (usual / distil.RESTORED_MODULE).stat().st_size < (usual / distil.MODULE).stat().st_size


def test_two_processes_that_find_a_torn_runtime_and_distil_at_once_give_the_usual_bytes(
    usual: Path, own_cache: Path
) -> None:
    torn = shutil.copytree(usual, own_cache / usual.name)
    (torn / distil.MODULE).unlink()
    code = (
        "import sys; from pathlib import Path; from packager import distil; "
        "print(distil.distilled((), Path(sys.argv[1]), len))"
    )
    words = [sys.executable, "-c", code, str(WORKER)]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = {process.communicate()[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert folders == {str(torn)}
    assert runtimes_in(own_cache) == [usual.name]
    for file in usual.iterdir():
        assert file.read_bytes() == (torn / file.name).read_bytes(), file.name


def test_a_changed_script_makes_another_runtime(usual: Path, own_cache: Path, scripts: Path) -> None:
    with (scripts / "script.mjs").open("a") as script:
        script.write("// another version\n")
    lines: list[str] = []
    made = distil.distilled((), WORKER, lines.append)
    assert lines == ["making the edge runtime for apps without compiled packages, once: some 10 s"]
    assert made.parent == own_cache
    assert made.name != usual.name
    assert (made / distil.MODULE).read_bytes() == (usual / distil.MODULE).read_bytes()


def fails(cache: Path) -> ToolError:
    with pytest.raises(ToolError, match=f"distilled from Pyodide {pyodide.VERSION} cannot be used") as caught:
        distil.distilled((), WORKER, print)
    assert 'loader = "stock"' in caught.value.hint
    assert runtimes_in(cache) == []
    assert len(caught.value.message) < 5000
    return caught.value


def test_a_source_without_a_place_to_patch_is_refused_with_the_place(own_cache: Path) -> None:
    source = own_cache / f"pyodide-{pyodide.VERSION}" / "pyodide.asm.mjs"
    text = source.read_text(encoding="utf-8")
    assert text.count(ANCHOR) == 1
    # of the same length, so that the copy does not count as torn
    source.write_text(text.replace(ANCHOR, ANCHOR.replace("GOT", "Got")), encoding="utf-8", newline="")
    error = fails(own_cache)
    assert "the place to patch for linking of all exports is there 0 times, not 1" in error.message


def test_a_source_that_has_a_place_to_patch_twice_is_refused(own_cache: Path) -> None:
    source = own_cache / f"pyodide-{pyodide.VERSION}" / "pyodide.asm.mjs"
    again = f"/*{ANCHOR}*/".encode()
    os.truncate(source, source.stat().st_size - len(again))
    with source.open("ab") as file:
        file.write(again)
    assert "is there 2 times, not 1" in fails(own_cache).message


def test_a_runtime_that_does_something_else_than_pyodide_is_refused_with_both_results(
    own_cache: Path, scripts: Path
) -> None:
    probes = scripts / "probes.py"
    # Of all that Python can tell, a hash seed of its own is what the distilled runtime has and Pyodide has not.
    source = "\n\n@probe_of\ndef seeds() -> object:\n    return hash('packager')\n"
    probes.write_text(probes.read_text(encoding="utf-8") + source, encoding="utf-8")
    message = fails(own_cache).message
    assert "seeds: distilled " in message
    assert "seeds: restored " in message
    assert "arithmetic:" not in message


def test_a_runtime_whose_patch_breaks_it_is_refused(own_cache: Path, scripts: Path) -> None:
    script = scripts / "script.mjs"
    text = script.read_text(encoding="utf-8")
    # Every function is one place further in the table than the heap knows.
    broken = text.replace('return Module["replay"](', 'return 1+Module["replay"](')
    assert broken != text
    script.write_text(broken, encoding="utf-8")
    assert "RuntimeError: " in fails(own_cache).message
