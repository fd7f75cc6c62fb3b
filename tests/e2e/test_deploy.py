"""A stage's whole life by the command line, against a cloud that really runs what is deployed to it."""

import hashlib
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from deployed_stage import Stage, left
from serving import PACKAGER, run

pytestmark = pytest.mark.e2e

SAMPLE = Path(__file__).parents[2] / "sample_app"
RECORDED = Path(__file__).parents[1] / "js" / "origin-request.json"
SECONDS = 60

SAMPLE_SETTINGS = """
[tool.packager.environment.secrets]
TOKEN = "ssm:/sample-app/{stage}/token"

[tool.packager.edge]
target = "regional"

[tool.packager.deploy]
smoke = ["/api/hello", "/api/edge-example"]

[tool.packager.stages.dev]
cdn = false
"""
"""What MiniStack can do: it has no Lambda@Edge, and its CloudFront asks no API."""

NODEJS = Path("app/api/hello/route.py")
EDGE = Path("app/api/edge-example/route.py")

SHOP = {
    "pyproject.toml": '[project]\nname = "shop"\n[tool.packager.environment.variables]\nSHOP_NAME = "Ada & Co"\n',
    "app/api/edge/route.py": """
import os
from runtimes import Request

runtime = "edge"

async def GET(request: Request):
    told = {"shop": os.environ["SHOP_NAME"], "country": request.geo.country}
    return told | {"url": str(request.url), "code": "one"}
""",
    "app/api/node/route.py": 'def GET():\n    return {"code": "one"}\n',
}


@pytest.fixture
def sample(ministack, tmp_path):
    project = tmp_path / "sample_app"
    ignored = shutil.ignore_patterns(".packager", ".env.local", "__pycache__")
    shutil.copytree(SAMPLE, project, ignore=ignored)
    with (project / "pyproject.toml").open("a") as file:
        file.write(SAMPLE_SETTINGS)
    stage = Stage(ministack, project)
    stage.edit(NODEJS, '"message": os.environ["GREETING"]', '"code": "one", "token": os.environ["TOKEN"]')
    stage.edit(EDGE, '"runtime": sys.platform', '"code": "one", "runtime": sys.platform')
    return stage


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory):
    """A small project with build and assembly. Its edge route runs on Lambda@Edge."""
    project = tmp_path_factory.mktemp("synthesized") / "shop"
    for name, text in SHOP.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    done = run("synth", project, "--stage", "dev")
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def shop(synthesized, ministack, tmp_path):
    """A copy of the small project, of which nothing is deployed."""
    shutil.copytree(synthesized, tmp_path / "shop", symlinks=True)
    return Stage(ministack, tmp_path / "shop")


def test_a_stage_from_its_first_deployment_to_its_end(sample):
    secrets_go_to_aws_and_come_back(sample)
    deployed_routes_answer_with_secrets(sample)
    the_same_build_changes_nothing(sample)
    a_changed_line_is_shown_and_deployed(sample)
    a_rollback_brings_the_old_answers_until_the_next_deploy(sample)
    requests_are_in_the_logs(sample)
    code_replaced_by_fast_is_reconciled_by_the_next_deploy(sample)
    nothing_is_left_of_a_destroyed_stage(sample)


def secrets_go_to_aws_and_come_back(sample):
    local = sample.project / ".env.dev.local"
    local.write_text("TOKEN=t0ken\n")
    assert "t0ken" not in sample.packager("env", "push", "--yes").stderr
    local.unlink()
    sample.packager("env", "pull")
    assert local.read_text() == "TOKEN=t0ken\n"


def deployed_routes_answer_with_secrets(sample):
    done = sample.packager("deploy", "--yes")
    url = sample.cloud.outputs("sample-app-dev-api")["ApiUrl"]
    assert done.stdout.splitlines()[-2:] == ["release 1", f"live {url}"]
    assert re.search(r"^/api/hello: 200 in \d+ ms$", done.stderr, re.MULTILINE)
    assert re.search(r"^/api/edge-example: 200 in \d+ ms$", done.stderr, re.MULTILINE)
    assert sample.says("/api/hello") == {"code": "one", "token": "t0ken"}
    edge = sample.says("/api/edge-example")
    assert (edge["code"], edge["runtime"]) == ("one", "emscripten")
    assert sample.says("/api/products/violin")["shop"] == "Ada's Instruments"
    assert "t0ken" not in done.stdout + done.stderr


def the_same_build_changes_nothing(sample):
    client = sample.cloud.client("cloudformation")
    events = client.describe_stack_events(StackName="sample-app-dev-api")["StackEvents"]
    done = sample.packager("deploy")
    assert "nothing changes: this build is deployed already" in done.stderr
    assert done.stdout.splitlines()[-2] == "release 1"
    assert sample.change_sets() == []
    assert client.describe_stack_events(StackName="sample-app-dev-api")["StackEvents"] == events


def a_changed_line_is_shown_and_deployed(sample):
    for route in (NODEJS, EDGE):
        sample.edit(route, '"code": "one"', '"code": "two"')
    shown = sample.packager("diff", "--exit-code", status=1).stdout
    changed = re.findall(r"~ (\w+)  AWS::Lambda::Function$", shown, re.MULTILINE)
    assert changed == ["ApiFunction", "EdgeFunction"], shown
    assert sample.says("/api/hello")["code"] == "one"
    assert sample.packager("deploy", "--yes").stdout.splitlines()[-2] == "release 2"
    assert [sample.says(path)["code"] for path in ("/api/hello", "/api/edge-example")] == ["two", "two"]


def a_rollback_brings_the_old_answers_until_the_next_deploy(sample):
    assert re.match(r"\*    2  .*\n     1  ", sample.packager("releases").stdout)
    assert sample.packager("rollback", "--yes").stdout == "release 1 is live\n"
    assert [sample.says(path)["code"] for path in ("/api/hello", "/api/edge-example")] == ["one", "one"]
    forward = sample.packager("deploy", "--yes")
    assert "~ sample-app-dev-edge  version 1 -> 2" in forward.stderr
    assert [sample.says(path)["code"] for path in ("/api/hello", "/api/edge-example")] == ["two", "two"]


def requests_are_in_the_logs(sample):
    done = sample.packager("logs", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    told = {(row["function"], row.get("method"), row.get("path"), row.get("status")) for row in rows}
    assert {("api", "GET", "/api/hello", 200), ("edge", "GET", "/api/edge-example", 200)} <= told
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)


def code_replaced_by_fast_is_reconciled_by_the_next_deploy(sample):
    sample.edit(NODEJS, '"code": "two"', '"code": "three"')
    assert "new code: api\n" in sample.packager("deploy", "--fast", "--yes").stderr
    assert sample.says("/api/hello")["code"] == "three"
    assert sample.version("api") == "$LATEST"
    sample.packager("deploy", "--yes")
    assert sample.says("/api/hello")["code"] == "three"
    assert (sample.version("api"), sample.version("edge")) == ("3", "2")


def nothing_is_left_of_a_destroyed_stage(sample):
    done = sample.packager("destroy", "--yes")
    assert done.stdout == "destroyed sample-app dev\n"
    [stays] = done.stderr.split("what stays:\n")[1].splitlines()[:-1]
    assert "(SSM::Parameter, us-east-1) holds a secret of the stage" in stays
    assert left(sample.cloud) == {}


def test_an_edge_version_answers_events_of_the_cdn_and_passes_other_routes_on(shop):
    shop.packager("deploy", "--yes")
    at_edge = asked(shop.cloud, edge_version(shop.cloud), "/api/edge")
    assert (at_edge["status"], json.loads(at_edge["body"])) == (
        "200",
        {"shop": "Ada & Co", "country": "DE", "url": "https://api.example.com/api/edge", "code": "one"},
    )
    passed = asked(shop.cloud, edge_version(shop.cloud), "/api/node")
    assert (passed["uri"], passed["headers"]["host"][0]["value"]) == ("/api/node", "example.org")


def test_the_edge_version_goes_back_with_the_functions_and_a_bucket_that_stays_is_told(shop):
    shop.packager("deploy", "--yes")
    shop.edit("app/api/edge/route.py", '"one"', '"two"')
    shop.packager("deploy", "--yes")
    two = edge_version(shop.cloud)
    assert json.loads(asked(shop.cloud, two, "/api/edge")["body"])["code"] == "two"
    shop.packager("rollback", "--yes")
    assert edge_version(shop.cloud) != two
    assert json.loads(asked(shop.cloud, edge_version(shop.cloud), "/api/edge")["body"])["code"] == "one"
    told = shop.packager("destroy", "--yes").stderr
    stays = left(shop.cloud)
    # MiniStack logs an edge function as one of its region.
    assert stays.pop("log group") == ["/aws/lambda/shop-dev-edge"]
    [bucket] = stays.pop("bucket")
    assert stays == {}
    assert f"{bucket} (S3::Bucket, us-east-1) has access logs" in told


def test_a_deployment_that_was_killed_is_followed_to_its_end_and_finished(shop):
    slowed(shop.project / ".packager" / "cdk.dev", "shop-dev-api")
    with started(shop) as killed:
        eventually(lambda: waiting(shop.cloud))
        killed.kill()
    assert shop.holds() != []
    shop.expire()
    with started(shop) as again:
        said = read_until(again, "waiting for the end of it")
        signal_done(shop.cloud)
        out, err = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, said + err
    assert out.splitlines()[-1].startswith("live https://")
    assert (shop.statuses(), shop.change_sets(), shop.holds()) == ({"CREATE_COMPLETE"}, [], [])


def test_ctrl_c_at_the_question_leaves_neither_a_change_set_nor_the_hold(shop):
    shop.packager("deploy", "--yes")
    shop.edit("app/api/node/route.py", '"one"', '"two"')
    terminal, its_end = pty.openpty()
    try:
        with started(shop, options=(), stdin=its_end) as asking:
            said = read_until(asking, "[y/N]")
            assert "~ ApiFunction" in said
            assert (len(shop.holds()), shop.change_sets() != []) == (1, True)
            asking.send_signal(signal.SIGINT)
            out, _ = asking.communicate(timeout=SECONDS)
    finally:
        os.close(terminal)
        os.close(its_end)
    assert (asking.returncode, out) == (130, "")
    assert (shop.change_sets(), shop.holds(), shop.version("api")) == ([], [], "1")


def asked(cloud, arn, path):
    """What the version of an edge function answers to a GET that CloudFront has no cached answer for."""
    event = json.loads(RECORDED.read_text())
    event["Records"][0]["cf"]["request"] |= {"method": "GET", "uri": path, "querystring": ""}
    del event["Records"][0]["cf"]["request"]["body"]
    function, _, version = arn.rpartition(":")
    done = cloud.client("lambda").invoke(FunctionName=function, Qualifier=version, Payload=json.dumps(event))
    answer = json.loads(done["Payload"].read())
    assert "FunctionError" not in done, answer
    return answer


def edge_version(cloud):
    """The version that the distribution names."""
    identity = cloud.outputs("shop-dev-edge")["DistributionId"]
    config = cloud.client("cloudfront").get_distribution_config(Id=identity)["DistributionConfig"]
    [behaviour] = config["CacheBehaviors"]["Items"]
    [association] = behaviour["LambdaFunctionAssociations"]["Items"]
    return association["LambdaFunctionARN"]


def slowed(assembly, stack):
    """Have the creation of a synthesized stack wait for `signal_done`. A template is named by its hash."""
    template = assembly / f"{stack}.template.json"
    before = hashlib.sha256(template.read_bytes()).hexdigest()
    document = json.loads(template.read_text())
    document["Resources"]["Waits"] = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "CreationPolicy": {"ResourceSignal": {"Timeout": "PT60S"}},
    }
    template.write_text(json.dumps(document))
    after = hashlib.sha256(template.read_bytes()).hexdigest()
    for path in assembly.glob("*.json"):
        path.write_text(path.read_text().replace(before, after))


def waiting(cloud):
    """Whether the stack waits for its signal."""
    client = cloud.client("cloudformation")
    rows = [
        row
        for stack in client.describe_stacks()["Stacks"]
        for row in client.describe_stack_events(StackName=stack["StackName"])["StackEvents"]
    ]
    return any(
        (row["LogicalResourceId"], row["ResourceStatus"]) == ("Waits", "CREATE_IN_PROGRESS") for row in rows
    )


def signal_done(cloud):
    cloud.client("cloudformation").signal_resource(
        StackName="shop-dev-api", LogicalResourceId="Waits", UniqueId="1", Status="SUCCESS"
    )


@contextmanager
def started(stage, *, options=("--yes",), stdin=subprocess.DEVNULL):
    """`packager deploy` that runs; ended with the block."""
    words = [*PACKAGER, "deploy", str(stage.project), "--stage", "dev", *options]
    environment = {**os.environ, "NO_COLOR": "1"}
    process = subprocess.Popen(
        words, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process, text):
    """What the process says on stderr, to `text`, after which it may say nothing."""
    said = ""
    while not said.endswith(text):
        letter = process.stderr.read(1)
        assert letter, said
        said += letter
    return said


def eventually(holds):
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
