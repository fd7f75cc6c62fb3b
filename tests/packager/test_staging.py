from pathlib import Path

import pytest

from packager.errors import UsageError
from packager.staging import check_place, staged


def write(folder: Path, text: str) -> None:
    (folder / "functions").mkdir(parents=True)
    (folder / "functions/api.zip").write_text(text)
    (folder / "manifest.json").write_text(text)


def interrupted_in(folder: Path, error: BaseException) -> None:
    write(folder, "new")
    raise error


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / ".packager"
    write(folder, "old")
    (folder / "edge").mkdir()
    (folder / "cache").mkdir()
    (folder / "cache/kept").write_text("kept")
    (folder / "cdk.out").mkdir()
    return folder


def test_the_new_output_replaces_the_old_one_and_the_rest_survives(out: Path) -> None:
    with staged(out) as fresh:
        write(fresh, "new")
        assert (out / "manifest.json").read_text() == "old"
    assert (out / "manifest.json").read_text() == "new"
    assert (out / "cache/kept").read_text() == "kept"
    assert sorted(path.name for path in out.iterdir()) == ["cache", "cdk.out", "functions", "manifest.json"]
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_the_first_output_makes_its_parents(tmp_path: Path) -> None:
    with staged(tmp_path / "a/b") as fresh:
        write(fresh, "new")
    assert (tmp_path / "a/b/manifest.json").read_text() == "new"
    assert (tmp_path / "a/b").stat().st_mode & 0o055 == 0o055


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_build_leaves_the_old_output_and_nothing_else(out: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), staged(out) as fresh:
        interrupted_in(fresh, error)
    assert (out / "manifest.json").read_text() == "old"
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_an_interrupted_first_build_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), staged(tmp_path / "out") as fresh:
        interrupted_in(fresh, KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", range(1, 5))
def test_an_interruption_of_the_swap_itself_restores_the_old_output(
    out: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    rename, calls = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == call:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), staged(out) as fresh:
        write(fresh, "new")
    assert (out / "manifest.json").read_text() == "old"
    assert (out / "cache/kept").read_text() == "kept"
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_an_output_is_written_to_a_new_an_empty_or_a_former_output_folder(out: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (out, tmp_path / "empty", tmp_path / "new"):
        check_place(out.parent, folder)


def test_what_is_no_build_output_is_never_replaced(out: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    for folder in (tmp_path / "mine", tmp_path / "mine/thesis.tex"):
        with pytest.raises(UsageError, match="not the output of a build"):
            check_place(out.parent, folder)


def test_the_project_is_never_replaced(out: Path, tmp_path: Path) -> None:
    for folder in (out.parent, tmp_path):
        with pytest.raises(UsageError, match="holds the project itself"):
            check_place(out.parent, folder)
