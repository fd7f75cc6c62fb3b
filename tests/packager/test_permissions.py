import pytest

from packager.errors import UsageError
from packager.examine import examine
from packager.permissions import suggest

GET = "def GET(request):\n"


@pytest.fixture
def suggested(write):
    """What the one function of a project needs: action → resources, and the suggestion itself."""

    def suggest_for(body="", name=None, **files):
        root = write({"app/api/a/route.py": f"import boto3\n{body}{GET}    return {{}}\n", **files})
        return suggest(examine(root), name)

    return suggest_for


@pytest.fixture
def actions(suggested):
    def found(body="", **files):
        return {
            (action, *statement.resources)
            for row in suggested(body, **files)
            for statement in row.statements
            for action in statement.actions
        }

    return found


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            'boto3.client("dynamodb").get_item(TableName="users")',
            {("dynamodb:GetItem", "arn:aws:dynamodb:*:*:table/users")},
        ),
        ('boto3.client("dynamodb").get_item(TableName=name())', {("dynamodb:GetItem", "*")}),
        (
            'boto3.resource("dynamodb").Table("users").query(IndexName="by-age")',
            {
                (
                    "dynamodb:Query",
                    "arn:aws:dynamodb:*:*:table/users",
                    "arn:aws:dynamodb:*:*:table/users/index/by-age",
                )
            },
        ),
        (
            'boto3.client("dynamodb").batch_get_item(RequestItems={"b": {}, "a": {}})',
            {
                (
                    "dynamodb:BatchGetItem",
                    "arn:aws:dynamodb:*:*:table/a",
                    "arn:aws:dynamodb:*:*:table/b",
                )
            },
        ),
        ('boto3.client("s3").list_objects_v2(Bucket="b")', {("s3:ListBucket", "arn:aws:s3:::b")}),
        ('boto3.client("s3").list_buckets()', {("s3:ListAllMyBuckets", "*")}),
        ('boto3.client("s3").upload_file("f", "b", "k")', {("s3:PutObject", "arn:aws:s3:::b/k")}),
        ('boto3.client("s3").head_object(Bucket="b", Key=key)', {("s3:GetObject", "arn:aws:s3:::b/*")}),
        (
            'boto3.client("s3").copy_object(Bucket="b", Key="k", CopySource="from/x")',
            {("s3:GetObject", "arn:aws:s3:::from/x"), ("s3:PutObject", "arn:aws:s3:::b/k")},
        ),
        (
            'boto3.client("s3").generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})',
            {("s3:GetObject", "arn:aws:s3:::b/k")},
        ),
        (
            'boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket="b")',
            {("s3:ListBucket", "arn:aws:s3:::b")},
        ),
        (
            'boto3.client("s3").get_waiter("object_exists").wait(Bucket="b", Key="k")',
            {("s3:GetObject", "arn:aws:s3:::b/k")},
        ),
        ('boto3.resource("s3").Bucket("b").objects.all()', {("s3:ListBucket", "arn:aws:s3:::b")}),
        (
            'boto3.resource("s3").Bucket("b").objects.delete()',
            {("s3:ListBucket", "arn:aws:s3:::b"), ("s3:DeleteObject", "arn:aws:s3:::b/*")},
        ),
        ('boto3.resource("s3").Bucket("b").Object("k").get()', {("s3:GetObject", "arn:aws:s3:::b/k")}),
        ('boto3.resource("s3").Object("b", "k").upload_file("f")', {("s3:PutObject", "arn:aws:s3:::b/k")}),
        (
            'boto3.client("sqs").send_message_batch(QueueUrl="https://sqs.eu-west-1.amazonaws.com/123456789012/q")',
            {("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:q")},
        ),
        (
            'boto3.client("sns").publish(TopicArn="arn:aws:sns:eu-west-1:123456789012:t")',
            {("sns:Publish", "arn:aws:sns:eu-west-1:123456789012:t")},
        ),
        ('boto3.client("cloudwatch").put_metric_data()', {("cloudwatch:PutMetricData", "*")}),
        ('boto3.client("stepfunctions").start_execution()', {("states:StartExecution", "*")}),
        (
            'boto3.client("lambda").invoke(FunctionName="f")',
            {("lambda:InvokeFunction", "arn:aws:lambda:*:*:function:f")},
        ),
        (
            'boto3.client("ssm").get_parameters_by_path(Path="/a/b/")',
            {("ssm:GetParametersByPath", "arn:aws:ssm:*:*:parameter/a/b/*")},
        ),
        ('boto3.Session().client("kms").decrypt()', {("kms:Decrypt", "*")}),
        ('boto3.client(service_name="sns").list_topics()', {("sns:ListTopics", "*")}),
        ('boto3.client("s3").close()', set()),
        ('boto3.client("nowhere").run()', set()),
        ('other.client("s3x").run()', set()),
    ],
)
def test_a_call_gives_actions_and_resources(actions, call, expected):
    assert actions(f"def work(key=None):\n    {call}\n") == expected


def test_names_are_followed_through_modules_functions_and_attributes(actions):
    found = actions(
        "from lib import aws\nfrom lib.aws import table as users, s3\nimport lib.aws\n"
        "def work():\n"
        "    users.put_item(Item={})\n"
        "    aws.table.get_item()\n"
        "    lib.aws.table.delete_item()\n"
        "    s3().put_object(Bucket=aws.BUCKET)\n"
        "    client = s3()\n"
        "    client.get_object(Bucket='b')\n",
        **{
            "lib/aws.py": "import boto3\n"
            "session = boto3.Session()\n"
            "table = session.resource('dynamodb').Table('users')\n"
            "BUCKET = 'b'\n"
            "def s3():\n    return boto3.client('s3')\n"
            "class Jobs:\n"
            "    def __init__(self):\n        self.sqs = boto3.client('sqs')\n"
            "    def send(self):\n        self.sqs.send_message(QueueUrl=self.url)\n"
        },
    )
    table = "arn:aws:dynamodb:*:*:table/users"
    assert found == {
        ("dynamodb:PutItem", table),
        ("dynamodb:GetItem", table),
        ("dynamodb:DeleteItem", table),
        ("s3:PutObject", "*"),
        ("s3:GetObject", "arn:aws:s3:::b/*"),
        ("sqs:SendMessage", "*"),
    }


@pytest.mark.parametrize(
    "read", ['os.environ["TABLE"]', 'os.environ.get("TABLE", "x")', 'os.getenv("TABLE")']
)
def test_a_variable_of_the_app_is_as_good_as_a_literal(actions, read):
    body = f"import os\ntable = boto3.resource('dynamodb').Table({read})\ntable.scan()\n"
    assert actions(body, **{".env": "TABLE=users\n"}) == {
        ("dynamodb:Scan", "arn:aws:dynamodb:*:*:table/users")
    }


def test_a_batch_writer_and_an_awaited_client_of_with(actions):
    body = (
        "async def work(session):\n"
        "    async with session.client('s3') as s3:\n"
        "        await s3.get_object(Bucket='b', Key='k')\n"
        "    with boto3.resource('dynamodb').Table('t').batch_writer() as batch:\n"
        "        batch.put_item(Item={})\n"
    )
    assert actions(body) == {
        ("s3:GetObject", "arn:aws:s3:::b/k"),
        ("dynamodb:BatchWriteItem", "arn:aws:dynamodb:*:*:table/t"),
    }


def test_calls_are_named_with_their_place_and_what_is_not_known_is_marked(suggested):
    (row,) = suggested("s3 = boto3.client('s3')\ns3.get_object(Bucket=b)\nboto3.client(which)\n")
    assert (row.function, row.runtime) == ("api", "nodejs")
    (statement,) = row.statements
    assert (statement.resources, statement.narrow) == (("*",), True)
    assert [(site.file, site.line, site.call) for site in statement.calls] == [
        ("app/api/a/route.py", 3, "s3.get_object()")
    ]
    assert [(site.line, site.call) for site in row.unknown] == [(4, "boto3.client(which)")]


def test_an_app_without_boto3_needs_nothing(suggested):
    (row,) = suggested(**{"app/api/a/route.py": "def GET(): return {}\n"})
    assert (row.statements, row.unknown) == ((), ())


def test_one_route_counts_alone_and_one_function_as_a_whole(suggested):
    other = {"app/api/b/route.py": "import boto3\nboto3.client('sns').publish()\n" + GET + "    pass\n"}
    body = "boto3.client('s3').list_buckets()\n"

    def needed(name):
        return [
            action for row in suggested(body, name, **other) for s in row.statements for action in s.actions
        ]

    assert needed("/api/b") == needed("app/api/b/route.py") == ["sns:Publish"]
    assert needed("api") == needed(None) == ["s3:ListAllMyBuckets", "sns:Publish"]
    with pytest.raises(UsageError, match="no route and no function 'nope'"):
        needed("nope")
