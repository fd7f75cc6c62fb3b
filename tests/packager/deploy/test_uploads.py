import base64
import hashlib
import os
import random
import signal
import subprocess
import sys
import threading

import pytest

from packager.deploy import assembly, staging, uploads
from packager.deploy.aws import connect
from packager.errors import ToolError

LARGE = random.Random(7).randbytes(uploads.WHOLE + 1000)


def nothing(_sent, _total):
    pass


def upload(aws, folder, report=nothing):
    found = assembly.read(folder)
    assets = [asset for stack in found.stacks for asset in stack.assets]
    return uploads.upload(aws, assets, staging.buckets(aws, found), report)


def stored(ministack, folder, name):
    """What the bucket has for a file of the assembly; None if it has nothing."""
    asset = next(item for item in assembly.read(folder).stacks[0].assets if item.path.name == name)
    s3 = ministack.client("s3")
    try:
        bucket = "packager-123456789012-eu-central-1-an"
        return s3.get_object(Bucket=bucket, Key=asset.key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


def test_every_file_is_uploaded_and_found_the_next_time(aws, ministack, made_assembly):
    folder = made_assembly({f"{number}.zip": b"%d" % number * 1000 for number in range(20)})
    seen = []
    first = upload(aws, folder, lambda *counts: seen.append(counts))
    assert (first.sent, first.present) == (21, 0)
    assert seen[-1] == (first.bytes, first.bytes)
    assert [sent for sent, _ in seen] == sorted(sent for sent, _ in seen)
    assert stored(ministack, folder, "7.zip") == b"7" * 1000
    again = upload(aws, folder)
    assert (again.sent, again.present, again.bytes) == (0, 21, 0)


def test_s3_keeps_the_sha256_of_a_file(aws, ministack, made_assembly):
    folder = made_assembly({"api.zip": b"code"})
    upload(aws, folder)
    asset = assembly.read(folder).stacks[0].assets[0]
    head = ministack.client("s3").head_object(
        Bucket="packager-123456789012-eu-central-1-an", Key=asset.key, ChecksumMode="ENABLED"
    )
    assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"code").digest()).decode()


def test_an_object_of_several_stacks_is_sent_once(aws, made_assembly):
    found = assembly.read(made_assembly({"api.zip": b"code"}))
    twice = [*found.stacks[0].assets, *found.stacks[0].assets]
    assert uploads.upload(aws, twice, staging.buckets(aws, found), nothing).sent == 2


def test_templates_are_uploaded_with_the_bucket_in_them(aws, ministack, made_assembly):
    folder = made_assembly(nested='{"Bucket": "cdk-hnb659fds-assets-${AWS::AccountId}-eu-central-1"}')
    upload(aws, folder)
    assert b"packager-123456789012-eu-central-1-an" in stored(
        ministack, folder, "shop-prod-api.template.json"
    )
    assert (
        stored(ministack, folder, "Nested.nested.template.json")
        == b'{"Bucket": "packager-123456789012-eu-central-1-an"}'
    )


def test_a_large_file_goes_up_in_parts(aws, ministack, made_assembly):
    folder = made_assembly({"edge.zip": LARGE})
    assert upload(aws, folder).bytes > len(LARGE)
    assert stored(ministack, folder, "edge.zip") == LARGE


def test_a_file_that_changed_since_synth_is_refused_and_not_stored(aws, ministack, made_assembly):
    folder = made_assembly({"api.zip": b"code"})
    (folder / "api.zip").write_bytes(b"evil")
    with pytest.raises(ToolError, match=r"api\.zip is not the file that was synthesized"):
        upload(aws, folder)
    assert stored(ministack, folder, "api.zip") is None


def test_a_template_that_changed_since_synth_is_refused(aws, made_assembly):
    folder = made_assembly()
    (folder / "shop-prod-api.template.json").write_text("{}")
    with pytest.raises(ToolError, match=r"template\.json is not the file that was synthesized"):
        upload(aws, folder)


def test_a_file_that_changes_while_it_is_sent_is_refused_by_s3(aws, ministack, made_assembly, monkeypatch):
    folder = made_assembly({"api.zip": b"code"})
    measured = uploads._measured

    def then_change(item):
        pieces = measured(item)
        (folder / "api.zip").write_bytes(b"evil")
        return pieces

    monkeypatch.setattr(uploads, "_measured", then_change)
    with pytest.raises(ToolError, match=r"api\.zip is not the file that was synthesized"):
        upload(aws, folder)
    assert stored(ministack, folder, "api.zip") is None


def test_a_file_that_cannot_be_read_is_named(aws, made_assembly, monkeypatch):
    found = assembly.read(folder := made_assembly({"api.zip": b"code"}))
    (folder / "api.zip").unlink()
    with pytest.raises(ToolError, match=r"api\.zip cannot be read: No such file"):
        uploads.upload(aws, found.stacks[0].assets, staging.buckets(aws, found), nothing)


def test_a_connection_that_breaks_in_the_middle_is_tried_again(wire, ministack, made_assembly):
    aws = connect("eu-central-1")
    folder = made_assembly({"api.zip": LARGE[: 2**20]})
    wire.breaks = lambda request: ".zip" in request and request.startswith("PUT") and not wire.lost
    seen = []
    done = upload(aws, folder, lambda *counts: seen.append(counts))
    assert (done.sent, wire.lost) == (2, 1)
    assert seen[-1] == (done.bytes, done.bytes), "bytes that are sent again do not count twice"
    assert stored(ministack, folder, "api.zip") == LARGE[: 2**20]
    aws.close()


def test_a_network_that_stays_away_is_told_with_the_file(wire, made_assembly, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    aws = connect("eu-central-1")
    folder = made_assembly({"api.zip": LARGE[: 2**20]})
    wire.breaks = lambda request: ".zip" in request and request.startswith("PUT")
    with pytest.raises(
        ToolError, match=r"uploading api\.zip to packager-.* failed: the connection to"
    ) as caught:
        upload(aws, folder)
    assert "not done twice" in caught.value.hint
    assert wire.lost == 2
    aws.close()


def test_the_parts_of_an_interrupted_upload_are_taken_over(wire, ministack, made_assembly, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    aws = connect("eu-central-1")
    folder = made_assembly({"edge.zip": LARGE})
    first_is_up = threading.Event()

    def breaks(request):
        is_later_part = "partNumber=2" in request or "partNumber=3" in request
        if is_later_part:
            first_is_up.wait(30)
        return is_later_part

    forward = wire.listener.answers

    def answers(request):
        answer = forward(request)
        if "partNumber=1" in request.path:
            first_is_up.set()
        return answer

    wire.listener.answers, wire.breaks = answers, breaks
    with pytest.raises(ToolError, match=r"edge\.zip"):
        upload(aws, folder)
    wire.breaks = lambda _: False
    before = len(wire.listener.requests)
    upload(aws, folder)
    assert stored(ministack, folder, "edge.zip") == LARGE
    again = [row for row in wire.listener.requests[before:] if "partNumber=" in row]
    assert not any("partNumber=1&" in row or row.endswith("partNumber=1") for row in again)
    assert (
        ministack.client("s3")
        .list_multipart_uploads(Bucket="packager-123456789012-eu-central-1-an")
        .get("Uploads", [])
        == []
    )
    aws.close()


def test_an_upload_that_another_run_finished_meanwhile_is_done(wire, ministack, made_assembly):
    aws = connect("eu-central-1")
    folder = made_assembly({"edge.zip": LARGE})
    forward = wire.listener.answers
    completed = []

    def twice(request):
        if request.command == "POST" and "uploadId=" in request.path and not completed:
            completed.append(request.path)
            status, _, _ = forward(request)
            assert status == 200
            return 404, {"Content-Type": "text/xml"}, b"<Error><Code>NoSuchUpload</Code></Error>"
        return forward(request)

    wire.listener.answers = twice
    assert upload(aws, folder).sent == 2
    assert len(completed) == 1
    assert stored(ministack, folder, "edge.zip") == LARGE
    aws.close()


def test_ctrl_c_ends_it_at_once_and_leaves_nothing_that_is_not_whole(wire, ministack, made_assembly):
    folder = made_assembly({"api.zip": LARGE[: 2**20]})
    halted, going_on = threading.Event(), threading.Event()
    forward = wire.listener.answers

    def answers(request):
        if request.command == "PUT" and ".zip" in request.path:
            halted.set()
            going_on.wait(30)
            request.connection.close()
            raise ConnectionAbortedError
        return forward(request)

    wire.listener.answers = answers
    code = (
        "import sys; from packager.deploy import assembly, staging, uploads\n"
        "from packager.deploy.aws import connect; from pathlib import Path\n"
        "aws = connect('eu-central-1'); found = assembly.read(Path(sys.argv[1]))\n"
        "try: uploads.upload(aws, found.stacks[0].assets, staging.buckets(aws, found), lambda *_: None)\n"
        "except KeyboardInterrupt: sys.exit(130)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], env=os.environ)
    try:
        assert halted.wait(60)
        process.send_signal(signal.SIGINT)
        going_on.set()
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
    assert stored(ministack, folder, "api.zip") is None
    wire.listener.answers = forward
    aws = connect("eu-central-1")
    assert upload(aws, folder).sent >= 1
    assert stored(ministack, folder, "api.zip") == LARGE[: 2**20]
    aws.close()
