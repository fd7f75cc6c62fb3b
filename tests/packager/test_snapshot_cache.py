"""A snapshot that was made before is taken from the cache, whole and undamaged, or made anew."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from edge_artifact import build_artifact, served, write_project

from packager import snapshot_cache
from packager.snapshot import Entrypoint, Snapshot, Worker

ROUTE = "STATE = object()\nprint('printed-while-imported')\n\n\ndef GET():\n    return {'place': id(STATE)}\n"
MADE = Snapshot(("heap.bin", "code.bin"), {"app/x/route.py": "it reads MODE"})


def test_an_equal_app_elsewhere_is_not_frozen_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_cache, "derived_dir", lambda: tmp_path / "cache")
    one, two = (
        build_artifact(write_project(tmp_path / name / "shop", {"app/api/x/route.py": ROUTE}), check=True)
        for name in ("one", "two")
    )
    title = "importing and freezing edge/edge"
    assert [made.lines.count(title) for made in (one, two)] == [1, 0]
    assert all("printed-while-imported" in made.lines for made in (one, two))
    assert one.function.snapshot == two.function.snapshot
    for file in ("heap.bin", "code.bin", "worker.json"):
        assert (one.folder / file).read_bytes() == (two.folder / file).read_bytes()
    with served(two.folder, tmp_path / "log") as server:
        assert server.get("/api/x").json()["place"] > 0
        assert server.log() == ""


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """A cache with one entry."""
    worker = tmp_path / "made"
    (worker / "libraries").mkdir(parents=True)
    for name in ("heap.bin", "code.bin", "libraries/0.wasm"):
        (worker / name).write_bytes(name.encode() * 1000)
    file = tmp_path / "cache" / "entry.zip"
    snapshot_cache.keep(file, worker, MADE, ["a line"])
    return file


def folder_for(tmp_path: Path) -> Path:
    folder = tmp_path / "worker"
    folder.mkdir()
    return folder


def test_an_entry_gives_back_all_that_was_kept(entry: Path, tmp_path: Path) -> None:
    folder = folder_for(tmp_path)
    assert snapshot_cache.taken(entry, folder) == (MADE, ["a line"])
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert set(files) == {"heap.bin", "code.bin", "libraries/0.wasm"}
    assert all(path.read_bytes() == name.encode() * 1000 for name, path in files.items())


def test_without_an_entry_there_is_none(tmp_path: Path) -> None:
    assert snapshot_cache.taken(tmp_path / "none.zip", folder_for(tmp_path)) is None


@pytest.mark.parametrize("place", [0, 40, 60, -30])
def test_a_damaged_entry_is_removed_and_nothing_of_it_used(entry: Path, tmp_path: Path, place: int) -> None:
    content = bytearray(entry.read_bytes())
    content[place] ^= 0xFF
    entry.write_bytes(content)
    folder = folder_for(tmp_path)
    assert snapshot_cache.taken(entry, folder) is None
    assert not entry.exists()
    assert list(folder.iterdir()) == []


def test_an_entry_that_is_cut_off_is_removed(entry: Path, tmp_path: Path) -> None:
    entry.write_bytes(entry.read_bytes()[:-100])
    assert snapshot_cache.taken(entry, folder_for(tmp_path)) is None
    assert not entry.exists()


def test_what_was_not_used_for_longest_is_removed_first(
    entry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [entry.with_name(f"{name}.zip") for name in ("old", "older", "oldest")]
    for age, other in enumerate(others, 1):
        other.write_bytes(entry.read_bytes())
        os.utime(other, (1_000_000 - age, 1_000_000 - age))
    assert snapshot_cache.taken(others[2], folder_for(tmp_path))
    monkeypatch.setattr(snapshot_cache, "MOST_BYTES", entry.stat().st_size * 3)
    snapshot_cache.bound(entry.parent)
    assert [path.exists() for path in (entry, *others)] == [True, True, False, True]


def test_the_key_changes_with_everything_that_a_snapshot_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, scripts = tmp_path / "artifact", tmp_path / "scripts"
    (folder / "pyodide").mkdir(parents=True)
    scripts.mkdir()
    for name in ("app.zip", "pyodide/python_stdlib.zip", "worker.json"):
        (folder / name).write_text(name)
    worker = Worker(folder, tmp_path / "runtime-1", scripts, "snapshot")
    rows = (Entrypoint("app/x/route.py", frozenset({"app/x/route.py"})),)

    def key(worker: Worker = worker, rows: tuple[Entrypoint, ...] = rows, *, strict: bool = True) -> str:
        return snapshot_cache.key_of(worker, rows, ["json"], strict=strict)

    found = [key(), key(strict=False), key(rows=(replace(rows[0], late="so"),))]
    found.append(key(replace(worker, runtime=tmp_path / "runtime-2")))
    (folder / "worker.json").write_text("{}")
    found.append(key())
    (folder / "app.zip").write_text("another app")
    found.append(key())
    (scripts / "heap.mjs").write_text("another heap")
    found.append(key())
    monkeypatch.setattr(snapshot_cache, "processor", lambda: ("another",))
    found.append(key())
    assert len(set(found)) == len(found)
    assert key() == found[-1]
