import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra import manifest
from packager.build import BuildResult, build, host_overlay, is_current
from packager.errors import DiagnosticsError, PackagerError, ProjectError, UsageError
from packager.resolve import host_platform

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Wheelhouse

GET = "def GET():\n    return {}\n"
EDGE = f'runtime = "edge"\n{GET}'
PYPROJECT = """\
[project]
name = "x"
dependencies = [{dependencies}]
[tool.packager]
include = [{include}]
[tool.packager.edge]
loader = "stock"
[tool.packager.environment]
variables = {{ GREETING = "hi" }}
"""


class Folder:
    """A project with one nodejs route, `/api/a`; `lines` are what builds reported."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lines: list[str] = []
        self.settings()
        self.write("app/api/a/route.py", GET)

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def settings(self, *dependencies: str, include: str = "") -> None:
        self.write(
            "pyproject.toml", PYPROJECT.format(dependencies=json.dumps(dependencies)[1:-1], include=include)
        )

    def build(self, out: Path | None = None, *, check: bool = True) -> BuildResult:
        self.lines.clear()
        return build(self.root, out, check=check, report=self.lines.append)

    @property
    def out(self) -> Path:
        return self.root / ".packager"

    def state(self) -> dict[str, str]:
        """The hash of each file of the output, without its cache."""
        return {
            path.relative_to(self.out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.out.rglob("*")
            if path.is_file() and "cache" not in path.parts[len(self.out.parts) :]
        }


@pytest.fixture
def folder(tmp_path: Path, wheelhouse: "Wheelhouse", hollow_pyodide: Path) -> Folder:
    wheelhouse.add("anyio")
    wheelhouse.add("starlette", "1.10.0", requires=("anyio",), files={"starlette/__init__.py": ""})
    wheelhouse.add("mangum", "0.22.0")
    wheelhouse.add("python-multipart", "0.0.30")
    return Folder(tmp_path / "project")


def test_the_output_holds_the_manifest_and_the_artifacts_it_describes(folder: Folder) -> None:
    folder.write("app/api/b/[id]/route.py", EDGE)
    folder.write("middleware.py", "def middleware(request):\n    pass\n")
    result = folder.build()
    assert manifest.read(folder.out) == result.manifest
    assert [(row.path, row.function) for row in result.manifest.routes] == [
        ("/api/a", "api"),
        ("/api/b/[id]", "edge"),
    ]
    assert [row.file for row in result.manifest.middleware] == ["middleware.py"]
    assert result.manifest.environment.values == {"GREETING": "hi"}
    api, edge = result.manifest.functions
    assert (api.target, api.artifact, api.handler) == (
        "lambda",
        "functions/api.zip",
        "runtimes.aws_lambda.handler",
    )
    assert (api.python, api.architecture, api.folder) == ("3.13", "arm64", None)
    assert (edge.target, edge.artifact, edge.handler) == ("lambda-edge", "edge/edge.zip", "index.handler")
    assert (edge.python, edge.architecture, edge.folder) == (None, None, "edge/edge")
    assert (edge.snap_start, api.snap_start) == (False, False)
    assert edge.snapshot
    assert (edge.snapshot.files, api.snapshot) == (("heap.bin",), None)
    assert [row.name for row in api.distributions] == ["anyio", "mangum", "python-multipart", "starlette"]
    for row in result.manifest.functions:
        content = (folder.out / row.artifact).read_bytes()
        assert (row.sha256, row.zip_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
        with zipfile.ZipFile(folder.out / row.artifact) as file:
            assert row.unpacked_bytes == sum(item.file_size for item in file.infolist())


def test_each_artifact_has_a_bill_of_its_materials(folder: Folder) -> None:
    folder.write("app/api/b/route.py", EDGE)
    for row in folder.build().manifest.functions:
        document = json.loads((folder.out / f"sbom/{row.name}.cdx.json").read_text())
        assert document["metadata"]["component"]["bom-ref"] == row.artifact
        names = {item["name"] for item in document["components"]}
        assert {item.name for item in row.distributions} < names
    folder.settings()
    (folder.root / "app/api/b/route.py").unlink()
    folder.build()
    assert [path.name for path in (folder.out / "sbom").iterdir()] == ["api.cdx.json"]


def test_two_folders_and_two_times_give_the_same_bytes(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Folder(tmp_path / "elsewhere" / "copy")
    for project in (other, folder):
        project.write("app/api/b/route.py", EDGE)
        project.build()
        # what one build left in the caches must not matter to the other
        monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "other-cache"))
    assert folder.state() == other.state()


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
    assert folder.lines == ["writing edge/edge.zip", "importing and freezing edge/edge"]
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


def test_a_change_during_the_build_is_not_missed_by_the_next(folder: Folder) -> None:
    def edit(line: str) -> None:
        if line.startswith("writing"):
            folder.write("app/api/a/route.py", GET + "# while it was built")

    build(folder.root, report=edit)
    assert not is_current(folder.root)


def test_another_output_folder_may_be_named_and_no_foreign_one(folder: Folder, tmp_path: Path) -> None:
    assert folder.build(tmp_path / "out").out == tmp_path / "out"
    assert is_current(folder.root, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    for place in (tmp_path / "mine", folder.root):
        with pytest.raises(UsageError):
            folder.build(place)
    assert (tmp_path / "mine/file").exists()


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


def test_a_secret_file_that_code_reads_is_a_warning_and_stays_out(folder: Folder) -> None:
    folder.write("app/api/a/route.py", f'open(".env")\n{GET}')
    folder.write(".env", "TOKEN=1")
    result = folder.build()
    assert [(row.rule, row.severity) for row in result.diagnostics] == [("secret-file", "warning")]
    with zipfile.ZipFile(folder.out / "functions/api.zip") as file:
        assert ".env" not in file.namelist()


def test_the_overlay_for_this_machine_has_the_same_versions(folder: Folder, wheelhouse: "Wheelhouse") -> None:
    tag = next(item for item in host_platform("3.13").tags if item.abi == "cp313")
    wheelhouse.add("fast", "1.0", tag="cp313-cp313-manylinux_2_28_aarch64")
    wheelhouse.add("fast", "1.0", tag=str(tag), files={"fast_here.py": ""})
    folder.settings("fast")
    folder.write("app/api/a/route.py", f"import fast\n{GET}")
    (function,) = folder.build(check=False).manifest.functions
    (overlay,) = host_overlay(folder.root, folder.out, function)
    assert (overlay / "fast_here.py").is_file()


def test_pure_functions_need_no_overlay(folder: Folder) -> None:
    (function,) = folder.build().manifest.functions
    assert host_overlay(folder.root, folder.out, function) == ()


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
