"""A member of a uv workspace: found where uv finds it, locked by the workspace's lock."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from packager import fingerprint, lock, project_lock, resolve
from packager.errors import ProjectError
from packager.model import LambdaSettings, Project, Settings
from packager.workspace import shared_files, workspace_of

if TYPE_CHECKING:
    from conftest import Wheelhouse

PLATFORMS = (resolve.lambda_platform(LambdaSettings()), resolve.edge_platform())


def uv(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [lock.uv(), *words],
        cwd=folder,
        env=lock.uv_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def write_project(folder: Path, name: str, *lines: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    head = ["[project]", f'name = "{name}"', 'version = "1"', 'requires-python = ">=3.12"']
    (folder / "pyproject.toml").write_text("\n".join((*head, *lines)) + "\n", encoding="utf-8")


def write_workspace(folder: Path, members: str, exclude: str = "[]") -> None:
    write_project(folder, "root", "[tool.uv.workspace]", f"members = {members}", f"exclude = {exclude}")


@pytest.mark.parametrize(
    ("members", "exclude", "path"),
    [
        ('["services/*"]', "[]", "services/api"),
        ('["services/*"]', "[]", "services/shop/api"),
        ('["**"]', '["services"]', "services/api"),
        ('["libs/x", "./services/api/"]', "[]", "services/api"),
        ('["s[ea]rv*/a?i"]', "[]", "services/api"),
        ('["*"]', "[]", "services/api"),
        ('["services/*"]', '["services/api"]', "services/api"),
        ('["services/*/*"]', '["services/shop"]', "services/shop/api"),
        ('["services/*/*"]', '["services/*"]', "services/shop/api"),
    ],
)
def test_a_member_is_what_uv_takes_for_one(tmp_path: Path, members: str, exclude: str, path: str) -> None:
    top = tmp_path.resolve()
    write_workspace(top, members, exclude)
    write_project(top / path, "api")
    found = uv(top / path, "workspace", "dir")
    assert workspace_of(top / path) == (top if found == str(top) else None)


def test_the_nearest_project_above_decides(tmp_path: Path) -> None:
    write_workspace(tmp_path, '["services/**"]')
    write_project(tmp_path / "services" / "shop" / "api", "api")
    assert workspace_of(tmp_path / "services" / "shop" / "api") == tmp_path
    write_project(tmp_path / "services" / "shop", "shop")
    assert workspace_of(tmp_path / "services" / "shop" / "api") is None


@pytest.mark.parametrize(
    "own", ["[tool.uv]\nmanaged = false", "[tool.uv.workspace]\nmembers = []", "[broken"]
)
def test_a_project_of_its_own_is_no_member(tmp_path: Path, own: str) -> None:
    write_workspace(tmp_path, '["api"]')
    write_project(tmp_path / "api", "api", own)
    assert workspace_of(tmp_path / "api") is None
    assert shared_files(tmp_path / "api") == ()


@pytest.fixture
def member(tmp_path: Path, wheelhouse: "Wheelhouse") -> Project:
    """A project in a workspace whose lock holds another member too."""
    for name, version in (("core", "1.0"), ("extra", "1.0"), ("starlette", "1.10.0")):
        wheelhouse.add(name, version)
    top = (tmp_path / "top").resolve()
    write_workspace(top, '["services/*"]')
    write_project(top / "services" / "api", "api", 'dependencies = ["core"]')
    write_project(top / "services" / "jobs", "jobs", 'dependencies = ["extra"]')
    uv(top, "lock", "-q", "--python", sys.executable)
    for name in ("core", "extra"):
        wheelhouse.add(name, "9.0")
    return Project(top / "services" / "api", "api", "app", "", ("core",), Settings())


def versions(project: Project, *runtime: str) -> dict[str, str]:
    environments = {platform.name: platform.markers for platform in PLATFORMS}
    cache = project.root / ".packager" / "cache"
    found = project_lock.locked(project, runtime, cache, lambda _: None, environments=environments)
    return {row.name: str(row.version) for row in found.packages}


def test_a_member_gets_its_own_part_of_the_workspaces_lock(member: Project) -> None:
    assert project_lock.name_of(member.root) == "../../uv.lock"
    assert versions(member, "starlette") == {"core": "1.0", "starlette": "1.10.0"}


def test_what_the_workspaces_lock_lacks_is_told_with_its_path(member: Project) -> None:
    write_project(member.root, "api", 'dependencies = ["core>=2"]')
    changed = Project(member.root, "api", "app", "", ("core>=2",), Settings())
    with pytest.raises(ProjectError) as caught:
        versions(changed)
    assert caught.value.message == "../../uv.lock has core 1.0, and [project] dependencies ask for core>=2"
    assert "uv lock" in caught.value.hint


def test_another_lock_of_the_workspace_is_another_input_of_the_build(member: Project) -> None:
    before = fingerprint.inputs(member.root, ())
    assert before["../../uv.lock"]
    uv(member.root, "lock", "-q", "--upgrade", "--python", sys.executable)
    after = fingerprint.inputs(member.root, ())
    assert {name for name in after if after[name] != before[name]} == {"../../uv.lock"}
    assert versions(member) == {"core": "9.0"}
