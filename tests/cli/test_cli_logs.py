import json
import signal
import subprocess
import sys
import time

import pytest

ID = "79b4f56e-95b1-4643-9700-2807f4e68189"
GROUP = "/aws/lambda/shop-prod-api"
PYPROJECT = '[project]\nname = "shop"\n[tool.packager.stages.prod]\nregion = "eu-central-1"\n'


@pytest.fixture
def project(write):
    return write({"app/api/users/[id]/route.py": "def GET():\n    return {}\n", "pyproject.toml": PYPROJECT})


@pytest.fixture
def log(ministack):
    resources = {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP}}}
    cloudformation = ministack.client("cloudformation", "eu-central-1")
    cloudformation.create_stack(StackName="shop-prod-api", TemplateBody=json.dumps({"Resources": resources}))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="shop-prod-api")
    client = ministack.client("logs", "eu-central-1")
    client.create_log_stream(logGroupName=GROUP, logStreamName="s")
    first = round(time.time() * 1000) - 5000

    def put(*lines):
        rows = [{"timestamp": first + number, "message": text} for number, text in enumerate(lines)]
        client.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=rows)

    return put


def request(status=200):
    row = {"id": "x", "method": "GET", "route": "/api/users/[id]", "path": "/api/users/7", "duration_ms": 1}
    cold = "\tInit Duration: 350.2 ms"
    return (
        f"START RequestId: {ID} Version: 3",
        "looking it up",
        json.dumps({**row, "status": status}),
        f"REPORT RequestId: {ID}\tDuration: 12.34 ms\tMemory Size: 512 MB\tMax Memory Used: 84 MB{cold}",
    )


def test_a_request_is_one_line_and_what_it_said_above(packager, project, log):
    log(*request())
    ended = packager("logs", project, "--stage", "prod")
    assert ended.status == 0
    said, line = ended.out.splitlines()
    assert said[13:] == "api looking it up"
    assert line[13:] == "api GET /api/users/7  200  12.3 ms  cold start 350 ms  84/512 MB"


def test_a_traceback_stays_whole_and_json_has_a_document_on_each_line(packager, project, log):
    trace = ["Traceback (most recent call last):", '  File "x.py", line 1, in GET', "ValueError: x"]
    log("before", *trace, *request(500))
    ended = packager("logs", project, "--stage", "prod", "--level", "error", "--json")
    message, answer = map(json.loads, ended.out.splitlines())
    assert (message["kind"], message["level"], message["text"]) == ("message", "error", "\n".join(trace))
    assert (answer["kind"], answer["level"], answer["status"]) == ("request", "error", 500)
    shown = packager("logs", project, "--stage", "prod", "--level", "error").out.splitlines()
    assert [line.strip() for line in shown[1:3]] == [line.strip() for line in trace[1:]]


def test_a_log_line_cannot_steer_the_terminal(packager, project, log):
    log("\x1b[2Jgone")
    assert "\x1b" not in packager("logs", project, "--stage", "prod").out


def test_a_stage_without_lines_yet(packager, project, log):
    ended = packager("logs", project, "--stage", "prod")
    assert (ended.status, ended.out) == (0, "")


def test_what_is_asked_wrongly(packager, project, log):
    assert "no point in time" in packager("logs", project, "--stage", "prod", "--since", "soon").err
    assert "lies before" in packager("logs", project, "--stage", "prod", "--since", "1m", "--until", "2m").err
    assert "nothing is built" in packager("logs", project, "--stage", "prod", "--route", "/api/users/7").err
    assert "no function" in packager("logs", project, "--stage", "prod", "--function", "apo").err
    assert packager("logs", project).status == 2


def test_a_stage_that_is_not_deployed(packager, project, ministack):
    ended = packager("logs", project, "--stage", "prod")
    assert ended.status == 3
    assert "not deployed" in ended.err


def test_following_goes_on_until_it_is_interrupted(project, log):
    log("first")
    command = [sys.executable, "-m", "packager", "logs", str(project), "--stage", "prod", "-f"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().endswith("api first\n")
        log("first", "second")
        assert process.stdout.readline().endswith("api first\n")
        assert process.stdout.readline().endswith("api second\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == "interrupted\n"
