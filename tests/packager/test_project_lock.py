import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.pylock import Pylock

from packager import lock, project_lock, resolve
from packager.errors import PackagerError, ProjectError
from packager.model import LambdaSettings, Project, Settings

if TYPE_CHECKING:
    from conftest import Wheelhouse

RUNTIME = ("mangum", "python-multipart", "starlette")
ARM = "cp313-cp313-manylinux_2_28_aarch64"
PLATFORMS = (resolve.lambda_platform(LambdaSettings()), resolve.edge_platform())
ENVIRONMENTS = {platform.name: platform.markers for platform in PLATFORMS}


@dataclass
class Folder:
    """A project whose dependencies and locks change; `lines` are what was reported."""

    root: Path
    lines: list[str]
    project: Project

    def ask(self, *dependencies: str, from_source: tuple[str, ...] = ()) -> None:
        rows = "".join(f'    "{row}",\n' for row in dependencies)
        self.write(
            "pyproject.toml",
            f'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.12"\ndependencies = [\n{rows}]\n',
        )
        settings = Settings(build_from_source=from_source)
        self.project = Project(self.root, "x", "app", "", dependencies, settings)

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, encoding="utf-8")

    def uv(self, *words: str) -> None:
        subprocess.run([lock.uv(), *words], cwd=self.root, env=lock.uv_environment(), check=True)

    def uv_lock(self) -> None:
        self.uv("lock", "-q", "--python", sys.executable)

    def pylock(self) -> None:
        self.uv(
            *("pip", "compile", "-q", "--universal", "--format", "pylock.toml"),
            *("pyproject.toml", "-o", "pylock.toml", "--python", sys.executable),
        )

    def locked(self, *runtime: str, offline: bool = False) -> Pylock:
        self.lines.clear()
        cache = self.root / ".packager" / "cache"
        return project_lock.locked(
            self.project, runtime, cache, self.lines.append, environments=ENVIRONMENTS, offline=offline
        )

    def versions(self, *runtime: str) -> dict[str, str]:
        return {row.name: str(row.version) for row in self.locked(*runtime).packages}

    def failure(self, *runtime: str) -> ProjectError:
        with pytest.raises(ProjectError) as caught:
            self.locked(*runtime)
        return caught.value


type Lock = Callable[[Folder], None]

LOCKS = pytest.mark.parametrize("make", [Folder.uv_lock, Folder.pylock], ids=["uv.lock", "pylock.toml"])


@pytest.fixture
def folder(tmp_path: Path, wheelhouse: "Wheelhouse") -> Folder:
    root = (tmp_path / "project").resolve()
    root.mkdir()
    wheelhouse.add("anyio", "4.0")
    wheelhouse.add("starlette", "1.10.0", requires=("anyio>=3",))
    wheelhouse.add("mangum", "0.22.0")
    wheelhouse.add("python-multipart", "0.0.30")
    wheelhouse.add("core", "1.0")
    return Folder(root, [], Project(root, "x", "app", "", (), Settings()))


@LOCKS
def test_the_versions_are_those_of_the_projects_lock_and_never_newer(
    folder: Folder, wheelhouse: "Wheelhouse", make: Lock
) -> None:
    folder.ask("core", "anyio")
    make(folder)
    for name in ("core", "anyio"):
        wheelhouse.add(name, "9.0")
    assert folder.versions(*RUNTIME) == {
        "anyio": "4.0",
        "core": "1.0",
        "mangum": "0.22.0",
        "python-multipart": "0.0.30",
        "starlette": "1.10.0",
    }
    assert folder.lines == ["resolving 3 requirements"]


@LOCKS
def test_a_lock_with_all_that_the_runtime_needs_is_not_resolved_again(folder: Folder, make: Lock) -> None:
    folder.ask("core", *RUNTIME)
    make(folder)
    assert set(folder.versions(*RUNTIME)) == {"core", "anyio", *RUNTIME}
    assert folder.lines == []


def test_uv_lock_is_taken_before_pylock(folder: Folder, wheelhouse: "Wheelhouse") -> None:
    folder.ask("core")
    folder.uv_lock()
    wheelhouse.add("core", "2.0")
    folder.pylock()
    assert folder.versions()["core"] == "1.0"
    (folder.root / "uv.lock").unlink()
    assert folder.versions()["core"] == "2.0"


def test_without_a_lock_the_dependencies_are_resolved(folder: Folder, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("core", "2.0")
    folder.ask("core")
    assert project_lock.name_of(folder.root) is None
    assert folder.versions() == {"core": "2.0"}


@LOCKS
def test_development_groups_and_the_project_itself_are_no_part(folder: Folder, make: Lock) -> None:
    folder.ask("core")
    text = (folder.root / "pyproject.toml").read_text()
    folder.write("pyproject.toml", f'{text}[dependency-groups]\ndev = ["anyio"]\n')
    make(folder)
    assert folder.versions() == {"core": "1.0"}


def test_a_lock_that_names_the_project_itself_serves(folder: Folder) -> None:
    folder.ask("core")
    folder.pylock()
    text = (folder.root / "pylock.toml").read_text()
    folder.write("pylock.toml", f'{text}\n[[packages]]\nname = "x"\ndirectory = {{ path = "." }}\n')
    assert folder.versions() == {"core": "1.0"}


@LOCKS
def test_a_requirement_that_the_lock_lacks_is_named_with_its_line_and_the_command(
    folder: Folder, make: Lock
) -> None:
    folder.ask("core")
    make(folder)
    folder.ask("core", "anyio")
    error = folder.failure()
    assert "has no anyio, which [project] dependencies ask for" in error.message
    assert error.place == "pyproject.toml:7"
    assert "`uv lock`" in error.hint or "--format pylock.toml" in error.hint


@LOCKS
def test_a_version_that_the_project_excludes_by_now_is_an_error(folder: Folder, make: Lock) -> None:
    folder.ask("core")
    make(folder)
    folder.ask("core>=2")
    assert "has core 1.0, and [project] dependencies ask for core>=2" in folder.failure().message


def test_a_requirement_of_other_platforms_need_not_be_in_the_lock(folder: Folder) -> None:
    folder.ask("core")
    folder.uv_lock()
    folder.ask("core", "anyio; sys_platform == 'win32'")
    assert folder.versions() == {"core": "1.0"}


def test_an_extra_that_the_lock_does_not_know_is_an_error(folder: Folder, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("thing", requires=("core; extra == 'more'",), extras=("more",))
    folder.ask("thing")
    folder.uv_lock()
    folder.ask("thing[more]")
    assert "thing without the extra more" in folder.failure().message
    folder.uv_lock()
    assert folder.versions() == {"core": "1.0", "thing": "1.0"}


@LOCKS
def test_a_locked_version_that_the_runtime_cannot_use_is_an_error_that_names_both(
    folder: Folder, wheelhouse: "Wheelhouse", make: Lock
) -> None:
    wheelhouse.add("starlette", "0.40.0")
    folder.ask("starlette<1")
    make(folder)
    error = folder.failure(*RUNTIME)
    assert "has starlette 0.40.0, and the runtime needs starlette" in error.message
    assert ">=1.10" in error.message


def test_what_the_runtime_needs_in_turn_never_changes_the_lock(
    folder: Folder, wheelhouse: "Wheelhouse"
) -> None:
    wheelhouse.add("anyio", "2.0")
    folder.ask("anyio<3")
    folder.uv_lock()
    error = folder.failure(*RUNTIME)
    assert all(word in error.message for word in ("uv.lock", "anyio==2.0", "starlette"))
    assert error.place == "uv.lock"
    assert "`uv lock`" in error.hint


def test_a_locked_package_that_the_runtime_needs_everywhere_is_there_everywhere(folder: Folder) -> None:
    folder.ask("anyio; sys_platform == 'win32'")
    folder.uv_lock()
    (anyio,) = (row for row in folder.locked(*RUNTIME).packages if row.name == "anyio")
    assert anyio.marker is None


def test_a_source_distribution_is_an_error_unless_the_project_builds_it(
    folder: Folder, wheelhouse: "Wheelhouse"
) -> None:
    folder.ask("core")
    folder.pylock()
    text = (folder.root / "pylock.toml").read_text()
    start, _, _ = text.partition("wheels = ")
    sdist = '{ url = "file:///core-1.0.tar.gz", hashes = { sha256 = "00" } }'
    folder.write("pylock.toml", f"{start}sdist = {sdist}\n")
    error = folder.failure()
    assert "pylock.toml has core as a source distribution" in error.message
    assert "build_from_source" in error.hint
    folder.ask("core", from_source=("core",))
    assert folder.versions() == {"core": "1.0"}


def test_wheels_without_a_sha256_are_an_error(folder: Folder) -> None:
    folder.ask("core")
    folder.pylock()
    text = (folder.root / "pylock.toml").read_text().replace("sha256", "md5")
    folder.write("pylock.toml", text)
    assert "pylock.toml has no SHA-256 for core-1.0" in folder.failure().message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", 'version = 99\nrequires-python = ">=3.12"\n'),
        ("uv.lock", "version = "),
        ("pylock.toml", 'lock-version = "9.0"\ncreated-by = "x"\npackages = []\n'),
        ("pylock.toml", "lock-version = "),
    ],
)
def test_an_unknown_version_or_a_damaged_lock_is_an_error_with_the_command(
    folder: Folder, name: str, text: str
) -> None:
    folder.ask()
    folder.write(name, text)
    error = folder.failure()
    assert name in error.message
    assert error.place == name
    assert "uv lock" in error.hint or "uv pip compile" in error.hint


def test_a_lock_for_another_python_is_an_error(folder: Folder) -> None:
    folder.ask("core")
    folder.uv_lock()
    text = (folder.root / "uv.lock").read_text()
    folder.write("uv.lock", text.replace(">=3.12", ">=3.14"))
    message = folder.failure().message
    assert "is for Python >=3.14, not for AWS Lambda (Python 3.13, arm64)" in message


def test_a_later_patch_of_the_target_is_the_target(folder: Folder) -> None:
    folder.ask("core")
    folder.pylock()
    text = (folder.root / "pylock.toml").read_text()
    folder.write("pylock.toml", re.sub("requires-python = .*", 'requires-python = ">=3.13.5"', text))
    assert folder.versions() == {"core": "1.0"}


def test_offline_only_what_earlier_calls_read_counts(folder: Folder) -> None:
    folder.ask("core")
    folder.uv_lock()
    with pytest.raises(PackagerError, match="not locked yet"):
        folder.locked(*RUNTIME, offline=True)
    first = folder.locked(*RUNTIME)
    assert folder.locked(*RUNTIME, offline=True) == first


def test_both_runtimes_use_the_lock(folder: Folder, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("fast", "1.0", tag=ARM)
    folder.ask("core", "fast")
    folder.uv_lock()
    wheelhouse.add("core", "2.0")
    sites = resolve.for_runtimes(folder.project, {"edge", "nodejs"}, folder.lines.append)
    assert {site.distributions["core"].wheel.version for site in sites.values()} == {"1.0"}
    assert sites["nodejs"].distributions["fast"].wheel.native
    assert sites["edge"].absent["fast"].version == "1.0"
