"""What goes wrong, through the real command line: one clear message, the right exit status, nothing half-written."""

import os
import shutil
import signal
import socket
import subprocess

import pytest
from serving import PACKAGER, run

pytestmark = pytest.mark.e2e

ROUTE = "from runtimes import Response\n\n\nasync def GET():\n    return Response.json({})\n"


@pytest.fixture
def project(tmp_path):
    """`project({name: text})`: a folder with these files and one good route."""

    def make(files=(), dependencies=()):
        folder = tmp_path / "shop"
        listed = ", ".join(f'"{name}"' for name in dependencies)
        texts = {
            "pyproject.toml": f'[project]\nname = "shop"\nversion = "0"\ndependencies = [{listed}]\n',
            "app/api/a/route.py": ROUTE,
            **dict(files),
        }
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    return make


def fails(done, status, *texts):
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    for text in texts:
        assert text in done.stderr


@pytest.mark.parametrize("command", ["routes", "check", "build", "preview"])
def test_a_folder_without_a_route_tree(command, tmp_path):
    fails(run(command, tmp_path), 2, "app", "route.py", "hint: ")


@pytest.mark.parametrize("command", ["routes", "check", "build", "preview"])
def test_a_folder_that_is_not_there(command, tmp_path):
    fails(run(command, tmp_path / "nowhere"), 2, "nowhere")


@pytest.mark.parametrize(
    ("files", "texts"),
    [
        ({"app/api/b/route.py": "def GET(:\n"}, ["error[syntax-error]", "app/api/b/route.py:1"]),
        (
            {"app/(x)/api/a/route.py": ROUTE},
            ["error[ambiguous-route]", "app/api/a/route.py", "app/(x)/api/a/route.py"],
        ),
        (
            {"app/api/b/route.py": f'runtime = "deno"\n{ROUTE}'},
            ["error[invalid-config]", "app/api/b/route.py:1", "deno"],
        ),
        (
            {"app/api/b/route.py": f"import nothing_has_this_name\n{ROUTE}"},
            ["error[unresolved-import]", "route.py:1"],
        ),
        ({"pyproject.toml": "[project\n"}, ["pyproject.toml"]),
    ],
    ids=[
        "a syntax error",
        "two routes for one URL",
        "an unknown runtime",
        "a missing dependency",
        "broken TOML",
    ],
)
def test_a_project_at_fault_is_not_built(project, files, texts):
    folder = project(files)
    fails(run("build", folder), 1, *texts)
    assert not (folder / ".packager" / "manifest.json").exists()


def test_a_dependency_that_does_not_exist(project, wheelhouse):
    for name, version in (("starlette", "1.10.0"), ("mangum", "0.22.0"), ("python-multipart", "0.0.34")):
        wheelhouse.add(name, version)
    folder = project(dependencies=["packager-no-such-distribution"])
    fails(run("build", folder), 1, "packager-no-such-distribution", "pyproject.toml", "hint: ")


NOWHERE = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9"
)
"""Settings under which nothing outside can be reached."""


@pytest.mark.parametrize("runtime", ["nodejs", "edge"])
def test_no_network_at_the_first_download(project, tmp_path, runtime):
    empty = {
        "PACKAGER_CACHE_DIR": str(tmp_path / "cache"),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "npm_config_cache": str(tmp_path / "npm"),
        "UV_HTTP_RETRIES": "0",
    }
    folder = project({"app/api/b/route.py": f'runtime = "{runtime}"\n{ROUTE}'})
    fails(run("build", folder, env={**empty, **NOWHERE}), 3, "hint: ")
    assert not (folder / ".packager" / "manifest.json").exists()


def test_without_a_network_a_fresh_clone_builds_from_the_caches(project):
    folder = project()
    assert run("build", folder).returncode == 0
    shutil.rmtree(folder / ".packager")
    done = run("build", folder, env=NOWHERE)
    assert done.returncode == 0, done.stderr
    assert "resolved from uv's cache" in done.stderr


def test_a_busy_port(project):
    folder = project()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fails(run("preview", folder, "--port", str(port)), 3, str(port), "--port 0")


def test_a_disk_that_takes_no_more(project):
    folder = project({"app/api/edge/route.py": f'runtime = "edge"\n{ROUTE}'})
    fails(run("build", folder, prefix=("prlimit", "--fsize=100000")), 3, "hint: ")
    assert not (folder / ".packager" / "manifest.json").exists()
    assert not any(
        path.name.startswith(".packager") and path.name != ".packager" for path in folder.iterdir()
    )
    assert run("build", folder).returncode == 0


def test_ctrl_c_while_building_leaves_the_last_build(project):
    folder = project({"app/api/edge/route.py": f'runtime = "edge"\n{ROUTE}'})
    assert run("build", folder).returncode == 0
    before = (folder / ".packager" / "manifest.json").read_text()
    (folder / "app/api/edge/route.py").write_text(f'runtime = "edge"\nmax_duration = 5\n{ROUTE}')
    process = subprocess.Popen([*PACKAGER, "build", str(folder)], stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline().startswith("writing ")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "interrupted\n")
    assert (folder / ".packager" / "manifest.json").read_text() == before
    assert sorted(path.name for path in folder.iterdir()) == [".packager", "app", "pyproject.toml"]


@pytest.mark.parametrize(
    "arguments",
    [["preview", ".", "--port", "high"], ["build", ".", "--what"], ["fly"], ["routes", ".", "extra"]],
)
def test_wrong_usage(arguments, project):
    done = subprocess.run([*PACKAGER, *arguments], cwd=project(), capture_output=True, text=True, check=False)
    fails(done, 2)


def test_a_closed_pipe_is_silent(project):
    shell = f"{' '.join(PACKAGER)} routes {project()} | true"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, env=os.environ, check=False)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
