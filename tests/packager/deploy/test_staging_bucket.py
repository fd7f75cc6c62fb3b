import json
import threading

import pytest
from ministack import ACCOUNT

from packager.deploy import assembly, staging
from packager.deploy.aws import connect
from packager.errors import ToolError

OWN = f"packager-{ACCOUNT}-eu-central-1-an"
BOOTSTRAP = f"cdk-hnb659fds-assets-{ACCOUNT}-eu-central-1"


@pytest.fixture
def s3(ministack):
    return ministack.client("s3")


def make(s3, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})


def test_the_own_bucket_is_made_private_encrypted_versioned_and_tidy(aws, s3):
    found = staging.bucket(aws, "eu-central-1")
    assert (found.name, found.kind) == (OWN, "own")
    assert s3.get_bucket_versioning(Bucket=OWN)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=OWN)["PublicAccessBlockConfiguration"].values())
    rules = s3.get_bucket_encryption(Bucket=OWN)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (tls, lambda_) = json.loads(s3.get_bucket_policy(Bucket=OWN)["Policy"])["Statement"]
    assert (tls["Effect"], tls["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert lambda_["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    rules = s3.get_bucket_lifecycle_configuration(Bucket=OWN)["Rules"]
    assert {rule["ID"] for rule in rules} == {"replaced", "holds"}
    assert not any("Days" in rule.get("Expiration", {}) for rule in rules), "deployed code never expires"


def test_in_us_east_1_it_is_made_as_well(aws):
    assert staging.bucket(aws, "us-east-1").name == f"packager-{ACCOUNT}-us-east-1-an"
    assert staging.find(aws, "us-east-1")


def test_looking_for_it_makes_nothing(aws, s3):
    assert staging.find(aws, "eu-central-1") is None
    assert s3.list_buckets()["Buckets"] == []


def test_the_bucket_of_a_bootstrap_is_used_as_it_is(aws, s3):
    make(s3, BOOTSTRAP)
    assert staging.bucket(aws, "eu-central-1") == staging.Bucket(BOOTSTRAP, "eu-central-1", "bootstrap")
    assert [row["Name"] for row in s3.list_buckets()["Buckets"]] == [BOOTSTRAP]
    assert "Status" not in s3.get_bucket_versioning(Bucket=BOOTSTRAP)


def test_the_own_bucket_stays_when_a_bootstrap_comes_later(aws, s3):
    staging.bucket(aws, "eu-central-1")
    make(s3, BOOTSTRAP)
    assert staging.bucket(aws, "eu-central-1").name == OWN


def test_a_bucket_that_is_anothers_is_not_used(ministack, monkeypatch, s3):
    make(s3, f"cdk-hnb659fds-assets-{'9' * 12}-eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "9" * 12)
    other = connect("eu-central-1")
    assert staging.bucket(other, "eu-central-1").kind == "own"
    other.close()


def test_a_bucket_that_was_left_half_made_is_finished(aws, s3):
    make(s3, OWN)
    staging.bucket(aws, "eu-central-1")
    assert s3.get_bucket_versioning(Bucket=OWN)["Status"] == "Enabled"


def test_a_finished_bucket_is_not_touched_again(aws, s3):
    staging.bucket(aws, "eu-central-1")
    s3.put_bucket_versioning(Bucket=OWN, VersioningConfiguration={"Status": "Suspended"})
    staging.bucket(aws, "eu-central-1")
    assert s3.get_bucket_versioning(Bucket=OWN)["Status"] == "Suspended"


def test_several_may_make_it_at_once(aws):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(staging.bucket(aws, "eu-central-1"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [bucket.name for bucket in found] == [OWN] * 4


def test_a_bucket_that_the_caller_may_not_look_at_is_told(aws, monkeypatch):
    assert aws.account == ACCOUNT
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "9" * 12)
    other = connect("eu-central-1")
    make(other.client("s3"), OWN)
    with pytest.raises(ToolError, match="looking for the staging bucket failed: access denied to HeadBucket"):
        staging.bucket(aws, "eu-central-1")
    other.close()


def test_templates_get_the_bucket_that_there_is(aws, made_assembly):
    found = assembly.read(made_assembly({"api.zip": b"code"}))
    staged = staging.buckets(aws, found)
    template, code = found.stacks[0].template, found.stacks[0].assets[0]
    text = staging.content(aws, template, staged)
    assert json.loads(text)["Bucket"] == {"Fn::Sub": OWN}
    assert staging.content(aws, code, staged) is None
    assert staging.template_url(aws, template, staged).endswith(f"/{OWN}/{template.key}")


def test_templates_stay_as_they_are_with_a_bootstrap(aws, s3, made_assembly):
    make(s3, BOOTSTRAP)
    found = assembly.read(made_assembly())
    template = found.stacks[0].template
    assert staging.content(aws, template, staging.buckets(aws, found)) is None
