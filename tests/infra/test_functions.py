"""One function on Lambda: what it is configured with and what it may do."""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

from manifests import function, manifest_of, route
from stacks import SHOP, Template, of_type, properties, synthesized

from infra.functions import resource_id
from infra.stage import Permission, Stage

DEV = Stage("dev", cdn=False)
EDGE_ALONE = manifest_of([route("/", "edge", "edge")], target="regional")


def api(folder: Path, stage: Stage = DEV, manifest: Any = SHOP) -> Template:
    return synthesized(folder, manifest, stage).template(f"{manifest.app.name}-{stage.name}-api")


def statements(template: Template, role: str) -> list[dict[str, Any]]:
    (policy,) = properties(template, role)["Policies"]
    return policy["PolicyDocument"]["Statement"]


def versions(template: Template) -> set[str]:
    return set(of_type(template, "AWS::Lambda::Version"))


def test_memory_time_architecture_and_storage_are_explicit(tmp_path: Path) -> None:
    row = properties(api(tmp_path), "ApiFunction")
    assert row["MemorySize"] == 512
    assert row["Timeout"] == 30
    assert row["Architectures"] == ["arm64"]
    assert row["EphemeralStorage"] == {"Size": 512}
    assert row["Runtime"] == "python3.13"
    assert row["Handler"] == "_packager.handler"
    assert row["TracingConfig"] == {"Mode": "Active"}
    assert "ReservedConcurrentExecutions" not in row
    assert "SnapStart" not in row


def test_edge_functions_behind_the_api_run_on_node(tmp_path: Path) -> None:
    row = properties(api(tmp_path), "EdgeFunction")
    assert row["Runtime"] == "nodejs24.x"
    assert row["Handler"] == "index.handler"
    assert row["Environment"]["Variables"]["API_BASE"] == "https://example.com"


def test_concurrency_is_reserved_if_the_stage_says_so(tmp_path: Path) -> None:
    row = properties(api(tmp_path, dataclasses.replace(DEV, concurrency=7)), "ApiFunction")
    assert row["ReservedConcurrentExecutions"] == 7


def test_snap_start_is_for_published_versions(tmp_path: Path) -> None:
    fast = manifest_of([route("/x", "api")], functions=[function("api", snap_start=True)])
    assert properties(api(tmp_path, manifest=fast), "ApiFunction")["SnapStart"] == {
        "ApplyOn": "PublishedVersions"
    }


def test_every_function_has_the_same_variables_and_no_secret(tmp_path: Path) -> None:
    template = api(tmp_path)
    for row in of_type(template, "AWS::Lambda::Function").values():
        variables = row["Properties"]["Environment"]["Variables"]
        assert variables["API_BASE"] == "https://example.com"
        assert json.loads(variables["PACKAGER_SECRETS"]) == {
            "DB_URL": "secretsmanager:dev/db#url",
            "SESSION_KEY": "ssm:/shop/dev/session-key",
        }
    assert "{{resolve:" not in json.dumps(template)


def test_a_role_reads_exactly_the_secrets_and_writes_its_own_logs(tmp_path: Path) -> None:
    arn = "arn:${AWS::Partition}:"
    here = "us-east-1:${AWS::AccountId}:"
    assert statements(api(tmp_path), "ApiRole") == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": ["ApiLogs", "Arn"]},
        },
        {
            "Effect": "Allow",
            "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": ["ssm:GetParameter", "ssm:GetParameters"],
            "Resource": {"Fn::Sub": f"{arn}ssm:{here}parameter/shop/dev/session-key"},
        },
        {
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": {"Fn::Sub": f"{arn}secretsmanager:{here}secret:dev/db-??????"},
        },
    ]


def test_a_role_has_no_policies_but_its_own(tmp_path: Path) -> None:
    template = api(tmp_path)
    roles = of_type(template, "AWS::IAM::Role")
    assert set(roles) == {"ApiRole", "EdgeRole", "FilesRole"}
    for row in roles.values():
        assert "ManagedPolicyArns" not in row["Properties"]
        (trust,) = row["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_a_full_arn_of_a_secret_is_used_as_it_is(tmp_path: Path) -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:other/db-a1b2c3"
    foreign = manifest_of([route("/x", "api")], references={"DB": f"secretsmanager:{arn}"})
    (*_, row) = statements(api(tmp_path, manifest=foreign), "ApiRole")
    assert row["Resource"] == arn


def test_permissions_of_the_stage_reach_the_functions_that_they_name(tmp_path: Path) -> None:
    table = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
    stage = dataclasses.replace(
        DEV,
        permissions=(
            Permission(("dynamodb:GetItem", "dynamodb:Query"), (table,), ("api",)),
            Permission(("ses:SendEmail",), ("*",)),
        ),
    )
    template = api(tmp_path, stage)
    reading = {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query"], "Resource": table}
    mailing = {"Effect": "Allow", "Action": "ses:SendEmail", "Resource": "*"}
    assert statements(template, "ApiRole")[-2:] == [reading, mailing]
    assert reading not in statements(template, "FilesRole")
    assert mailing in statements(template, "FilesRole")


def test_a_permissions_boundary_is_on_every_role(tmp_path: Path) -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    roles = of_type(api(tmp_path, dataclasses.replace(DEV, permissions_boundary=boundary)), "AWS::IAM::Role")
    assert {row["Properties"]["PermissionsBoundary"] for row in roles.values()} == {boundary}


def test_without_tracing_no_traces_are_sent(tmp_path: Path) -> None:
    template = api(tmp_path, dataclasses.replace(DEV, tracing=False))
    assert properties(template, "ApiFunction")["TracingConfig"] == {"Mode": "PassThrough"}
    assert "xray" not in json.dumps(template)


def test_logs_are_json_and_kept_as_long_as_the_stage_says(tmp_path: Path) -> None:
    template = api(tmp_path, dataclasses.replace(DEV, log_days=90))
    assert properties(template, "ApiFunction")["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": {"Ref": "ApiLogs"},
    }
    row = template["Resources"]["ApiLogs"]
    assert row["Properties"]["LogGroupName"] == "/aws/lambda/shop-dev-api"
    assert row["Properties"]["RetentionInDays"] == 90
    assert row["DeletionPolicy"] == "Delete"


def test_logs_stay_if_the_stage_retains_them(tmp_path: Path) -> None:
    groups = of_type(api(tmp_path, dataclasses.replace(DEV, retain=True)), "AWS::Logs::LogGroup")
    assert {(row["DeletionPolicy"], row["UpdateReplacePolicy"]) for row in groups.values()} == {
        ("Retain", "Retain")
    }


def test_versions_stay_and_the_alias_points_to_the_newest(tmp_path: Path) -> None:
    template = api(tmp_path)
    for name, row in of_type(template, "AWS::Lambda::Version").items():
        assert (row["DeletionPolicy"], row["UpdateReplacePolicy"]) == ("Retain", "Retain"), name
    (version,) = (name for name in versions(template) if name.startswith("ApiVersion"))
    assert properties(template, "ApiAlias") == {
        "Name": "live",
        "FunctionName": {"Ref": "ApiFunction"},
        "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
    }


def test_a_version_is_published_when_code_or_configuration_changes_and_only_then(tmp_path: Path) -> None:
    first = versions(api(tmp_path / "1"))
    assert versions(api(tmp_path / "2")) == first
    assert versions(api(tmp_path / "3", dataclasses.replace(DEV, log_days=1, tags={"team": "a"}))) == first
    assert versions(api(tmp_path / "4", dataclasses.replace(DEV, variables={"API_BASE": "x"}))).isdisjoint(
        first
    )
    more = dataclasses.replace(SHOP, functions=(*_with_memory(1024),))
    changed = versions(api(tmp_path / "5", manifest=more))
    assert {name for name in changed if name not in first} == {
        name for name in changed if name.startswith("ApiVersion")
    }


def _with_memory(memory: int) -> Any:
    for row in SHOP.functions:
        yield dataclasses.replace(row, memory=memory) if row.name == "api" else row


def test_the_built_zip_itself_is_uploaded(tmp_path: Path) -> None:
    stacks = synthesized(tmp_path)
    assets = json.loads((stacks.folder / "shop-dev-api.assets.json").read_text())["files"]
    code = properties(stacks.template("shop-dev-api"), "ApiFunction")["Code"]
    digest = code["S3Key"].removesuffix(".zip")
    path = stacks.folder / assets[digest]["source"]["path"]
    assert assets[digest]["source"]["packaging"] == "file"
    assert path.read_bytes() == (tmp_path / "build" / "functions" / "api.zip").read_bytes()
    assert zipfile.is_zipfile(path)


def test_the_template_tells_routes_and_middleware_of_a_function(tmp_path: Path) -> None:
    guarded = dataclasses.replace(
        SHOP,
        functions=tuple(
            dataclasses.replace(row, middleware=("middleware.py", "app/api/middleware.py"))
            for row in SHOP.functions
        ),
    )
    assert api(tmp_path, manifest=guarded)["Resources"]["ApiFunction"]["Metadata"]["packager"] == {
        "function": "api",
        "routes": {"/api/users/[id]": "app/api/users/[id]/route.py"},
        "middleware": ["middleware.py", "app/api/middleware.py"],
    }


def test_ids_of_resources_differ_where_names_do() -> None:
    assert resource_id("api-users", "Role") == "ApiUsersRole"
    similar = ["a-b", "ab", "a-1", "a1", "a_b", "a--b", "A-b", "a1-2", "a-12", "a12", "a-1-2"]
    assert len({resource_id(name) for name in similar}) == len(similar)


def test_edge_functions_alone_make_an_api_too(tmp_path: Path) -> None:
    template = api(tmp_path, manifest=EDGE_ALONE)
    assert set(of_type(template, "AWS::Lambda::Function")) == {"EdgeFunction"}
