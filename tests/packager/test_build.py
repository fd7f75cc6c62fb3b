"""What a build writes."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from project_folder import EDGE, GET, Folder

from infra import manifest
from packager.build import host_overlay
from packager.resolve import host_platform

if TYPE_CHECKING:
    from conftest import Wheelhouse


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
