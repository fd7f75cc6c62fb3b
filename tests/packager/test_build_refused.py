"""What stops a build, and that it then leaves everything as it was."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from project_folder import EDGE, GET, Folder

from packager.build import build, is_current
from packager.errors import DiagnosticsError, PackagerError, ProjectError, UsageError

if TYPE_CHECKING:
    from conftest import Wheelhouse


def test_errors_stop_the_build_before_anything_is_written(folder: Folder) -> None:
    folder.build()
    before = folder.state()
    folder.write("app/api/a/route.py", "def GET(:\n")
    with pytest.raises(DiagnosticsError) as caught:
        folder.build()
    assert [item.rule for item in caught.value.diagnostics] == ["syntax-error"]
    assert folder.state() == before
    assert sorted(path.name for path in folder.root.iterdir()) == [".packager", "app", "pyproject.toml"]


def test_without_check_errors_in_user_code_do_not_stop_it(folder: Folder) -> None:
    folder.write("app/api/b/route.py", f"import subprocess\n{EDGE}")
    with pytest.raises(DiagnosticsError):
        folder.build()
    result = folder.build(check=False)
    assert "banned-import" in {item.rule for item in result.diagnostics}
    assert is_current(folder.root)
    with pytest.raises(DiagnosticsError):
        folder.build()


def test_without_check_a_broken_tree_still_stops_it(folder: Folder) -> None:
    folder.write("app/api/(group)/a/route.py", GET)
    with pytest.raises(DiagnosticsError) as caught:
        folder.build(check=False)
    assert {item.rule for item in caught.value.diagnostics} == {"ambiguous-route"}


def test_an_import_that_no_dependency_provides_is_found_once_they_are_resolved(
    folder: Folder, wheelhouse: "Wheelhouse"
) -> None:
    wheelhouse.add("thing", files={"other_name.py": ""})
    folder.settings("thing")
    folder.write("app/api/a/route.py", f"import thing\n{GET}")
    with pytest.raises(DiagnosticsError) as caught:
        folder.build()
    assert [(item.rule, item.line) for item in caught.value.diagnostics] == [("unresolved-import", 1)]
    folder.write("app/api/a/route.py", f"import other_name\n{GET}")
    assert folder.build().changed


def test_a_native_package_on_edge_is_an_error_and_beside_it_none(
    folder: Folder, wheelhouse: "Wheelhouse"
) -> None:
    wheelhouse.add("fast", tag="cp313-cp313-manylinux_2_28_aarch64")
    folder.settings("fast")
    folder.write("app/api/a/route.py", f"import fast\n{GET}")
    folder.write("app/api/b/route.py", EDGE)
    assert [
        row.native for row in folder.build().manifest.functions[0].distributions if row.name == "fast"
    ] == [True]
    folder.write("app/api/b/route.py", f"import fast\n{EDGE}")
    with pytest.raises(DiagnosticsError) as caught:
        folder.build()
    assert [(item.rule, item.file) for item in caught.value.diagnostics] == [
        ("no-wasm-wheel", "app/api/b/route.py")
    ]


def test_a_project_without_routes_is_told_how_to_begin(folder: Folder) -> None:
    (folder.root / "app/api/a/route.py").unlink()
    with pytest.raises(ProjectError, match="no route in app/") as caught:
        folder.build()
    assert "route.py" in caught.value.hint


def test_an_interrupted_build_leaves_the_output_as_it_was(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.build()
    before = folder.state()
    folder.write("app/api/a/route.py", GET + "# more")

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(folder.root, report=interrupt)
    assert folder.state() == before
    assert sorted(path.name for path in folder.root.iterdir()) == [".packager", "app", "pyproject.toml"]


def test_another_output_folder_may_be_named_and_no_foreign_one(folder: Folder, tmp_path: Path) -> None:
    assert folder.build(tmp_path / "out").out == tmp_path / "out"
    assert is_current(folder.root, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    for place in (tmp_path / "mine", folder.root):
        with pytest.raises(UsageError):
            folder.build(place)
    assert (tmp_path / "mine/file").exists()


@pytest.mark.parametrize("missing", ["starlette", "nothing-like-it"])
def test_a_dependency_that_cannot_be_had_is_an_error_of_the_project(
    folder: Folder, wheelhouse: "Wheelhouse", missing: str
) -> None:
    for path in wheelhouse.folder.glob("starlette*"):
        path.unlink()
    folder.settings(missing)
    with pytest.raises(PackagerError, match=missing) as caught:
        folder.build()
    assert caught.value.exit_status == 1
    assert caught.value.place == "pyproject.toml:3"
