import json

import pytest
from botocore.stub import Stubber
from deployed_shop import Shop
from manifests import function, manifest_of, route, written

from infra.stage import Stage
from packager.deploy import destroy, live, releases, rollback
from packager.deploy.live import Move
from packager.deploy.progress import Silent
from packager.errors import ToolError


def test_a_stage_that_is_not_deployed_has_nothing_live(shop):
    assert shop.live() == live.Live("us-east-1")


def test_what_is_live_are_the_versions_that_the_aliases_point_to(shop):
    shop.deploy(api="one", files="one")
    shop.deploy(api="two", files="one")
    found = shop.live()
    assert found.versions == {"shop-dev-api": "2", "shop-dev-files": "1"}
    assert [row.stacked for row in found.functions] == ["2", "1"]
    assert releases.behind(found) == ()


def test_aliases_move_and_what_answers_with_them(shop):
    shop.deploy(api="one", files="one")
    shop.deploy(api="two", files="two")
    live.shift(shop.aws, shop.live(), [Move("shop-dev-api", "2", "1"), Move("shop-dev-files", "2", "1")])
    assert (shop.says("api"), shop.says("files")) == ("one", "one")


def test_all_is_put_back_if_one_of_them_cannot_move(shop):
    shop.deploy(api="one", files="one")
    shop.deploy(api="two", files="two")
    found = shop.live()
    client = shop.cloud.client("lambda")
    client.update_alias(FunctionName="shop-dev-files", Name="live", FunctionVersion="2")
    with pytest.raises(ToolError, match="what had moved was put back"):
        live.shift(shop.aws, found, [Move("shop-dev-api", "2", "1"), Move("shop-dev-files", "2", "1")])
    assert (shop.says("api"), shop.says("files")) == ("two", "two")


def test_a_move_that_was_made_already_is_no_failure(shop):
    """As when the answer to a call was lost, and botocore made it again."""
    shop.deploy(api="one")
    shop.deploy(api="two")
    found = shop.live()
    shop.cloud.client("lambda").update_alias(FunctionName="shop-dev-api", Name="live", FunctionVersion="1")
    live.shift(shop.aws, found, [Move("shop-dev-api", "2", "1")])
    assert shop.says("api") == "one"


def test_the_versions_of_a_function_are_told_with_the_hashes_of_their_code(shop):
    shop.deploy(api="one")
    shop.deploy(api="two")
    known = live.versions(shop.aws, shop.live())["shop-dev-api"]
    assert known.keys() == {"$LATEST", "1", "2"}
    assert known["2"] == known["$LATEST"] != known["1"]


def test_functions_of_nested_stacks_are_found_and_go_with_the_stack(shop):
    bucket, s3 = shop.ledger.bucket.name, shop.cloud.client("s3")
    inner = {
        "Code": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "shop-dev-api",
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": "arn:aws:iam::123456789012:role/any",
                "Code": {"ZipFile": "def handler(event, context):\n    return 1\n"},
            },
        },
        "One": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Code"}}},
        "Live": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "Name": "live",
                "FunctionName": {"Ref": "Code"},
                "FunctionVersion": {"Fn::GetAtt": ["One", "Version"]},
            },
        },
        "Kept": {"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Retain"},
    }
    s3.put_object(Bucket=bucket, Key="nested.json", Body=json.dumps({"Resources": inner}).encode())
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": f"{shop.cloud.endpoint}/{bucket}/nested.json"},
    }
    client = shop.cloud.client("cloudformation")
    client.create_stack(StackName="shop-dev-api", TemplateBody=json.dumps({"Resources": {"N": nested}}))
    client.get_waiter("stack_create_complete").wait(StackName="shop-dev-api", WaiterConfig={"Delay": 0.1})
    (found,) = shop.live().functions
    assert (found.name, found.version, found.stacked, found.version_id) == ("shop-dev-api", "1", "1", "One")
    standing = destroy.find(shop.aws, "shop", "dev")
    assert [row.type for row in destroy.destroy(shop.aws, standing, Silent())] == ["AWS::Logs::LogGroup"]
    assert shop.cloud.client("lambda").list_functions()["Functions"] == []


def deploy_edge(shop, memory):
    """The shop with an edge route on Lambda@Edge; another memory makes another version of its function."""
    shop.build(api="one")
    routes = [route("/api/users/[id]", "api"), route("/api/hello", "edge", "edge")]
    built = written(manifest_of(routes, functions=[function("edge", "edge", memory=memory)]), shop.folder)
    shop.carry_out(shop.synth(built))
    return built


def associated(shop):
    client = shop.cloud.client("cloudfront")
    config = client.get_distribution_config(Id=shop.live().distribution)["DistributionConfig"]
    return {
        row["LambdaFunctionARN"].rpartition(":")[2]
        for behaviour in config["CacheBehaviors"]["Items"]
        for row in behaviour["LambdaFunctionAssociations"].get("Items", [])
    }


@pytest.fixture
def edge_shop(ministack, tmp_path):
    """Deployed twice: its edge function has two versions, the others one."""
    shop = Shop(ministack, tmp_path, Stage("dev"))
    for memory in (256, 512):
        shop.record(deploy_edge(shop, memory))
    return shop


def test_edge_versions_are_those_of_the_distribution_and_move_with_it(edge_shop):
    shop = edge_shop
    assert (shop.live().edge_versions, associated(shop)) == ({"shop-dev-edge": "2"}, {"2"})
    found, now = releases.read(shop.aws, shop.ledger), shop.live()
    planned = rollback.plan(found, now, live.versions(shop.aws, now))
    assert planned.moves == (Move("shop-dev-edge", "2", "1", edge=True),)
    rollback.carry_out(shop.aws, shop.ledger, now, planned, found)
    assert (shop.live().edge_versions, associated(shop)) == ({"shop-dev-edge": "1"}, {"1"})
    assert releases.reconcile(shop.aws, shop.live()) == (Move("shop-dev-edge", "1", "2", edge=True),)
    assert associated(shop) == {"2"}


def test_aliases_are_put_back_if_the_distribution_cannot_be_changed(edge_shop):
    shop = edge_shop
    client = shop.cloud.client("lambda")
    client.publish_version(FunctionName="shop-dev-api")
    client.update_function_configuration(FunctionName="shop-dev-api", MemorySize=1024)
    client.get_waiter("function_updated_v2").wait(FunctionName="shop-dev-api", WaiterConfig={"Delay": 0.1})
    client.publish_version(FunctionName="shop-dev-api")
    now = shop.live()
    moves = [Move("shop-dev-api", "1", "2"), Move("shop-dev-edge", "2", "1", edge=True)]
    with Stubber(shop.aws.client("cloudfront")) as stub:
        stub.add_client_error("get_distribution_config", "AccessDenied", "no", 403)
        with pytest.raises(ToolError, match=r"changing the distribution failed.*what had moved was put back"):
            live.shift(shop.aws, now, moves)
    assert shop.live().versions == now.versions
