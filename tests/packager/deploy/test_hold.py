import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from ministack import ACCOUNT

from packager.deploy import hold as holds
from packager.deploy import staging
from packager.deploy.aws import connect
from packager.deploy.hold import caller, hold
from packager.errors import ToolError

KEY = "holds/shop-prod.json"
BUCKET = f"packager-{ACCOUNT}-eu-central-1-an"


def nothing(_line):
    pass


@pytest.fixture
def bucket(aws):
    return staging.bucket(aws, "eu-central-1")


@contextmanager
def held_by_another_process(expiry=90.0, who="anna on laptop"):
    """Another process holds the stage until the block ends or it is killed."""
    code = (
        "import sys; from packager.deploy import hold as holds, staging; from packager.deploy.aws import connect\n"
        f"holds.EXPIRY_SECONDS = {expiry}; aws = connect('eu-central-1')\n"
        f"with holds.hold(aws, staging.bucket(aws, 'eu-central-1'), 'shop', 'prod', {who!r}, report=print):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_stage_is_held_for_the_block_and_free_afterwards(aws, bucket, ministack):
    s3 = ministack.client("s3")
    with hold(aws, bucket, "shop", "prod", "anna", report=nothing) as mine:
        mine.check()
        assert b"anna" in s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)
    with hold(aws, bucket, "shop", "prod", "anna", report=nothing):
        pass


def test_it_is_free_after_a_failure(aws, bucket, ministack):
    with pytest.raises(RuntimeError), hold(aws, bucket, "shop", "prod", "anna", report=nothing):
        raise RuntimeError
    assert "Contents" not in ministack.client("s3").list_objects_v2(Bucket=BUCKET)


def test_the_second_of_two_processes_is_told_who_holds_the_stage_and_since_when(aws, bucket):
    with (
        held_by_another_process(),
        pytest.raises(
            ToolError, match=r"shop prod is being deployed by anna on laptop since 20\d\d-"
        ) as caught,
        hold(aws, bucket, "shop", "prod", "berta", report=nothing),
    ):
        pass
    assert "--wait" in caught.value.hint
    assert caught.value.exit_status == 3


def test_other_stages_are_free(aws, bucket):
    with held_by_another_process(), hold(aws, bucket, "shop", "dev", "berta", report=nothing):
        pass


def test_who_waits_gets_the_stage_when_it_is_free(aws, bucket, monkeypatch):
    monkeypatch.setattr(holds, "_POLL_SECONDS", 0.05)
    with held_by_another_process() as other:
        told = []

        def report(line):
            told.append(line)
            other.stdin.close()

        with hold(aws, bucket, "shop", "prod", "berta", wait=60, report=report):
            assert other.wait(60) == 0
        other.stdin = None
    assert len(told) == 1
    assert "anna on laptop" in told[0]


def test_the_hold_of_a_killed_process_expires_and_is_taken_over(aws, bucket, monkeypatch):
    monkeypatch.setattr(holds, "_POLL_SECONDS", 0.1)
    with held_by_another_process() as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        with (
            pytest.raises(ToolError, match="anna"),
            hold(aws, bucket, "shop", "prod", "berta", report=nothing),
        ):
            pass
        monkeypatch.setattr(holds, "EXPIRY_SECONDS", 1.0)
        with hold(aws, bucket, "shop", "prod", "berta", wait=60, report=nothing) as mine:
            mine.check()


def test_a_hold_that_is_renewed_does_not_expire(aws, bucket, ministack):
    s3 = ministack.client("s3")
    with held_by_another_process(expiry=0.4):
        first = s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"]
        while s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"] == first:
            threading.Event().wait(0.02)
        with (
            pytest.raises(ToolError, match="since 20"),
            hold(aws, bucket, "shop", "prod", "berta", report=nothing),
        ):
            pass


def test_who_was_taken_over_is_told_before_the_next_step(aws, bucket, ministack, monkeypatch):
    monkeypatch.setattr(holds, "EXPIRY_SECONDS", 0.4)
    s3 = ministack.client("s3")
    with hold(aws, bucket, "shop", "prod", "anna", report=nothing) as mine:
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=b'{"who": "berta", "since": "", "token": "other"}')
        mine._thread.join(60)
        with pytest.raises(ToolError, match="lost"):
            mine.check()
    assert b"berta" in s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read(), "the other's hold stays"


def test_who_cannot_renew_is_told_and_leaves_quietly(wire, monkeypatch):
    monkeypatch.setattr(holds, "EXPIRY_SECONDS", 0.4)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    aws = connect("eu-central-1")
    bucket = staging.bucket(aws, "eu-central-1")
    with hold(aws, bucket, "shop", "prod", "anna", report=nothing) as mine:
        wire.breaks = lambda _: True
        mine._ended.wait(1)
        with pytest.raises(ToolError, match="not renewed in time"):
            mine.check()
    aws.close()


def test_an_attempt_whose_answer_was_lost_still_holds(wire, ministack):
    aws = connect("eu-central-1")
    bucket = staging.bucket(aws, "eu-central-1")
    forward = wire.listener.answers
    lost = []

    def answers(request):
        answer = forward(request)
        if request.command == "PUT" and KEY in request.path and not lost:
            lost.append(request.path)
            request.connection.close()
            raise ConnectionAbortedError
        return answer

    wire.listener.answers = answers
    with hold(aws, bucket, "shop", "prod", "anna", report=nothing) as mine:
        mine.check()
    assert len(lost) == 1
    assert "Contents" not in ministack.client("s3").list_objects_v2(Bucket=BUCKET)
    aws.close()


def test_a_hold_that_cannot_be_read_holds_as_well(aws, bucket, ministack):
    ministack.client("s3").put_object(Bucket=BUCKET, Key=KEY, Body=b"what?")
    with (
        pytest.raises(ToolError, match="by somebody since 20"),
        hold(aws, bucket, "shop", "prod", "berta", report=nothing),
    ):
        pass


def test_the_caller_is_a_user_on_a_machine():
    user, _, machine = caller().partition(" on ")
    assert user
    assert machine
