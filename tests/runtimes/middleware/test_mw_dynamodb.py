import asyncio
import subprocess
import sys

import boto3
import pytest
from botocore.stub import Stubber

from runtimes.middleware import DynamoDBStore

REFUSED = {"service_error_code": "ConditionalCheckFailedException"}


@pytest.fixture
def client():
    return boto3.session.Session().client(
        "dynamodb", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def counting():
    return {
        "TableName": "hits",
        "Key": {"key": {"S": "ada"}},
        "UpdateExpression": "ADD hits :one",
        "ConditionExpression": "expires > :now",
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":now": {"N": "1000.5"}},
        "ReturnValues": "ALL_NEW",
    }


def beginning():
    return {
        **counting(),
        "UpdateExpression": "SET hits = :one, expires = :end",
        "ConditionExpression": "attribute_not_exists(expires) OR expires <= :now",
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":now": {"N": "1000.5"}, ":end": {"N": "1061"}},
    }


def row(hits):
    return {"Attributes": {"key": {"S": "ada"}, "hits": {"N": str(hits)}, "expires": {"N": "1061"}}}


def hit(client, *steps):
    with Stubber(client) as stub:
        for expected, answer in steps:
            if answer is REFUSED:
                stub.add_client_error("update_item", **REFUSED, expected_params=expected)
            else:
                stub.add_response("update_item", answer, expected)
        found = asyncio.run(DynamoDBStore("hits", client=client, clock=lambda: 1000.5).hit("ada", 60))
        stub.assert_no_pending_responses()
        return found


def test_an_open_window_is_counted_on_in_one_write(client):
    assert hit(client, (counting(), row(7))) == (7, 60.5)


def test_the_first_hit_opens_a_window_only_if_there_is_none(client):
    assert hit(client, (counting(), REFUSED), (beginning(), row(1))) == (1, 60.5)


def test_who_comes_second_to_open_it_counts_on(client):
    steps = [(counting(), REFUSED), (beginning(), REFUSED), (counting(), row(2))]
    assert hit(client, *steps) == (2, 60.5)


def test_a_row_that_never_holds_still_is_an_error(client):
    with pytest.raises(RuntimeError, match="hits: the window of 'ada' was changed by others 3 times"):
        hit(client, *[(counting(), REFUSED), (beginning(), REFUSED)] * 3)


def test_boto3_is_imported_with_the_first_hit_and_its_absence_says_what_to_declare():
    code = (
        "import asyncio, sys\n"
        "from runtimes.middleware import DynamoDBStore\n"
        "store = DynamoDBStore('hits')\n"
        "assert 'boto3' not in sys.modules\n"
        "sys.modules['boto3'] = None\n"
        "asyncio.run(store.hit('a', 1))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: DynamoDBStore needs boto3: add it to [project] dependencies" in done.stderr


def test_on_edge_it_is_refused_at_start(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    with pytest.raises(RuntimeError, match="does not run on edge, which has no sockets"):
        DynamoDBStore("hits")
