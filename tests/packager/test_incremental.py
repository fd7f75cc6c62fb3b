"""One changed file rebuilds one artifact, and nothing else is written.

The distributions are stand-ins that no artifact could run with: hence `check=False`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from packager.build import build, is_current
from packager.errors import ProjectError

if TYPE_CHECKING:
    from conftest import Wheelhouse, Write

GET = "def GET():\n    return {}\n"
NAMES = ("a", "b", "c")


@pytest.fixture
def root(write: "Write", wheelhouse: "Wheelhouse") -> Path:
    """A project with three functions of their own, of which two import the same module."""
    wheelhouse.add("starlette", "1.10.0", files={"starlette/__init__.py": ""})
    wheelhouse.add("mangum", "0.22.0")
    wheelhouse.add("python-multipart", "0.0.30")
    routes = {f"app/api/{name}/route.py": f"isolate = True\n{GET}" for name in NAMES}
    shared = {f"app/api/{name}/route.py": f"import shared\nisolate = True\n{GET}" for name in "ab"}
    return write(
        {"pyproject.toml": '[project]\nname = "x"\ndependencies = []\n', "shared.py": "", **routes, **shared}
    )


def made(root: Path, *, cached: bool = True) -> tuple[dict[str, int], list[str]]:
    """Build; gives the inode of each artifact and the lines that were reported."""
    lines: list[str] = []
    result = build(root, check=False, cached=cached, report=lines.append)
    rows = {row.artifact: (result.out / row.artifact).stat().st_ino for row in result.manifest.functions}
    return rows, [line for line in lines if line.startswith("writing")]


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {name for name in after if after[name] != before.get(name)}


def test_one_changed_route_writes_one_artifact_and_the_others_are_the_same_files(root: Path) -> None:
    before, _ = made(root)
    assert len(before) == len(NAMES)
    file = root / "app/api/c/route.py"
    file.write_text(file.read_text() + "# more\n")
    after, lines = made(root)
    (name,) = changed(before, after)
    assert lines == [f"writing {name}"]


def test_a_shared_module_writes_the_artifacts_that_import_it(root: Path) -> None:
    before, _ = made(root)
    (root / "shared.py").write_text("x = 1\n")
    after, lines = made(root)
    assert len(changed(before, after)) == len(lines) == 2


def test_another_time_stamp_writes_nothing(root: Path) -> None:
    before, _ = made(root)
    for file in root.rglob("*.py"):
        file.touch()
    assert made(root) == (before, [])


def test_a_change_that_is_undone_gives_the_first_bytes(root: Path) -> None:
    build(root, check=False, report=lambda _: None)
    artifacts = root / ".packager/functions"
    first = {file.name: file.read_bytes() for file in artifacts.iterdir()}
    text = (root / "shared.py").read_text()
    (root / "shared.py").write_text("x = 1\n")
    made(root)
    (root / "shared.py").write_text(text)
    made(root)
    assert {file.name: file.read_bytes() for file in artifacts.iterdir()} == first


def test_no_cache_writes_every_artifact_anew_with_the_same_bytes(root: Path) -> None:
    first = build(root, check=False, report=lambda _: None)
    before, _ = made(root)
    lines: list[str] = []
    second = build(root, check=False, cached=False, report=lines.append)
    assert [line.split()[0] for line in lines] == ["writing"] * len(NAMES)
    assert second.changed
    assert second.manifest == first.manifest
    after, lines = made(root)
    assert changed(before, after) == set(before)
    assert lines == []


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml"])
def test_a_lock_is_an_input_from_its_first_day(root: Path, name: str) -> None:
    made(root)
    (root / name).write_text("nothing of a lock")
    assert not is_current(root)
    with pytest.raises(ProjectError, match=name):
        made(root)


def test_a_second_build_that_finds_its_artifacts_damaged_writes_them_anew(root: Path) -> None:
    before, _ = made(root)
    name = min(before)
    (root / ".packager" / name).write_bytes(b"damaged")
    after, lines = made(root)
    assert lines == [f"writing {name}"]
    assert changed(before, after) <= {name}
