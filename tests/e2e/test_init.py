"""New projects pass what the tool says of them, and their own tests, at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from serving import run

pytestmark = pytest.mark.e2e

FIXTURES = Path(__file__).parents[1] / "fixtures"
RUFF = (sys.executable, "-m", "ruff")


def command(*words, cwd):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(folder):
    """Check and build a project; its routes by runtime."""
    checked = run("check", folder)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith("no errors, no warnings in ")
    done = run("build", folder, "--json")
    assert done.returncode == 0, done.stderr
    routes = json.loads(done.stdout)["routes"]
    return {kind: sum(row["runtime"] == kind for row in routes) for kind in ("edge", "nodejs")}


@pytest.mark.parametrize(
    ("template", "routes"), [("minimal", {"edge": 0, "nodejs": 1}), ("full", {"edge": 2, "nodejs": 4})]
)
def test_a_template_is_checked_built_and_tested(tmp_path, template, routes):
    folder = tmp_path / "shop"
    assert run("init", folder, "--template", template).returncode == 0
    command(*RUFF, "check", "--isolated", "--no-cache", "--select", "E,F,I,UP,B", folder, cwd=folder)
    command(*RUFF, "format", "--isolated", "--no-cache", "--check", folder, cwd=folder)
    assert built(folder) == routes
    said = command(sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", cwd=folder)
    assert " passed" in said


@pytest.mark.parametrize(
    ("app", "routes"), [("fastapi_shop/main.py", 22), ("chalice_books/app.py", 9)], ids=["fastapi", "chalice"]
)
def test_a_converted_app_is_checked_and_built(tmp_path, app, routes):
    folder = tmp_path / "shop"
    framework = app.partition("_")[0]
    assert run("init", folder, f"--from-{framework}", FIXTURES / app).returncode == 0
    command(*RUFF, "check", "--isolated", "--no-cache", "--select", "E4,E7,E9,F,I", folder, cwd=folder)
    assert built(folder) == {"edge": 0, "nodejs": routes}
