import pytest

from packager.errors import UsageError
from packager.scaffold.placing import place, vacant

FILES = {"a.txt": "a", "app/[id]/b.txt": "ä\n"}


def found(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_new_folder_and_its_parents_are_made(tmp_path):
    place(FILES, tmp_path / "x" / "y")
    assert found(tmp_path) == {"x/y/a.txt", "x/y/app/[id]/b.txt"}
    assert (tmp_path / "x/y/app/[id]/b.txt").read_bytes() == "ä\n".encode()


@pytest.mark.parametrize("there", [(), (".git",)])
def test_an_empty_folder_is_taken_and_its_git_left_alone(tmp_path, there):
    for name in there:
        (tmp_path / name).mkdir()
    place(FILES, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*there, "a.txt", "app"}


def test_a_folder_with_anything_else_is_refused_untouched(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"is not empty: a\.txt"):
        place(FILES, tmp_path)
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert found(tmp_path) == {"a.txt"}


@pytest.mark.parametrize("name", ["file", "file/below", "link"])
def test_a_file_or_a_link_to_nowhere_is_refused(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(UsageError):
        vacant(tmp_path / name)


class Interrupting(dict):
    def items(self):
        yield from list(super().items())[:1]
        raise KeyboardInterrupt


@pytest.mark.parametrize("folder", ["new/folder", "there"])
def test_an_interruption_leaves_nothing_behind(tmp_path, folder):
    (tmp_path / "there").mkdir()
    with pytest.raises(KeyboardInterrupt):
        place(Interrupting(FILES), tmp_path / folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]
