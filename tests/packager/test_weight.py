import zipfile
from pathlib import Path

import pytest

from packager.archive import Entry, write_zip
from packager.errors import ToolError
from packager.model import Distribution, Wheel
from packager.weight import Piece, Weight, by_distribution, owners, pieces, sum_of


def distribution(folder: Path, name: str, *files: str) -> Distribution:
    for file in files:
        (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / file).write_text(f"# {name}\n")
    wheel = Wheel(name, "1.0", f"{name}-1.0-py3-none-any.whl", "file:///x", "0" * 64)
    return Distribution(wheel, folder / name, (name,), ())


def test_the_shares_of_all_files_add_up_to_the_zip(tmp_path: Path) -> None:
    rows = [Entry(f"a/{index}é.py", b"x = 1\n" * index) for index in range(50)]
    written = write_zip(tmp_path / "a.zip", rows)
    found = pieces(tmp_path / "a.zip")
    assert sum_of(item.weight for item in found) == Weight(written.size, written.unpacked)
    assert found[-1] == Piece(None, None, Weight(22, 0))


def test_the_files_of_the_archive_within_an_edge_artifact_count_as_such(tmp_path: Path) -> None:
    write_zip(tmp_path / "app.zip", [Entry("lib.py", b"x = 1\n" * 100)])
    outer = [Entry("app.zip", tmp_path / "app.zip", stored=True), Entry("index.mjs", b"export {};\n")]
    written = write_zip(tmp_path / "edge.zip", outer)
    found = pieces(tmp_path / "edge.zip")
    assert sum_of(item.weight for item in found).zipped == written.size
    names = {(item.archive, item.name) for item in found}
    assert names == {(None, "index.mjs"), (None, None), ("app.zip", "lib.py"), ("app.zip", None)}


@pytest.mark.parametrize("name", ["a/__pycache__/b.cpython-313.pyc", "a/b.pyc", "a/b.py"])
def test_bytecode_counts_as_its_source(tmp_path: Path, name: str) -> None:
    write_zip(tmp_path / "a.zip", [Entry(name, b"x")])
    assert pieces(tmp_path / "a.zip")[0].name == "a/b.py"


def test_a_file_belongs_to_the_distribution_that_brought_it(tmp_path: Path) -> None:
    one = distribution(tmp_path, "one", "one/__init__.py", "shared/__init__.py")
    two = distribution(tmp_path, "two", "two.py", "shared/__init__.py")
    belongs = owners([one, two])
    assert (belongs["one/__init__.py"], belongs["two.py"]) == ("one", "two")
    assert belongs["shared/__init__.py"] == "one"


def test_distributions_come_the_heaviest_first_with_their_bytecode(tmp_path: Path) -> None:
    rows = [distribution(tmp_path, "small", "small.py"), distribution(tmp_path, "large", "large.py")]
    entries = [
        Entry("large.py", b"x"),
        Entry("__pycache__/large.cpython-313.pyc", b"1234"),
        Entry("small.py", b"x"),
        Entry("app/route.py", b"x" * 1000),
    ]
    write_zip(tmp_path / "a.zip", entries)
    found = by_distribution(tmp_path / "a.zip", rows)
    assert list(found) == ["large", "small"]
    assert found["large"].unpacked == 5


def test_what_is_no_zip_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no zip")
    for path in (tmp_path / "a.zip", tmp_path / "absent.zip"):
        with pytest.raises(ToolError) as caught:
            pieces(path)
        assert caught.value.place == str(path)


def test_the_shares_hold_for_zips_of_other_tools_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.py", "x" * 1000)
        file.comment = b"made elsewhere"
    found = pieces(tmp_path / "a.zip")
    assert sum_of(item.weight for item in found).zipped == (tmp_path / "a.zip").stat().st_size
