"""Outside the repository: the wheel that users install, and the README's first project."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from serving import serving

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "uv",
        "build",
        "--wheel",
        "--python",
        sys.executable,
        "--no-build-isolation",
        "--out-dir",
        str(folder),
    ]
    environment = {**os.environ, "VIRTUAL_ENV": sys.prefix, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("packager-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel's files in a folder of their own, before this checkout on the path."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return {"PYTHONPATH": str(folder)}


def test_the_wheel_has_the_worker_the_locks_and_the_types(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        *("packager/py.typed", "runtimes/py.typed", "infra/py.typed"),
        *("packager/npm/package.json", "packager/npm/package-lock.json", "packager/data/edge_modules.toml"),
        *(f"runtimes/edge_worker/{name}.mjs" for name in ("worker", "serve", "lambda_edge")),
        *("infra/viewer_request.js", "packager/preview/node_host.mjs"),
        *("packager/console/page/index.html", "packager/console/npm/package-lock.json"),
        *("packager/npm/types/package-lock.json", "packager/npm/api_page/package-lock.json"),
        *(f"packager/scaffold/projects/{name}/.gitignore" for name in ("minimal", "full")),
    } <= names
    assert not any(name.startswith(("tests/", "sample_app/", "docs/")) for name in names)


def test_the_wheel_tells_pytest_of_its_plugin_and_the_plugin_of_the_reader(wheel):
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/entry_points.txt")]
        text = archive.read(name).decode()
    assert "runtimes = runtimes.testing.plugin" in text
    assert "project = packager.tested_project:read" in text


def test_the_readmes_first_project_works_from_the_wheel(installed, tmp_path):
    readme = (ROOT / "README.md").read_text()
    section = readme[readme.index("## A first project") :]
    file = re.search(r"a second one, `(app/\S+/route\.py)`", section)[1]
    project = tmp_path / "shop"

    def packager(*arguments):
        command = [sys.executable, "-m", "packager", *arguments]
        environment = {**os.environ, **installed}
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
        )

    where = [sys.executable, "-c", "import packager; print(packager.__file__)"]
    found = subprocess.run(
        where, cwd=tmp_path, capture_output=True, text=True, env=os.environ | installed, check=True
    )
    assert found.stdout.startswith(installed["PYTHONPATH"])
    made = packager("init", "shop")
    assert made.returncode == 0, made.stderr
    (project / file).parent.mkdir(parents=True)
    (project / file).write_text(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1])
    rows = json.loads(packager("routes", "shop", "--json").stdout)["routes"]
    assert [row["path"] for row in rows] == ["/api/hello", "/api/users/[id]"]
    assert packager("check", "shop").returncode == 0
    built = packager("build", "shop")
    assert built.returncode == 0, built.stderr
    with serving(project, env=installed) as server:
        assert json.loads(server.ask("GET", "/api/users/7?page=2").body) == {"id": "7", "page": "2"}
        answer = server.ask("PATCH", "/api/users/7", body=b'{"name": "x"}')
        assert json.loads(answer.body) == {"id": "7", "name": "x"}
        assert answer.header("set-cookie").startswith("seen=yes; Path=/; Expires=")
