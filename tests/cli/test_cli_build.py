import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

PROJECT = {
    "pyproject.toml": '[project]\nname = "x"\ndependencies = []\n',
    "app/api/a/route.py": "def GET():\n    return {}\n",
}
RUNTIME = ("anyio", "idna", "mangum", "python_multipart", "starlette", "typing_extensions")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in PROJECT.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No network: the runtime's distributions as they are installed here, in a folder, and empty caches."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in RUNTIME:
        installed = metadata.distribution(name)
        with zipfile.ZipFile(wheels / f"{name}-{installed.version}-py3-none-any.whl", "w") as file:
            for path in installed.files or ():
                if ".." not in path.parts and path.suffix != ".pyc":
                    file.write(str(path.locate()), path.as_posix())
    return {
        **os.environ,
        "PACKAGER_CACHE_DIR": str(tmp_path / "cache"),
        "UV_CACHE_DIR": str(tmp_path / "uv-cache"),
        "UV_FIND_LINKS": str(wheels),
        "UV_DEFAULT_INDEX": (tmp_path / "no-index").as_uri(),
    }


def packager(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "packager", "build", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_build_shows_its_steps_and_its_artifacts(project: Path, environment: dict[str, str]) -> None:
    first = packager(environment, project)
    assert first.returncode == 0, first.stderr
    assert first.stderr.splitlines()[0] == "resolving 3 requirements"
    assert "writing functions/api.zip" in first.stderr.splitlines()
    head, row, last = first.stdout.splitlines()
    assert head.split() == ["function", "runtime", "routes", "zip", "unpacked", "since", "last"]
    assert (row.split()[:3], row.split()[-1]) == (["api", "nodejs", "1"], "new")
    assert last == f"built {project / '.packager'}"
    second = packager(environment, project)
    assert (second.stderr, second.stdout.splitlines()[-1]) == ("", f"unchanged: {project / '.packager'}")


def test_no_cache_writes_what_is_current_anew(project: Path, environment: dict[str, str]) -> None:
    first = packager(environment, project, "--no-check", "--json")
    again = packager(environment, project, "--no-check", "--json", "--no-cache")
    assert again.stdout == first.stdout
    assert "writing functions/api.zip" in again.stderr.splitlines()
    assert not [line for line in again.stderr.splitlines() if line.startswith(("resolving", "downloading"))]


def test_json_is_the_manifest_and_nothing_else(
    project: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    result = packager(environment, project, "--json", "--out", tmp_path / "out")
    assert result.stdout == (tmp_path / "out/manifest.json").read_text()
    assert json.loads(result.stdout)["routes"][0]["path"] == "/api/a"


def test_errors_of_the_project_leave_with_1_and_build_nothing(
    project: Path, environment: dict[str, str]
) -> None:
    (project / "app/api/a/route.py").write_text("def GET(:\n")
    result = packager(environment, project)
    assert result.returncode == 1
    assert "syntax-error" in result.stderr
    assert "app/api/a/route.py:1" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (project / ".packager").exists()


def test_no_check_builds_in_spite_of_them(project: Path, environment: dict[str, str]) -> None:
    (project / "app/api/b").mkdir()
    (project / "app/api/b/route.py").write_text("import nowhere\n\ndef GET():\n    return {}\n")
    assert packager(environment, project).returncode == 1
    result = packager(environment, project, "--no-check")
    assert result.returncode == 0, result.stderr
    assert "unresolved-import" in result.stderr


def test_a_package_that_does_not_exist_is_named_with_its_line(
    project: Path, environment: dict[str, str]
) -> None:
    (project / "pyproject.toml").write_text(
        '[project]\nname = "x"\ndependencies = [\n    "no-such-package",\n]\n'
    )
    result = packager(environment, project)
    assert result.returncode == 1
    assert "pyproject.toml:4" in result.stderr
    assert "no-such-package was not found" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_network_leaves_with_3(project: Path, environment: dict[str, str]) -> None:
    refused = {
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "NO_PROXY": "127.0.0.1",
        "UV_HTTP_RETRIES": "0",
    }
    result = packager({**environment, "UV_FIND_LINKS": "", **refused}, project)
    assert result.returncode == 3
    assert "cannot be reached" in result.stderr
    assert "hint:" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_folder_that_is_no_project_is_wrong_usage(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "absent"):
        result = packager(environment, folder)
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
    assert not list((tmp_path / "empty").iterdir())
    assert not (tmp_path / "absent").exists()


def test_an_output_below_a_file_is_wrong_usage(
    project: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = packager(environment, project, "--out", tmp_path / "file/out")
    assert result.returncode == 2
    assert f"{tmp_path / 'file'} is a file, not a folder" in result.stderr


def test_an_artifact_that_lacks_a_module_fails_the_build_unless_it_is_not_to_be_checked(
    project: Path, environment: dict[str, str]
) -> None:
    (project / "app/api/a/route.py").write_text(
        "import importlib\nimportlib.import_module('not' + 'there')\ndef GET():\n    return {}\n"
    )
    result = packager(environment, project)
    assert result.returncode == 1
    assert "error[unresolved-import] app/api/a/route.py:2:1 No module named 'notthere'" in result.stderr
    assert not (project / ".packager/manifest.json").exists()
    assert packager(environment, project, "--no-check").returncode == 0
    assert packager(environment, project).returncode == 1
