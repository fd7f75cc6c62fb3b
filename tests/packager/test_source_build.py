import io
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from packager import resolve, source_build
from packager.errors import ProjectError, ToolError
from packager.model import Project, Settings
from packager.site_packages import SitePackages

if TYPE_CHECKING:
    from conftest import Wheelhouse

ARM = "cp313-cp313-manylinux_2_28_aarch64"
BACKEND = """\
import os, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = f"old-1.0-{tag}.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as file:
        file.writestr("old.py", "secret = %r" % os.environ.get("SESSION_KEY"))
        file.writestr("old-1.0.dist-info/METADATA", "Metadata-Version: 2.2\\nName: old\\nVersion: 1.0\\n")
        file.writestr("old-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {tag}\\n")
        file.writestr("old-1.0.dist-info/RECORD", "")
    return name
"""
PYPROJECT = """\
[project]
name = "old"
version = "1.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def house(wheelhouse: "Wheelhouse") -> "Wheelhouse":
    for name, version in (("starlette", "1.10.0"), ("mangum", "0.22.0"), ("python-multipart", "0.0.30")):
        wheelhouse.add(name, version)
    return wheelhouse


def sdist(folder: Path, backend: str) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "backend.py": backend,
        "PKG-INFO": "Metadata-Version: 2.2\nName: old\nVersion: 1.0\n",
    }
    with tarfile.open(folder / "old-1.0.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            row = tarfile.TarInfo(f"old-1.0/{name}")
            row.size = len(text)
            archive.addfile(row, io.BytesIO(text.encode()))


def tagged(tag: str) -> str:
    return f"tag = {tag!r}\n{BACKEND}"


@pytest.fixture
def sites(tmp_path: Path) -> Callable[..., dict[str, SitePackages]]:
    def resolved(*, offline: bool = False, report: list[str] | None = None) -> dict[str, SitePackages]:
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        (root / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["old"]\n')
        project = Project(root, "x", "app", "", ("old",), Settings(build_from_source=("old",)))
        lines: list[str] = [] if report is None else report
        found = resolve.for_runtimes(project, {"edge", "nodejs"}, lines.append, offline=offline)
        return {str(runtime): site for runtime, site in found.items()}

    return resolved


type Sites = Callable[..., dict[str, SitePackages]]


def test_a_pure_package_is_built_once_for_both_platforms(
    house: "Wheelhouse", sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESSION_KEY", "a secret")
    sdist(house.folder, tagged("py3-none-any"))
    lines: list[str] = []
    found = sites(report=lines)
    assert found["edge"].distributions["old"].wheel == found["nodejs"].distributions["old"].wheel
    assert (found["edge"].distributions["old"].folder / "old.py").read_text() == "secret = None"
    assert lines.count("building old 1.0 with uv") == 1
    again: list[str] = []
    assert sites(report=again) == found
    assert again == []
    assert sites(offline=True) == found


def test_the_wheels_of_the_index_are_kept_beside_it(house: "Wheelhouse", sites: Sites) -> None:
    house.add("old", tag=ARM)
    sdist(house.folder, "raise SystemExit('not built: nodejs has a wheel')")
    lines: list[str] = []
    found = sites(report=lines)
    assert ARM in found["nodejs"].distributions["old"].wheel.filename
    assert "old" in found["edge"].absent
    assert any("Emscripten 5.0.3 (emcc) on the PATH" in line for line in lines)


def test_a_compiled_package_is_given_to_pyodide_build_where_emscripten_is(
    house: "Wheelhouse", sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("old", tag=ARM)
    sdist(house.folder, "")
    tools(tmp_path, monkeypatch, "#!/bin/sh\necho 'no such recipe' >&2\nexit 3\n")
    with pytest.raises(ProjectError, match=r"old-1\.0\.tar\.gz could not be built: no such recipe") as caught:
        sites()
    assert caught.value.place == "pyproject.toml:3"


def test_another_abi_of_pyodide_is_built_for_anew(
    house: "Wheelhouse", sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("old", tag=ARM)
    sdist(house.folder, "")
    wheel = tmp_path / f"old-1.0-cp314-cp314-{resolve.PYODIDE_TAG}.whl"
    shutil.copyfile(house.folder / f"old-1.0-{ARM}.whl", wheel)
    log = json.dumps(str(tmp_path / "log"))
    tools(tmp_path, monkeypatch, f'#!/bin/sh\necho built >> {log}\ncp {json.dumps(str(wheel))} "$4"\n')
    for _ in range(2):
        assert sites()["edge"].distributions["old"].wheel.filename == wheel.name
    assert (tmp_path / "log").read_text() == "built\n"
    monkeypatch.setattr(source_build, "PYODIDE_TAG", "pyemscripten_2027_0_wasm32")
    sites()
    assert (tmp_path / "log").read_text() == "built\nbuilt\n"


def test_a_builder_that_makes_nothing_is_an_error(
    house: "Wheelhouse", sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("old", tag=ARM)
    sdist(house.folder, "")
    tools(tmp_path, monkeypatch, f'#!/bin/sh\necho "$@" > {json.dumps(str(tmp_path / "words"))}\n')
    with pytest.raises(ProjectError, match="made 0 wheels"):
        sites()
    assert (tmp_path / "words").read_text().startswith("build --skip-emscripten-install --outdir ")


def test_a_build_that_fails_says_why(house: "Wheelhouse", sites: Sites) -> None:
    sdist(house.folder, "def build_wheel(*args, **more):\n    raise RuntimeError('no compiler here')\n")
    with pytest.raises(ProjectError, match="no compiler here"):
        sites()


def test_offline_nothing_is_built(
    house: "Wheelhouse", sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdist(house.folder, tagged("py3-none-any"))
    sites()
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(ToolError, match="old is not built yet"):
        sites(offline=True)


def tools(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A `pyodide` that runs `script`, for its faults, and an `emcc`, first on the PATH."""
    place = folder / "bin"
    place.mkdir()
    for name, text in (("pyodide", script), ("emcc", "#!/bin/sh\n")):
        (place / name).write_text(text)
        (place / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
