"""What `packager synth` writes is an ordinary cloud assembly: the CDK CLI deploys it, and the routes answer."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ministack import ACCOUNT, ARCHITECTURE, REGION
from serving import run

from packager import node
from packager.cache import cache_dir

pytestmark = pytest.mark.e2e

SAMPLE = Path(__file__).parents[2] / "sample_app"
PINNED = Path(__file__).parents[2] / "requirements" / "cdk"
STACKS = ("sample-app-dev-api", "sample-app-dev-edge", "sample-app-dev-ops")


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    """The stacks of the sample app, whose edge routes run in a regional function: MiniStack has no Lambda@Edge."""
    project = tmp_path_factory.mktemp("cdk") / "sample_app"
    shutil.copytree(SAMPLE, project, ignore=shutil.ignore_patterns(".packager", ".env.local", "__pycache__"))
    with (project / "pyproject.toml").open("a") as file:
        file.write(f'\n[tool.packager.lambda]\narchitecture = "{ARCHITECTURE}"\n')
        file.write('\n[tool.packager.edge]\ntarget = "regional"\n')
    folder = project.parent / "assembly"
    done = run("synth", project, "--stage", "dev", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def cdk(ministack_server, tmp_path_factory):
    """Runs the pinned CDK CLI to its end; gives what it said."""
    script = packages() / "node_modules" / "aws-cdk" / "bin" / "cdk"
    home = tmp_path_factory.mktemp("cdk-home")
    environment = {
        **os.environ,
        **ministack_server.environment(),
        "PATH": os.pathsep.join([str(node.node().parent), os.environ["PATH"]]),
        "CDK_HOME": str(home),
        "CDK_DISABLE_CLI_TELEMETRY": "1",
    }

    def run_cdk(*arguments):
        command = [node.node(), script, *arguments, "--no-notices", "--no-color", "--ci"]
        done = subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run_cdk


def packages():
    """The folder with the CLI; downloaded once, as the worker's packages are."""
    lock = (PINNED / "package-lock.json").read_bytes()
    folder = cache_dir() / f"cdk-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.is_dir():
        cache_dir().mkdir(parents=True, exist_ok=True)
        node.install(PINNED, folder)
    return folder


@pytest.fixture(scope="module")
def deploy(ministack_server, cdk, assembly):
    """Deploys all stacks, as often as it is called."""
    ministack_server.reset()
    cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}")
    return lambda: cdk("deploy", "--app", assembly, "--all", "--require-approval", "never")


@pytest.fixture(scope="module")
def ask(ministack_server, deploy):
    """Asks the deployed API as CloudFront does; the first question deploys it."""
    deploy()
    outputs = ministack_server.outputs(STACKS[0])
    key = {"x-packager-origin-key": outputs["OriginKey"]}

    def ask(method, path, headers=key, **content):
        body = json.dumps(content).encode() if content else None
        sent = {"content-type": "application/json", **headers}
        return ministack_server.ask(outputs["ApiId"], method, path, sent, body)

    return ask


def test_the_cdk_cli_deploys_what_synth_wrote(ask, deploy):
    a_nodejs_route_answers(ask)
    an_edge_route_answers_with_the_variables_of_the_project(ask)
    nobody_but_the_cdn_is_let_in(ask)
    a_second_deployment_changes_nothing(deploy)


def a_nodejs_route_answers(ask):
    answer = ask("POST", "/api/hello", a=["ü"])
    assert (answer.status, json.loads(answer.body)) == (
        201,
        {"message": "Data received", "data": {"a": ["ü"]}},
    )
    users = ask("GET", "/api/users?page=2")
    assert [user["name"] for user in json.loads(users.body)["users"]] == ["alan"]
    assert users.header("set-cookie").startswith("last_page=2;")


def an_edge_route_answers_with_the_variables_of_the_project(ask):
    assert json.loads(ask("GET", "/api/edge-example").body)["runtime"] == "emscripten"
    answer = ask("GET", "/api/products/strings/violin")
    assert json.loads(answer.body) == {
        "shop": "Ada's Instruments",
        "categories": ["strings"],
        "product": "violin",
    }


def nobody_but_the_cdn_is_let_in(ask):
    for path in ("/api/hello", "/api/edge-example"):
        answer = ask("GET", path, headers={})
        assert (answer.status, json.loads(answer.body)) == (403, {"message": "Forbidden"})


def a_second_deployment_changes_nothing(deploy):
    said = deploy()
    assert [f"{stack} (no changes)" in said for stack in STACKS] == [True, True, True], said
