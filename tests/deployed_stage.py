"""A stage that the command line deploys to MiniStack, and what a cloud has of it."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ministack import MiniStack
from serving import run


@dataclass(frozen=True, slots=True)
class Stage:
    """The stage `dev` of a project and the cloud that it is deployed to."""

    cloud: MiniStack
    project: Path

    def packager(self, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """`packager WORDS PROJECT --stage dev`, which has to end with `status`."""
        command, *options = words
        nested = [options.pop(0)] if command == "env" else []
        done = run(command, *nested, self.project, "--stage", "dev", *options)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def says(self, path: str) -> dict[str, object]:
        """What a route answers through the deployed API."""
        api = self.cloud.outputs(f"{self.app}-dev-api")["ApiId"]
        answer = self.cloud.ask(api, "GET", path)
        assert answer.status == 200, answer.body
        return dict(json.loads(answer.body))

    def edit(self, name: str | Path, before: str, after: str) -> None:
        path = self.project / name
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    @property
    def app(self) -> str:
        return self.project.name.replace("_", "-")

    def version(self, function: str) -> str:
        """Which version the alias of a function names."""
        client = self.cloud.client("lambda")
        found = client.get_alias(FunctionName=f"{self.app}-dev-{function}", Name="live")
        return str(found["FunctionVersion"])

    def change_sets(self) -> list[str]:
        """The change sets of all stacks that were never executed."""
        client = self.cloud.client("cloudformation")
        stacks = [row["StackName"] for row in client.describe_stacks()["Stacks"]]
        rows = [row for name in stacks for row in client.list_change_sets(StackName=name)["Summaries"]]
        return [row["ChangeSetName"] for row in rows if row.get("ExecutionStatus") == "AVAILABLE"]

    def statuses(self) -> set[str]:
        stacks = self.cloud.client("cloudformation").describe_stacks()["Stacks"]
        return {row["StackStatus"] for row in stacks}

    def holds(self) -> list[str]:
        """The holds of all stages."""
        found = self.cloud.client("s3").list_objects_v2(Bucket=self.bucket, Prefix="holds/")
        return [row["Key"] for row in found.get("Contents", [])]

    def expire(self) -> None:
        """Have no holds, as if a minute and a half were over."""
        for key in self.holds():
            self.cloud.client("s3").delete_object(Bucket=self.bucket, Key=key)

    @property
    def bucket(self) -> str:
        """The staging bucket, which a first deployment makes."""
        rows = self.cloud.client("s3").list_buckets()["Buckets"]
        [bucket] = [row["Name"] for row in rows if row["Name"].startswith("packager-")]
        return str(bucket)


def left(cloud: MiniStack) -> dict[str, list[Any]]:
    """All that a stage may leave, by its kind."""

    def listed(service: str, operation: str, key: str, name: str) -> list[str]:
        pages = cloud.client(service).get_paginator(operation).paginate()
        return [row[name] for page in pages for row in page[key]]

    found = {
        "stack": listed("cloudformation", "describe_stacks", "Stacks", "StackName"),
        "function": listed("lambda", "list_functions", "Functions", "FunctionName"),
        "role": listed("iam", "list_roles", "Roles", "RoleName"),
        "API": [row["Name"] for row in cloud.client("apigatewayv2").get_apis()["Items"]],
        "log group": listed("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "alarm": listed("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "topic": listed("sns", "list_topics", "Topics", "TopicArn"),
        "bucket": listed("s3", "list_buckets", "Buckets", "Name"),
        "distribution": cloud.client("cloudfront").list_distributions()["DistributionList"].get("Items", []),
    }
    return {kind: names for kind, names in found.items() if names}
