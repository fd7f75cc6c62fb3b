"""The HTTP cases of the conformance suite, asked of the application itself and of built artifacts behind `preview`.

Some are asked of the sources behind `dev` too, which differ in nothing but the bodies of faults.

Each app runs from its source in one process, as it is (nodejs: Lambda processes) and as a copy whose routes all
run on edge (Pyodide), from a snapshot and with Pyodide's own loader. The edge copy is also built for the HTTP API.
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest
from serving import PACKAGER, run, serving, started

SUITE = Path(__file__).parents[2].parent / "shared" / "conformance"
if not SUITE.exists():
    pytest.skip("the conformance suite is not beside the repository", allow_module_level=True)

APPS = sorted(path.stem for path in (SUITE / "cases").glob("*.json"))

pytestmark = pytest.mark.e2e


def _runner():
    spec = importlib.util.spec_from_file_location("conformance_run", SUITE / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runner = _runner()


def differences(server, app):
    cases = json.loads((SUITE / "cases" / f"{app}.json").read_text())
    return {case["name"]: found for case in cases if (found := runner.run_case(server.url, case))}


@pytest.mark.parametrize("app", APPS)
def test_the_application_answers_as_the_suite_says(app, tmp_path):
    project = shutil.copytree(SUITE / "apps" / app, tmp_path / app)
    script = Path(__file__).with_name("in_process.py")
    with started([sys.executable, str(script), str(project)]) as server:
        assert differences(server, app) == {}


@pytest.mark.parametrize("app", APPS)
def test_lambda_artifacts_answer_as_the_suite_says(app, tmp_path):
    project = shutil.copytree(SUITE / "apps" / app, tmp_path / app)
    with serving(project) as server:
        assert differences(server, app) == {}


@pytest.mark.parametrize("loader", ["snapshot", "stock"])
@pytest.mark.parametrize("app", APPS)
def test_edge_artifacts_answer_as_the_suite_says(app, loader, tmp_path):
    runner.edge_copy(SUITE / "apps" / app, tmp_path / app)
    with (tmp_path / app / "pyproject.toml").open("a") as settings:
        settings.write(f'\n[tool.packager.edge]\nloader = "{loader}"\n')
    with serving(tmp_path / app) as server:
        assert differences(server, app) == {}


# The others differ from the edge copies above in nothing that the events decide.
@pytest.mark.parametrize("app", ["request", "response"])
def test_regional_artifacts_answer_as_the_suite_says(app, tmp_path):
    runner.edge_copy(SUITE / "apps" / app, tmp_path / app)
    with (tmp_path / app / "pyproject.toml").open("a") as settings:
        settings.write('\n[tool.packager.edge]\ntarget = "regional"\n')
    built = run("build", tmp_path / app)
    assert built.returncode == 0, built.stderr
    script = Path(__file__).with_name("regional.py")
    with started([sys.executable, str(script), str(tmp_path / app / ".packager")]) as server:
        assert differences(server, app) == {}


FAULT = json.dumps({"error": "Internal Server Error"})


@pytest.mark.parametrize("runtime", ["nodejs", "edge"])
def test_the_sources_answer_as_the_suite_says_but_for_the_details_of_faults(runtime, tmp_path):
    if runtime == "edge":
        runner.edge_copy(SUITE / "apps" / "request", tmp_path / "request")
    else:
        shutil.copytree(SUITE / "apps" / "request", tmp_path / "request")
    with started([*PACKAGER, "dev", str(tmp_path / "request"), "--port", "0"]) as server:
        found = [row for rows in differences(server, "request").values() for row in rows]
        assert [row for row in found if row[1:3] != ["body", FAULT] and row[1:3] != ("body", FAULT)] == []
