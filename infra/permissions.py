"""What a function may do: IAM statements as JSON, no more than it needs.

ARNs are written with `Fn::Sub`, so that they hold in every partition and account.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from infra.environment import Reference
from infra.stage import Stage

type Statement = dict[str, Any]

_ACTIONS = {
    # One by one or several at once are two actions for the same right.
    "ssm": ["ssm:GetParameter", "ssm:GetParameters"],
    "secretsmanager": ["secretsmanager:GetSecretValue"],
}


def trust(*services: str) -> Statement:
    """The policy document that lets AWS services, such as `lambda.amazonaws.com`, take a role."""
    principal = services[0] if len(services) == 1 else list(services)
    return document([{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": principal}}])


def document(statements: Iterable[Statement]) -> Statement:
    """Statements as one policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def logs(group: str) -> Statement:
    """Write into one log group of the same stack, by its logical id. The ARN that it gives covers its streams."""
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], [{"Fn::GetAtt": [group, "Arn"]}])


def logs_anywhere(group: str) -> list[Statement]:
    """Make the log group of that name, and write into it, in every region that a function comes to run in."""
    own = f"log-group:{group}"
    return [
        allow(["logs:CreateLogGroup"], [arn("logs", own, "*")]),
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], [arn("logs", f"{own}:*", "*")]),
    ]


def tracing() -> Statement:
    """Send traces to X-Ray, whose actions know no resources (AWS service authorisation reference)."""
    return allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"])


def secrets(references: Sequence[Reference], region: str) -> list[Statement]:
    """Read the secrets that are referred to, each by its exact ARN. `region` is where they are kept."""
    found = []
    for store, actions in _ACTIONS.items():
        resources = sorted({_secret(row, region) for row in references if row.store == store})
        if resources:
            found.append(allow(actions, [sub(resource) for resource in resources]))
    return found


def granted(stage: Stage, function: str) -> list[Statement]:
    """What the stage's own settings allow a function of the manifest."""
    return [
        allow(list(row.actions), list(row.resources))
        for row in stage.permissions
        if not row.functions or function in row.functions
    ]


def allow(actions: list[str], resources: list[Any]) -> Statement:
    """A statement; a single action or resource is written without a list, as CDK does."""
    return {
        "Effect": "Allow",
        "Action": actions[0] if len(actions) == 1 else actions,
        "Resource": resources[0] if len(resources) == 1 else resources,
    }


def arn(service: str, resource: str, region: str = "${AWS::Region}") -> Any:
    """The ARN of a resource in the stack's own account and partition."""
    return sub(f"arn:${{AWS::Partition}}:{service}:{region}:${{AWS::AccountId}}:{resource}")


def sub(text: str) -> Any:
    """`Fn::Sub` of a text; the text itself if nothing in it is to be replaced."""
    return {"Fn::Sub": text} if "${" in text else text


def _secret(reference: Reference, region: str) -> str:
    if reference.id.startswith("arn:"):
        return reference.id
    start = f"arn:${{AWS::Partition}}:{reference.store}:{region}:${{AWS::AccountId}}"
    if reference.store == "ssm":
        return f"{start}:parameter/{reference.id.removeprefix('/')}"
    # Secrets Manager appends a hyphen and six characters to the name; six question marks are its documented
    # way to name one secret without knowing them.
    return f"{start}:secret:{reference.id}-??????"
