import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from infra.stage import Stage
from packager.deploy import log_groups, logs
from packager.deploy.aws import connect
from packager.deploy.log_groups import LogGroup
from packager.deploy.log_records import Message, Request
from packager.deploy.logs import Wanted
from packager.errors import ToolError, UsageError

STAGE = Stage("prod", region="eu-central-1")
ID = "79b4f56e-95b1-4643-9700-2807f4e6818"
NOW = datetime.now(UTC)


class Cloud:
    """A stage's log groups, and lines in them."""

    def __init__(self, ministack):
        self.ministack = ministack
        self.now = round(NOW.timestamp() * 1000)

    def deploy(self, stack, region, *groups):
        resources = {
            f"Group{number}": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}
            for number, name in enumerate(groups)
        }
        cloudformation = self.ministack.client("cloudformation", region)
        cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": resources}))
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack)

    def log(self, group, region, *lines, ago=10.0, stream="s"):
        """Lines one millisecond after another, the first of them `ago` seconds before now."""
        client = self.ministack.client("logs", region)
        with suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_stream(logGroupName=group, logStreamName=stream)
        first = self.now - round(ago * 1000)
        rows = [{"timestamp": first + number, "message": text} for number, text in enumerate(lines)]
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=rows)


@pytest.fixture
def cloud(ministack):
    return Cloud(ministack)


@pytest.fixture
def shop(cloud):
    """A stage with two functions behind the API, and one at the edge, which has run in Ireland."""
    cloud.deploy(
        "shop-prod-api",
        "eu-central-1",
        "/aws/lambda/shop-prod-api",
        "/aws/lambda/shop-prod-api-reports",
        "/aws/vendedlogs/shop-prod-api",
    )
    cloud.deploy("shop-prod-edge", "us-east-1", "/aws/lambda/us-east-1.shop-prod-edge")
    cloud.ministack.client("logs", "eu-west-1").create_log_group(
        logGroupName="/aws/lambda/us-east-1.shop-prod-edge"
    )
    return cloud


def request_lines(number, route="/api/a", path=None):
    row = {"id": "x", "method": "GET", "route": route, "path": path or route, "status": 200, "duration_ms": 1}
    return (
        f"START RequestId: {ID}{number} Version: 1",
        f"hello of {route}",
        *([json.dumps(row)] if route else []),
        f"REPORT RequestId: {ID}{number}\tDuration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 60 MB",
    )


def read(aws, groups, ago=60):
    return list(logs.read(aws, groups, NOW - timedelta(seconds=ago), NOW))


def test_the_groups_of_a_stage_are_those_of_its_stacks_and_of_the_replicas_elsewhere(aws, shop):
    edge = "/aws/lambda/us-east-1.shop-prod-edge"
    assert log_groups.find(aws, "shop", STAGE).groups == (
        LogGroup("/aws/lambda/shop-prod-api", "eu-central-1", "api"),
        LogGroup("/aws/lambda/shop-prod-api-reports", "eu-central-1", "api-reports"),
        LogGroup(edge, "eu-west-1", "edge"),
        LogGroup(edge, "us-east-1", "edge"),
    )


def test_the_groups_of_one_function(aws, shop):
    found = log_groups.find(aws, "shop", STAGE, ["api"]).groups
    assert [row.name for row in found] == ["/aws/lambda/shop-prod-api"]
    with pytest.raises(UsageError, match="'apo'") as raised:
        log_groups.find(aws, "shop", STAGE, ["apo"])
    assert "api-reports" in raised.value.hint


def test_a_stage_that_is_not_deployed(aws):
    with pytest.raises(ToolError, match="not deployed") as raised:
        log_groups.find(aws, "shop", STAGE)
    assert "packager deploy --stage prod" in raised.value.hint


def test_all_functions_are_one_stream_in_order_of_time(aws, shop):
    groups = log_groups.find(aws, "shop", STAGE).groups
    shop.log("/aws/lambda/shop-prod-api", "eu-central-1", "first", ago=9)
    shop.log("/aws/lambda/us-east-1.shop-prod-edge", "eu-west-1", "second", ago=8)
    shop.log("/aws/lambda/shop-prod-api", "eu-central-1", "third", ago=7)
    assert [(row.text, row.function, row.region) for row in read(aws, groups)] == [
        ("first", "api", "eu-central-1"),
        ("second", "edge", "eu-west-1"),
        ("third", "api", "eu-central-1"),
    ]
    assert [row.text for row in read(aws, groups, ago=7.5)] == ["third"]


def test_a_group_that_has_gone_has_no_lines(aws, ministack):
    assert read(aws, [LogGroup("/aws/lambda/none", "eu-central-1", "api")]) == []


def test_a_route_has_its_requests_with_all_that_was_said_in_them(aws, shop):
    group = "/aws/lambda/shop-prod-api"
    shop.log(group, "eu-central-1", *request_lines(1, "/api/a"), *request_lines(2, "/api/b"))
    records = read(aws, log_groups.find(aws, "shop", STAGE).groups)
    found = list(logs.chosen(records, Wanted(route="/api/b")))
    assert [row.text for row in found if isinstance(row, Message)] == ["hello of /api/b"]
    assert [row.route for row in found if isinstance(row, Request)] == ["/api/b"]


def test_requests_of_unknown_route_are_not_held_back(aws, shop):
    shop.log("/aws/lambda/shop-prod-api", "eu-central-1", *request_lines(1, ""))
    found = list(logs.chosen(read(aws, log_groups.find(aws, "shop", STAGE).groups), Wanted(route="/api/b")))
    assert len(found) == 2


def test_a_level_leaves_out_what_is_below(aws, shop):
    lines = ("[DEBUG] a", "hello", "[WARN] b", "[ERROR] c")
    shop.log("/aws/lambda/shop-prod-api", "eu-central-1", *lines)
    records = read(aws, log_groups.find(aws, "shop", STAGE).groups)
    assert [
        len(list(logs.chosen(records, Wanted(level)))) for level in ("debug", "info", "warning", "error")
    ] == [
        4,
        3,
        2,
        1,
    ]


def test_following_gives_each_line_once_and_late_ones_too(aws, shop):
    group = "/aws/lambda/shop-prod-api"
    rounds = [
        lambda: shop.log(group, "eu-central-1", "same", "late", ago=6, stream="b"),
        lambda: shop.log(group, "eu-central-1", "same", ago=2),
    ]

    def pause(_):
        rounds.pop(0)()

    shop.log(group, "eu-central-1", "same", "same", ago=5)
    followed = logs.follow(
        aws, lambda: log_groups.find(aws, "shop", STAGE), NOW - timedelta(seconds=60), pause
    )
    found = [(row.text, row.time - shop.now) for row in islice(followed, 5)]
    assert found == [("same", -5000), ("same", -4999), ("same", -6000), ("late", -5999), ("same", -2000)]


def test_throttling_is_waited_for_and_then_told(aws, shop, wire, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    groups = log_groups.find(aws, "shop", STAGE).groups
    caller = connect("eu-central-1")
    wire.breaks = lambda _: wire.lost < 1
    shop.log("/aws/lambda/shop-prod-api", "eu-central-1", "hello")
    assert [row.text for row in read(caller, groups[:1])] == ["hello"]
    wire.breaks = lambda _: True
    with pytest.raises(ToolError, match="reading the logs failed"):
        read(caller, groups[:1])
    caller.close()


def test_a_region_that_is_closed_to_the_caller_is_named(aws, shop, monkeypatch):
    real = aws.client

    class Closed:
        def __init__(self, client):
            self.exceptions = client.exceptions

        def describe_log_groups(self, **_):
            answer = {"Error": {"Code": "AccessDeniedException", "Message": "closed by a policy"}}
            raise self.exceptions.ClientError(answer, "DescribeLogGroups")

    def client(service, region=None):
        found = real(service, region)
        return Closed(found) if (service, region) == ("logs", "sa-east-1") else found

    monkeypatch.setattr(aws, "client", client)
    found = log_groups.find(aws, "shop", STAGE, ["edge"])
    assert found.refused == ("sa-east-1",)
    assert len(found.groups) == 2


def test_a_reader_who_stops_early_is_not_kept_waiting(aws, shop):
    shop.log("/aws/lambda/shop-prod-api", "eu-central-1", *map(str, range(50)))
    records = logs.read(aws, log_groups.find(aws, "shop", STAGE).groups, NOW - timedelta(seconds=60), NOW)
    assert next(records).text == "0"
    records.close()
    assert list(records) == []
