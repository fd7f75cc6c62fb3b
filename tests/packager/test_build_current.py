"""When the output of a build is current, and what of it the next build takes over."""

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from project_folder import EDGE, GET, Folder

from packager.build import build, is_current

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_second_build_does_nothing(folder: Folder) -> None:
    first = folder.build()
    before = {path: path.stat().st_mtime_ns for path in folder.out.rglob("*")}
    assert first.changed
    second = folder.build()
    assert (second.manifest, second.changed, folder.lines) == (first.manifest, False, [])
    assert {path: path.stat().st_mtime_ns for path in folder.out.rglob("*")} == before
    assert is_current(folder.root)


def test_a_build_with_nothing_to_do_imports_none_of_the_stages(folder: Folder) -> None:
    folder.build()
    code = (
        "import sys, pathlib, packager.build as b\n"
        "assert not b.build(pathlib.Path(sys.argv[1]), report=print).changed\n"
        "heavy = {'packaging', 'httpx', 'zipfile', 'rich', 'starlette', 'packager.check'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder.root)], check=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: folder.write("app/api/a/route.py", GET + "# more"),
        lambda folder: folder.write("app/api/c/route.py", GET),
        lambda folder: folder.write("lib.py", ""),
        lambda folder: folder.write(".env", "NAME=value"),
        lambda folder: folder.settings(include='"data/*"'),
        lambda folder: (folder.out / "functions/api.zip").unlink(),
        lambda folder: (folder.out / "manifest.json").write_text("{}"),
        lambda folder: (folder.out / "cache/build.json").write_text("{"),
    ],
    ids=[
        "source",
        "route",
        "module",
        "variables",
        "settings",
        "artifact gone",
        "manifest changed",
        "record damaged",
    ],
)
def test_what_changes_a_build_makes_the_output_stale(
    folder: Folder, change: "Callable[[Folder], object]"
) -> None:
    folder.write("data/x.txt", "x")
    folder.write("app/api/a/route.py", GET)
    folder.build()
    change(folder)
    assert not is_current(folder.root)
    assert folder.build().changed
    assert is_current(folder.root)


@pytest.mark.parametrize(
    "name", ["README.md", "tests/data.json", ".env.local", ".venv/lib/x.txt", "node_modules/x/y.py"]
)
def test_what_no_artifact_depends_on_leaves_the_output_current(folder: Folder, name: str) -> None:
    folder.build()
    folder.write(name, "")
    assert is_current(folder.root)


def test_included_data_makes_the_output_stale_when_it_changes_and_when_more_comes(folder: Folder) -> None:
    folder.settings(include='"data/*"')
    folder.write("data/x.txt", "x")
    folder.build()
    folder.write("data/x.txt", "y")
    assert not is_current(folder.root)
    folder.build()
    folder.write("data/y.txt", "y")
    assert not is_current(folder.root)


def test_an_artifact_whose_inputs_did_not_change_is_not_written_again(folder: Folder) -> None:
    folder.write("app/api/b/route.py", EDGE)
    folder.write("app/api/c/route.py", f"isolate = True\n{GET}")
    folder.build()
    before = folder.state()
    folder.write("app/api/b/route.py", EDGE + "# more")
    folder.build()
    assert [line for line in folder.lines if line.startswith("writing")] == ["writing edge/edge.zip"]
    after = folder.state()
    assert {name for name in after if after[name] != before[name]} == {
        "edge/edge.zip",
        "edge/edge/app.zip",
        "edge/edge/worker.json",
        "manifest.json",
        "sbom/edge.cdx.json",
    }


def test_a_damaged_artifact_is_not_reused(folder: Folder) -> None:
    folder.write("app/api/b/route.py", EDGE)
    folder.build()
    path = folder.out / "functions/api.zip"
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"?")
    folder.write("app/api/b/route.py", EDGE + "# more")
    folder.build()
    assert path.read_bytes() == good


def test_functions_that_are_gone_leave_nothing(folder: Folder) -> None:
    folder.write("app/api/b/route.py", EDGE)
    folder.build()
    (folder.root / "app/api/b/route.py").unlink()
    folder.build()
    assert set(folder.state()) == {
        ".gitignore",
        "functions/api.zip",
        "manifest.json",
        "sbom/api.cdx.json",
    }


def test_a_change_during_the_build_is_not_missed_by_the_next(folder: Folder) -> None:
    def edit(line: str) -> None:
        if line.startswith("writing"):
            folder.write("app/api/a/route.py", GET + "# while it was built")

    build(folder.root, report=edit)
    assert not is_current(folder.root)


def test_a_data_file_that_code_names_is_an_input_though_it_is_not_there_yet(folder: Folder) -> None:
    folder.write("app/api/a/route.py", f'files = ["texts"]\nX = "data/x.json"\nopen(X)\n{GET}')
    folder.write("texts/one.txt", "1")
    first = folder.build().manifest.functions[0].sha256
    assert is_current(folder.root)
    folder.write("data/x.json", "{}")
    assert not is_current(folder.root)
    second = folder.build().manifest.functions[0].sha256
    assert second != first
    folder.write("texts/two.txt", "2")
    assert folder.build().changed
    folder.write("data/unrelated.json", "{}")
    assert is_current(folder.root)
