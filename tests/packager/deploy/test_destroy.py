import dataclasses
import json

import pytest
from deployed_shop import Shop

from infra.stage import Stage
from packager.deploy import destroy, releases, staging
from packager.deploy.progress import Silent
from packager.errors import ToolError, UsageError


def buckets(shop):
    return [row["Name"] for row in shop.cloud.client("s3").list_buckets()["Buckets"]]


def stacks(shop):
    found = shop.cloud.client("cloudformation").describe_stacks()["Stacks"]
    return [row["StackName"] for row in found if row["StackStatus"] != "DELETE_COMPLETE"]


def destroyed(shop):
    return destroy.destroy(shop.aws, destroy.find(shop.aws, "shop", "dev"), Silent())


def test_nothing_is_left(shop):
    shop.deploy(api="one", files="one")
    shop.deploy(api="two", files="one")
    standing = destroy.find(shop.aws, "shop", "dev")
    assert [row.name for row in standing.stacks] == ["shop-dev-ops", "shop-dev-api"]
    assert destroyed(shop) == ()
    assert destroy.forget(shop.aws, shop.ledger) is None
    assert (stacks(shop), buckets(shop)) == ([], [])
    assert shop.cloud.client("lambda").list_functions()["Functions"] == []
    assert destroy.find(shop.aws, "shop", "dev").is_empty


def test_what_the_settings_retain_is_told_with_the_command(ministack, tmp_path):
    shop = Shop(ministack, tmp_path, Stage("dev", cdn=False, retain=True))
    shop.deploy(api="one")
    kept = {row.name: row for row in destroyed(shop)}
    assert kept.keys() == {"/aws/lambda/shop-dev-api", "/aws/vendedlogs/shop-dev-api"}
    log = kept["/aws/lambda/shop-dev-api"]
    assert "setting retain" in log.why
    assert log.command == (
        "aws logs delete-log-group --log-group-name /aws/lambda/shop-dev-api --region us-east-1"
    )


def test_a_protected_stage_is_refused_with_the_name_of_the_setting(ministack, tmp_path):
    shop = Shop(ministack, tmp_path, Stage("dev", cdn=False, termination_protection=True))
    shop.deploy(api="one")
    with pytest.raises(UsageError, match="termination_protection") as caught:
        destroy.check(destroy.find(shop.aws, "shop", "dev"), "dev")
    assert "[tool.packager.stages.dev]" in caught.value.hint


def test_the_bucket_stays_while_another_stage_has_releases_or_is_deployed(shop):
    shop.deploy(api="one")
    s3, bucket = shop.cloud.client("s3"), shop.ledger.bucket.name
    for key in ("releases/shop-prod/1.json", "holds/other-prod.json"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
        assert "other stages" in destroy.forget(shop.aws, shop.ledger).why
        assert releases.read(shop.aws, shop.ledger) == ()
        s3.delete_object(Bucket=bucket, Key=key)
    staging.bucket(shop.aws, "eu-central-1")
    assert "other stages" in destroy.forget(shop.aws, shop.ledger).why
    s3.delete_bucket(Bucket=shop.ledger.bucket.name.replace("us-east-1", "eu-central-1"))
    assert destroy.forget(shop.aws, shop.ledger) is None


def test_the_bucket_of_the_cdk_stays(shop):
    bucket = dataclasses.replace(shop.ledger.bucket, kind="bootstrap")
    left = destroy.forget(shop.aws, dataclasses.replace(shop.ledger, bucket=bucket))
    assert "CDK" in left.why


def test_what_cannot_be_deleted_is_let_go_of_and_the_stack_goes(shop):
    client, images = shop.cloud.client("cloudformation"), shop.cloud.client("ecr")
    repository = {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "full"}}
    template = {"Resources": {"Full": repository, "Topic": {"Type": "AWS::SNS::Topic"}}}
    client.create_stack(StackName="shop-dev-edge", TemplateBody=json.dumps(template))
    client.get_waiter("stack_create_complete").wait(StackName="shop-dev-edge", WaiterConfig={"Delay": 0.1})
    images.put_image(repositoryName="full", imageManifest="{}", imageTag="one")
    shown = Notes()
    kept = destroy.destroy(shop.aws, destroy.find(shop.aws, "shop", "dev"), shown)
    assert [(row.type, row.name, row.region) for row in kept] == [
        ("AWS::ECR::Repository", "full", "us-east-1")
    ]
    assert "Full (AWS::ECR::Repository)" in shown.notes[0]
    assert stacks(shop) == []
    assert [row["repositoryName"] for row in images.describe_repositories()["repositories"]] == ["full"]


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.mark.parametrize(("tag", "found"), [("dev", ["shop-dev-edge"]), ("prod", [])])
def test_edge_functions_that_were_left_are_found_by_their_tags(shop, tag, found):
    left_function(shop, tag)
    assert list(destroy.find(shop.aws, "shop", "dev").functions) == found
    assert destroyed(shop) == ()
    names = [row["FunctionName"] for row in shop.cloud.client("lambda").list_functions()["Functions"]]
    assert names == ([] if found else ["shop-dev-edge"])


def left_function(shop, tag="dev"):
    built = shop.build(api="one")
    zip_file = (shop.folder / built.functions[0].artifact).read_bytes()
    shop.cloud.client("lambda").create_function(
        FunctionName="shop-dev-edge",
        Runtime="python3.13",
        Handler="index.handler",
        Role="arn:aws:iam::123456789012:role/any",
        Code={"ZipFile": zip_file},
        Tags={"packager:app": "shop", "packager:stage": tag},
    )


def test_replicas_at_cloudfront_are_told_with_what_to_do_later(shop):
    from botocore.stub import Stubber  # noqa: PLC0415

    left_function(shop)
    standing = destroy.find(shop.aws, "shop", "dev")
    message = "Lambda was unable to delete the function because it is a replicated function."
    with Stubber(shop.aws.client("lambda")) as stub:
        stub.add_client_error("delete_function", "InvalidParameterValueException", message, 400)
        (kept,) = destroy.destroy(shop.aws, standing, Silent())
    assert (kept.name, "replicas" in kept.why) == ("shop-dev-edge", True)
    assert kept.command == "aws lambda delete-function --function-name shop-dev-edge --region us-east-1"


def test_a_stack_that_does_not_go_at_all_is_an_error(shop, monkeypatch):
    shop.deploy(api="one")
    rows = [destroy.Resource("Api", "AWS::ApiGatewayV2::Api", "a", "DELETE_FAILED")]
    monkeypatch.setattr(destroy, "_deleted", lambda *_: rows)
    with pytest.raises(ToolError, match="shop-dev-ops could not be deleted, even without Api"):
        destroyed(shop)
