import hashlib
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packager.archive import MAX_ENTRIES, Entry, unpack, write_zip
from packager.errors import ProjectError, ToolError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "cache"))


def made(path: Path, *names: str, mode: int = 0o644, content: bytes = b"x") -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.filename = name
            info.external_attr = mode << 16
            file.writestr(info, content)
    return path


def test_the_result_describes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    written = write_zip(path, [Entry("b.txt", b"bb"), Entry("a.txt", b"a")])
    assert written.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert written.size == path.stat().st_size
    assert written.unpacked == 3


def test_entries_are_sorted_with_fixed_times_and_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_zip(path, [Entry("b/run.sh", b"b", executable=True), Entry("ä.txt", b""), Entry("a.txt", b"a")])
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        rows = file.infolist()
    assert [row.filename for row in rows] == ["a.txt", "b/run.sh", "ä.txt"]
    assert {row.date_time for row in rows} == {(1980, 1, 1, 0, 0, 0)}
    assert [stat.filemode(row.external_attr >> 16) for row in rows] == [
        "-rw-r--r--",
        "-rwxr-xr-x",
        "-rw-r--r--",
    ]
    assert not any(row.extra for row in rows)


def test_equal_entries_give_equal_bytes_whatever_their_order_times_and_owners(tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_bytes(b"same" * 1000)
    first = write_zip(tmp_path / "a.zip", [Entry("x", source), Entry("y", b"y")])
    os.utime(source, (1, 1))
    source.chmod(0o600)
    second = write_zip(tmp_path / "b.zip", [Entry("y", b"y"), Entry("x", source)])
    assert first == second


def test_a_large_entry_is_deflated_once_and_the_same_from_the_cache(tmp_path: Path) -> None:
    content = os.urandom(200_000) * 2
    first = write_zip(tmp_path / "a.zip", [Entry("large", content)])
    (kept,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert hashlib.sha256(content).hexdigest() == kept.parent.name + kept.name
    time = kept.stat().st_mtime_ns
    assert write_zip(tmp_path / "b.zip", [Entry("large", content)]) == first
    assert kept.stat().st_mtime_ns == time
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        assert file.read("large") == content


def test_what_is_compressed_already_can_be_stored(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", [Entry("app.zip", bytes(100), stored=True)])
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        assert file.getinfo("app.zip").compress_type == zipfile.ZIP_STORED


def test_a_name_may_occur_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice"):
        write_zip(tmp_path / "a.zip", [Entry("a", b"1"), Entry("a", b"2")])


def test_more_entries_than_a_zip_can_count_are_refused(tmp_path: Path) -> None:
    entries = (Entry(str(number), b"") for number in range(MAX_ENTRIES + 1))
    with pytest.raises(ProjectError, match="65,536 files"):
        write_zip(tmp_path / "a.zip", entries)


def test_python_imports_from_what_was_written(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", [Entry("pkg/__init__.py", b""), Entry("pkg/mod.py", b"print('hello')")])
    command = [sys.executable, "-I", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import pkg.mod"]
    result = subprocess.run([*command, str(tmp_path / "a.zip")], capture_output=True, text=True, check=True)
    assert result.stdout == "hello\n"


@given(
    contents=st.dictionaries(
        st.from_regex(r"[a-zé]{1,5}(/[a-zé]{1,5}\.txt)", fullmatch=True), st.binary(max_size=300)
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_what_is_written_comes_back(
    contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    write_zip(folder / "a.zip", [Entry(name, content) for name, content in contents.items()])
    unpack(folder / "a.zip", folder / "out")
    found = {
        path.relative_to(folder / "out").as_posix(): path.read_bytes()
        for path in (folder / "out").rglob("*")
        if path.is_file()
    }
    assert found == contents


def test_unpacking_keeps_the_executable_bit_and_nothing_else(tmp_path: Path) -> None:
    unpack(made(tmp_path / "a.zip", "run", mode=stat.S_IFREG | 0o4777), tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out/run").stat().st_mode) == 0o755


def test_entries_can_be_placed_elsewhere_or_left_out(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", "keep/x", "drop/y")
    unpack(
        path, tmp_path / "out", place=lambda name: name.replace("keep", "kept") if "keep" in name else None
    )
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["kept"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "C:/x", "C:x", "a\\..\\x", ".."])
def test_paths_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ToolError, match="outside its folder"):
        unpack(made(tmp_path / "a.zip", name), tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    with pytest.raises(ToolError, match="link or a device"):
        unpack(made(tmp_path / "a.zip", "x", mode=kind | 0o777, content=b"/etc/passwd"), tmp_path / "out")


def test_contents_beyond_the_limit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="more than 1 MB"):
        unpack(made(tmp_path / "a.zip", "x", content=bytes(2**20 + 1)), tmp_path / "out", limit=2**20)
    assert not (tmp_path / "out").exists()


def test_a_size_that_lies_does_not_get_past_the_limit(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", [Entry("x", bytes(100_000))])
    raw = (tmp_path / "a.zip").read_bytes()
    lie = raw.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(lie)
    with pytest.raises(ToolError, match="not a readable zip"):
        unpack(tmp_path / "a.zip", tmp_path / "out", limit=1000)
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) <= 10


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_for_one_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="claim one path"):
        unpack(made(tmp_path / "a.zip", "x", "x"), tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(18) + b"tail"])
def test_damaged_archives_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content[:20])
    with pytest.raises(ToolError, match="not a readable zip"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
