from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from packager import lock, resolve
from packager.errors import ProjectError, ToolError
from packager.model import LambdaSettings, Project, Settings
from packager.site_packages import SitePackages

if TYPE_CHECKING:
    from conftest import Wheelhouse

type Make = Callable[..., Project]

NODEJS = resolve.lambda_platform(LambdaSettings())
EDGE = resolve.edge_platform()
WASM = "cp314-cp314-pyemscripten_2026_0_wasm32"
ARM = "cp313-cp313-manylinux_2_28_aarch64"


@pytest.fixture
def project(tmp_path: Path) -> Make:
    def make(*dependencies: str, text: str | None = None) -> Project:
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        rows = "".join(f'    "{row}",\n' for row in dependencies)
        (root / "pyproject.toml").write_text(text or f'[project]\nname = "x"\ndependencies = [\n{rows}]\n')
        return Project(root, "x", "app", "", dependencies, Settings())

    return make


def locked(project: Project, *runtime: str) -> "lock.Pylock":
    return lock.lock(project, runtime, project.root / ".packager" / "cache", lambda _: None)


def site(project: Project, platform: resolve.Platform = NODEJS) -> SitePackages:
    return resolve.site_packages(project, locked(project), platform, lambda _: None, naming=NODEJS)


def test_the_version_is_the_same_on_both_platforms_and_never_an_older_stub(
    project: Make, wheelhouse: "Wheelhouse"
) -> None:
    wheelhouse.add("core", "0.0.1")
    wheelhouse.add("core", "2.0", tag=ARM)
    native, edge = site(project("core")), site(project("core"), EDGE)
    assert native.distributions["core"].wheel.version == "2.0"
    assert dict(edge.distributions) == {}
    assert (edge.absent["core"].version, edge.absent["core"].modules) == ("2.0", ("core",))


def test_each_platform_gets_its_own_wheel_of_the_version(project: Make, wheelhouse: "Wheelhouse") -> None:
    for tag in (ARM, WASM, "cp313-cp313-macosx_11_0_arm64", "cp313-cp313-manylinux_2_38_aarch64"):
        wheelhouse.add("core", tag=tag)
    assert ARM in site(project("core")).distributions["core"].wheel.filename
    assert WASM in site(project("core"), EDGE).distributions["core"].wheel.filename
    assert site(project("core")).distributions["core"].wheel.native


def test_a_native_wheel_is_preferred_to_a_pure_one(project: Make, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("core")
    wheelhouse.add("core", tag="cp310-abi3-manylinux2014_aarch64")
    assert site(project("core")).distributions["core"].wheel.native
    assert not site(project("core"), EDGE).distributions["core"].wheel.native


def test_markers_and_extras_decide_what_is_required(project: Make, wheelhouse: "Wheelhouse") -> None:
    for name in ("always", "native", "wasm", "wanted", "unwanted"):
        wheelhouse.add(name)
    wheelhouse.add(
        "thing",
        requires=(
            "always",
            "native; sys_platform == 'linux'",
            "wasm; sys_platform == 'emscripten'",
            "thing[inner]; extra == 'outer'",
            "wanted; extra == 'inner'",
            "unwanted; extra == 'other'",
        ),
        extras=("outer", "inner", "other"),
    )
    chosen = project("thing[outer]")
    assert site(chosen).distributions["thing"].requires == ("always", "native", "wanted")
    assert site(chosen, EDGE).distributions["thing"].requires == ("always", "wanted", "wasm")
    assert "unwanted" not in site(chosen).distributions


def test_what_lacks_a_wheel_is_still_required(project: Make, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("core", tag=ARM)
    wheelhouse.add("thing", requires=("core",))
    assert site(project("thing"), EDGE).distributions["thing"].requires == ("core",)


def test_a_distribution_without_a_wheel_for_lambda_is_an_error_that_points_at_it(
    project: Make, wheelhouse: "Wheelhouse"
) -> None:
    wheelhouse.add("pure")
    wheelhouse.add("core", tag="cp313-cp313-macosx_11_0_arm64")
    chosen = project("pure", "core")
    error = resolve.incomplete(chosen, site(chosen))
    assert error is not None
    assert error.message.startswith("core 1.0 has no wheel for AWS Lambda")
    assert error.place == "pyproject.toml:5"


def test_the_overlay_holds_this_machines_wheels(project: Make, wheelhouse: "Wheelhouse") -> None:
    own = next(tag for tag in resolve.host_platform("3.13").tags if tag.abi == "cp313")
    wheelhouse.add("core", tag=ARM)
    wheelhouse.add("core", tag=str(own), files={"core_here.py": ""})
    wheelhouse.add("pure")
    chosen = project("core", "pure")
    folders = resolve.overlay(chosen, locked(chosen), LambdaSettings(), ["core"], lambda _: None)
    assert [(folder / "core_here.py").is_file() for folder in folders] == [True]


def test_there_is_no_overlay_where_the_artifacts_own_wheels_run(
    project: Make, wheelhouse: "Wheelhouse"
) -> None:
    wheelhouse.add("core")
    chosen = project("core")
    assert resolve.overlay(chosen, locked(chosen), LambdaSettings(), ["core"], lambda _: None) == ()


def test_a_second_lock_calls_no_uv(
    project: Make, wheelhouse: "Wheelhouse", monkeypatch: pytest.MonkeyPatch
) -> None:
    wheelhouse.add("core")
    first = locked(project("core"))
    monkeypatch.setattr("packager.lock.uv", lambda: "/nonexistent/uv")
    assert locked(project("core")) == first


@pytest.mark.parametrize("dependencies", [("core>=1",), ("core", "more")])
def test_other_requirements_are_locked_anew(
    project: Make, wheelhouse: "Wheelhouse", dependencies: tuple[str, ...]
) -> None:
    wheelhouse.add("core")
    wheelhouse.add("more")
    locked(project("core"))
    locked(project(*dependencies))
    assert len(list((project().root / ".packager/cache").iterdir())) == 2


def test_a_damaged_lock_is_made_anew(project: Make, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("core")
    first = locked(project("core"))
    file = next((project("core").root / ".packager/cache").iterdir())
    file.write_text("lock-version = ")
    assert locked(project("core")) == first


def test_the_runtimes_own_requirements_are_those_of_the_tool(project: Make, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("starlette", "1.10.5")
    wheelhouse.add("starlette", "2.0")
    (package,) = locked(project(), "starlette").packages
    assert (package.name, str(package.version)) == ("starlette", "1.10.5")


def test_an_unknown_package_is_named_with_its_line(project: Make, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("core")
    with pytest.raises(ProjectError, match="no-such-thing") as caught:
        locked(project("core", "no-such-thing>=1"))
    assert caught.value.place == "pyproject.toml:5"
    assert "\n" not in caught.value.message


def test_a_conflict_gives_uvs_reason(project: Make, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("starlette", "1.10.5")
    with pytest.raises(ProjectError, match=r"you require starlette<1"):
        locked(project("starlette<1"), "starlette")


def test_a_text_that_is_no_requirement_is_named_with_its_line(project: Make) -> None:
    with pytest.raises(ProjectError, match="'core=>1' is not a requirement") as caught:
        locked(project("core=>1"))
    assert caught.value.place == "pyproject.toml:4"


def test_a_source_distribution_alone_is_refused_with_a_way_out(
    project: Make, wheelhouse: "Wheelhouse"
) -> None:
    (wheelhouse.folder / "old-1.0.tar.gz").write_bytes(b"")
    with pytest.raises(ProjectError, match="old has only a source distribution") as caught:
        locked(project("old"))
    assert caught.value.place == "pyproject.toml:4"
    assert "build_from_source" in caught.value.hint
    assert "UV_FIND_LINKS" in caught.value.hint


def test_a_dependency_on_a_folder_is_refused(project: Make, wheelhouse: "Wheelhouse", tmp_path: Path) -> None:
    folder = tmp_path / "local"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "local"\nversion = "1"\n')
    with pytest.raises(ProjectError, match="local"):
        site(project(f"local @ {folder.as_uri()}"))


def test_no_network_is_not_the_projects_fault(
    project: Make, wheelhouse: "Wheelhouse", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(ToolError, match="cannot be reached") as caught:
        locked(project("core"))
    assert "offline" in caught.value.hint


def test_uv_gets_nothing_of_the_environment_that_it_does_not_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_KEY", "secret")
    monkeypatch.setenv("UV_OFFLINE", "1")
    given = lock.uv_environment()
    assert "SESSION_KEY" not in given
    assert (given["UV_OFFLINE"], given["UV_PYTHON_DOWNLOADS"]) == ("1", "never")


def both(project: Project) -> tuple[SitePackages, SitePackages]:
    sites = resolve.for_runtimes(project, {"edge", "nodejs"}, lambda _: None)
    return sites["nodejs"], sites["edge"]


def test_a_dependency_for_edge_alone_is_there_alone(project: Make, wheelhouse: "Wheelhouse") -> None:
    own(wheelhouse)
    wheelhouse.add("only", tag=WASM)
    native, edge = both(project("only; sys_platform == 'emscripten'"))
    assert "only" not in native.distributions | native.absent
    assert edge.distributions["only"].wheel.native


@pytest.mark.parametrize(
    "marker",
    ["python_full_version >= '3.14'", "platform_machine == 'wasm32'", "platform_system == 'Emscripten'"],
)
def test_markers_see_pyodide(project: Make, wheelhouse: "Wheelhouse", marker: str) -> None:
    own(wheelhouse)
    wheelhouse.add("core")
    native, edge = both(project(f"core; {marker}"))
    assert "core" not in native.distributions
    assert "core" in edge.distributions


def test_edge_never_gets_another_version_than_nodejs(project: Make, wheelhouse: "Wheelhouse") -> None:
    own(wheelhouse)
    wheelhouse.add("core", "1.0")
    wheelhouse.add("core", "2.0")
    wheelhouse.add(
        "thing", requires=("core<2; sys_platform == 'emscripten'", "core>=2; sys_platform != 'emscripten'")
    )
    native, edge = both(project("thing"))
    assert native.distributions["core"].wheel.version == "2.0"
    assert "core" not in edge.distributions
    assert (edge.absent["core"].version, edge.absent["core"].instead) == ("2.0", "1.0")


def test_versions_that_the_project_itself_splits_by_a_marker_are_meant(
    project: Make, wheelhouse: "Wheelhouse"
) -> None:
    own(wheelhouse)
    wheelhouse.add("core", "1.0")
    wheelhouse.add("core", "2.0", tag=ARM)
    native, edge = both(
        project("core<2; sys_platform == 'emscripten'", "core>=2; sys_platform != 'emscripten'")
    )
    assert native.distributions["core"].wheel.version == "2.0"
    assert edge.distributions["core"].wheel.version == "1.0"


def test_a_version_for_both_pythons_is_taken_before_two_newer_ones(
    project: Make, wheelhouse: "Wheelhouse"
) -> None:
    own(wheelhouse)
    wheelhouse.add("core", "1.0")
    wheelhouse.add("core", "2.0", requires_python=">=3.14")
    native, edge = both(project("core"))
    assert native.distributions["core"].wheel == edge.distributions["core"].wheel


def test_offline_only_what_is_here_already_counts(
    project: Make, wheelhouse: "Wheelhouse", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(wheelhouse)
    chosen = project()
    with pytest.raises(ToolError, match="not locked yet"):
        resolve.for_runtimes(chosen, {"edge"}, lambda _: None, offline=True)
    first = resolve.for_runtimes(chosen, {"edge"}, lambda _: None)
    assert resolve.for_runtimes(chosen, {"edge"}, lambda _: None, offline=True) == first
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(ToolError, match="not downloaded yet"):
        resolve.for_runtimes(chosen, {"edge"}, lambda _: None, offline=True)


def own(wheelhouse: "Wheelhouse") -> None:
    """What the runtimes themselves need."""
    for name, version in (("starlette", "1.10.0"), ("mangum", "0.22.0"), ("python-multipart", "0.0.30")):
        wheelhouse.add(name, version)
