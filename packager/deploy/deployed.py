"""What CloudFormation has of a stack now."""

from dataclasses import dataclass, field
from typing import Any

from packager.deploy.aws import Aws, error_code, explained


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack as it is: `id` is its ARN, `status` one of CloudFormation's, `reason` what it says to that.

    `parameters` are the names of those that it was given, `outputs` what it gives. One that `is_protected` cannot
    be deleted.
    """

    name: str
    region: str
    id: str
    status: str
    reason: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    is_protected: bool = False


def look(aws: Aws, name: str, region: str) -> Deployed | None:
    """The stack of that name (or ARN), None if there is none. Raises `ToolError` if AWS does not answer.

    By its ARN a deleted stack is found too, with the status DELETE_COMPLETE.
    """
    with explained(f"looking at the stack {name}"):
        return read(aws, name, region)


def read(aws: Aws, name: str, region: str) -> Deployed | None:
    """As `look`, with botocore's own errors."""
    client = aws.client("cloudformation", region)
    try:
        row = client.describe_stacks(StackName=name)["Stacks"][0]
    except client.exceptions.ClientError as error:
        if is_absent(error):
            return None
        raise
    return Deployed(
        name=row["StackName"],
        region=region,
        id=row["StackId"],
        status=row["StackStatus"],
        reason=row.get("StackStatusReason") or "",
        outputs={item["OutputKey"]: item.get("OutputValue", "") for item in row.get("Outputs", [])},
        parameters=tuple(item["ParameterKey"] for item in row.get("Parameters", [])),
        is_protected=row.get("EnableTerminationProtection", False),
    )


def is_absent(error: Any) -> bool:
    """Whether CloudFormation says that there is no such stack: it has no code of its own for that."""
    message = error.response["Error"].get("Message", "")
    return error_code(error) == "ValidationError" and "does not exist" in message
