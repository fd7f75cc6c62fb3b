import io
import json
import time
import zipfile

import pytest
from manifests import manifest_of, route

from infra.manifest import Site
from packager.deploy.version_check import check
from packager.errors import ToolError

CODE = """
import json, os
def handler(event, context):
    if event["rawPath"] == "/api/raises":
        raise ValueError("it cannot")
    key = os.environ.get("PACKAGER_ORIGIN_KEY")
    if key and event["headers"].get("x-packager-origin-key") != key:
        return {"statusCode": 403}
    seen = [event["rawPath"], event["rawQueryString"], event.get("pathParameters"), event["routeKey"]]
    return {"statusCode": 500 if "bad" in event["rawPath"] else 200, "body": json.dumps(seen)}
"""


@pytest.fixture
def deployed(ministack, aws):
    """The function `api` of the shop's stage `prod`, whose version 1 wants the CDN's key."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", CODE)
    client = ministack.client("lambda", "eu-central-1")
    client.create_function(
        FunctionName="shop-prod-api",
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/x",
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"PACKAGER_ORIGIN_KEY": "k" * 8}},
        Publish=True,
    )
    while client.get_function_configuration(FunctionName="shop-prod-api")["State"] == "Pending":
        time.sleep(0.05)
    return {"shop-prod-api": "1"}


BUILT = manifest_of(
    [route("/api/users/[id]"), route("/api/bad"), route("/api/raises"), route("/", runtime="edge")]
)


def test_a_version_is_asked_with_the_key_of_the_cdn(aws, deployed):
    (found,) = check(aws, BUILT, "prod", deployed, ["/api/users/7?full=1"])
    assert (found.path, found.status, found.is_good) == ("/api/users/7?full=1", 200, True)


def test_answers_that_are_not_good_are_told(aws, deployed):
    bad, raises = check(aws, BUILT, "prod", deployed, ["/api/bad", "/api/raises"])
    assert (bad.status, json.loads(bad.said)[0]) == (500, "/api/bad")
    assert (raises.status, raises.said) == (None, "it cannot")


def test_routes_of_other_functions_are_left_to_the_check_of_the_whole(aws, deployed):
    assert check(aws, BUILT, "prod", deployed, ["/", "/nothing"]) == ()


def test_the_base_path_is_there_as_in_a_request(aws, deployed):
    built = manifest_of([route("/api/bad")], site=Site(base_path="/shop"))
    (found,) = check(aws, built, "prod", deployed, ["/api/bad"])
    assert json.loads(found.said)[0] == "/shop/api/bad"


def test_a_version_that_is_not_there_is_an_error(aws, deployed):
    with pytest.raises(ToolError, match="asking version 9 of shop-prod-api"):
        check(aws, BUILT, "prod", {"shop-prod-api": "9"}, ["/api/bad"])
