"""The fixtures that a project's tests have, in a run of pytest of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROJECT = {
    "pyproject.toml": '[project]\nname = "shop"\n',
    "app/api/x/route.py": """\
import os

def GET(request):
    return {"country": request.geo.country, "theme": request.cookies.get("theme"), "key": os.environ.get("KEY")}
""",
    "tests/conftest.py": """\
import pytest
from runtimes import Geo

@pytest.fixture
def env():
    return {"KEY": "0"}

@pytest.fixture
def geo():
    return Geo("IS")

@pytest.fixture
def cookies():
    return {"theme": "dark"}
""",
    "tests/test_x.py": """\
def test_nodejs(client):
    assert client.get("/api/x").json() == {"country": "IS", "theme": "dark", "key": "0"}

def test_edge(edge_client):
    assert edge_client.get("/api/x").json() == {"country": "IS", "theme": "dark", "key": "0"}
""",
}
PROBE = """\
import sys

def test_quiet():
    assert "runtimes.testing.plugin" in sys.modules
    assert not sys.modules.keys() & {"packager", "runtimes.app", "runtimes.testing.client"}
"""


def pytest_run(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_projects_fixtures_reach_its_clients_and_none_is_imported_before(write, tmp_path):
    done = pytest_run(tmp_path, str(write({**PROJECT, "tests/test_first.py": PROBE})))
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_can_be_left_out(tmp_path):
    assert "edge_client" not in pytest_run(tmp_path, "-p", "no:runtimes", "--fixtures").stdout
