import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from packager.deploy.aws import connect, error_code, explained
from packager.errors import ToolError, UsageError

SECRET = "IQoJb3JpZ2luX2VjEXAMPLETOKEN"


def failure(account: str | None = None) -> ToolError:
    """What asking for the caller's identity ends with."""
    aws = connect("eu-central-1", account=account)
    try:
        with pytest.raises(ToolError) as caught:
            _ = aws.identity
    finally:
        aws.close()
    assert caught.value.exit_status == 3
    assert caught.value.hint
    return caught.value


def test_the_caller_is_asked_for_once_and_clients_are_kept(aws):
    assert aws.account == "123456789012"
    assert aws.identity.partition == "aws"
    assert aws.client("s3") is aws.client("s3", "eu-central-1")
    assert aws.client("s3", "us-east-1").meta.region_name == "us-east-1"


def test_credentials_of_another_account_are_refused(ministack):
    error = failure(account="999999999999")
    assert "belong to the account 123456789012" in error.message
    assert "the stage to 999999999999" in error.message


def test_missing_credentials_are_said_to_be_missing(keys):
    keys.delenv("AWS_ACCESS_KEY_ID")
    keys.delenv("AWS_SECRET_ACCESS_KEY")
    error = failure()
    assert "there are no AWS credentials" in error.message
    assert "AWS_PROFILE" in error.hint


def test_half_of_the_credentials_is_named(keys):
    keys.delenv("AWS_SECRET_ACCESS_KEY")
    assert "AWS_SECRET_ACCESS_KEY is missing" in failure().message


def test_a_profile_that_does_not_exist_is_a_usage_error_with_those_that_do(keys, tmp_path):
    (tmp_path / "aws-config").write_text("[profile work]\nregion = eu-west-1\n")
    keys.setenv("AWS_PROFILE", "wrok")
    with pytest.raises(UsageError, match="profile 'wrok' does not exist") as caught:
        connect("eu-central-1")
    assert "work" in caught.value.hint
    with pytest.raises(UsageError, match="'home'"):
        connect("eu-central-1", profile="home")


def test_settings_that_cannot_be_read_are_named(keys, tmp_path):
    (tmp_path / "aws-config").write_text("this is no setting")
    with pytest.raises(ToolError, match="aws-config"):
        connect("eu-central-1")


def test_a_credential_process_that_fails_does_not_get_its_output_repeated(keys, tmp_path):
    keys.delenv("AWS_ACCESS_KEY_ID")
    keys.delenv("AWS_SECRET_ACCESS_KEY")
    command = f"{sys.executable} -c 'import sys; sys.exit(\"{SECRET}\")'"
    (tmp_path / "aws-config").write_text(f"[default]\ncredential_process = {command}\n")
    error = failure()
    assert "could not be had from custom-process" in error.message
    assert SECRET not in error.message + error.hint


@pytest.mark.parametrize(
    ("status", "code", "message", "said"),
    [
        (403, "ExpiredToken", "The security token is expired", "have expired"),
        (403, "InvalidClientTokenId", "The token is invalid.", "does not know the credentials"),
        (400, "Throttling", "Rate exceeded", "asks for fewer calls"),
        (503, "ServiceUnavailable", "Try later", "a fault of its own"),
        (400, "ValidationError", "Stack [x] does not exist", "ValidationError: Stack [x] does not exist"),
        (403, "AccessDenied", "", "access denied to GetCallerIdentity"),
    ],
)
def test_a_refusal_is_told_in_words(refusing, status, code, message, said):
    refusing(status, code, message)
    assert said in failure().message


def test_access_denied_names_who_what_and_on_what(refusing):
    refusing(
        403,
        "AccessDenied",
        "User: arn:aws:iam::1:user/anna is not authorized to perform: s3:PutObject on resource: "
        "arn:aws:s3:::b/k because no identity-based policy allows the s3:PutObject action",
    )
    error = failure()
    assert "arn:aws:iam::1:user/anna may not s3:PutObject on arn:aws:s3:::b/k" in error.message
    assert "no identity-based policy allows" in error.message
    assert "allow s3:PutObject on arn:aws:s3:::b/k to arn:aws:iam::1:user/anna" in error.hint


def test_a_wrong_clock_is_told_with_the_difference(refusing):
    date = format_datetime(datetime.now(UTC) - timedelta(minutes=17), usegmt=True)
    refusing(
        403, "SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than", Date=date
    )
    error = failure()
    assert "17 minutes ahead of AWS's" in error.message
    assert "time server" in error.hint
    refusing(403, "RequestTimeTooSkewed", "The difference is too large.")
    assert "clock" in failure().message


def test_what_aws_says_of_a_signature_is_not_repeated(refusing):
    refusing(
        403, "SignatureDoesNotMatch", f"The Canonical String should have been x-amz-security-token:{SECRET}"
    )
    error = failure()
    assert "does not fit the access key" in error.message
    assert SECRET not in error.message + error.hint


def test_throttled_calls_are_made_again(refusing, monkeypatch):
    listener = refusing(400, "Throttling", "Rate exceeded")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    failure()
    assert len(listener.requests) == 2


def test_an_address_without_a_server_is_named_with_the_variable_that_gives_it(keys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        keys.setenv("AWS_ENDPOINT_URL", f"http://user:{SECRET}@127.0.0.1:{taken.getsockname()[1]}")
        error = failure()
    assert re.search(r"127\.0\.0\.1:\d+ cannot be reached", error.message)
    assert "AWS_ENDPOINT_URL is set" in error.hint
    assert SECRET not in error.message + error.hint


def test_an_address_that_is_none_is_a_usage_error(keys):
    keys.setenv("AWS_ENDPOINT_URL", "localhost")
    with pytest.raises(UsageError, match="Invalid endpoint"):
        connect("eu-central-1").client("sts")


def test_a_connection_that_breaks_is_told(wire, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    wire.breaks = lambda _: True
    assert "broke" in failure().message


def test_other_exceptions_pass():
    with pytest.raises(KeyError), explained("counting"):
        raise KeyError("x")
    assert error_code(KeyError("x")) is None


def test_the_help_does_not_wait_for_botocore():
    code = "import packager.deploy.aws, sys; sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
