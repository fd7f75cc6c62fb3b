"""What reviewers' tools find and why it is meant to be so. What else they find is mended, not listed.

The names are those of cdk-nag 3 (rule packs AwsSolutions and Serverless), of CDK's own validation and of cfn-lint.
"""

import aws_cdk as cdk

from infra import environment, names
from infra.manifest import Manifest
from infra.stage import EDGE_REGION, Stage

_REASONS = {
    "AwsSolutions::AwsSolutions-APIG4": "The API is public as a web site is; who may do what is decided by the app's "
    "middleware, which runs before every route.",
    "AwsSolutions::AwsSolutions-CFR1": "Where an app may be used from is its own decision.",
    "AwsSolutions::AwsSolutions-CFR2": "The firewall costs money for every request: `waf = true` of a stage adds it.",
    "AwsSolutions::AwsSolutions-CFR4": "Under CloudFront's own name its own certificate is all there is. With a "
    "domain of the stage TLS 1.2 is the least.",
    "AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
    "AWSCodeDeployRoleForLambdaLimited]": "AWSCodeDeployRoleForLambdaLimited is what AWS maintains for CodeDeploy and "
    "Lambda; only CodeDeploy may take the role.",
    "AwsSolutions::AwsSolutions-IAM5[Resource::*]": "X-Ray's actions know no resources.",
    "AwsSolutions::AwsSolutions-L1": "The Python version is the app's choice, for which its wheels were built.",
    "AwsSolutions::AwsSolutions-S1": "It is the bucket of access logs itself.",
    "CloudFormation-Validate::F3006": "CDK's rules do not know Lambda Web Functions yet, though its library has them.",
    "Serverless::Serverless-LambdaDLQ": "The functions are called by HTTP, and the caller sees what failed; nothing "
    "is queued.",
    "Serverless::Serverless-LambdaLatestVersion": "The Python version is the app's choice, for which its wheels were "
    "built.",
    "Serverless::Serverless-LambdaStarPermissions": "X-Ray's actions know no resources.",
    "Serverless::Serverless-LambdaTracing": "Lambda@Edge has no tracing.",
    "Serverless::Serverless-SNSRedrivePolicy": "Mail is sent again by SNS itself; an alarm's state is kept anyway.",
}

LINT = {
    "W2010": "CloudFront's stack has to know the origin key, and stacks know of each other by outputs; who may read "
    "the stack's outputs may read the functions' variables too.",
    "W3005": "An order of resources that is said twice holds once.",
}
"""The same for cfn-lint, by the numbers of its rules."""

_EDGE_LOGS = (
    "Functions at the edge write their logs in whatever region they run in, each into groups of its own name."
)


def reasons(manifest: Manifest, stage: Stage) -> dict[str, str]:
    """Why each finding in the stacks of a stage is as it should be, by the name that the tool gives it."""
    found = dict(_REASONS)
    for function in manifest.functions:
        if environment.runs_anywhere(function):
            name = names.function_name(manifest.app.name, stage.name, function.name)
            for group in (names.log_group(f"{EDGE_REGION}.{name}"), names.log_group(f"web/{name}")):
                arn = f"arn:<AWS::Partition>:logs:*:<AWS::AccountId>:log-group:{group}"
                found[f"AwsSolutions::AwsSolutions-IAM5[Resource::{arn}]"] = _EDGE_LOGS
                found[f"AwsSolutions::AwsSolutions-IAM5[Resource::{arn}:*]"] = _EDGE_LOGS
    return found


def acknowledge(app: cdk.App, manifest: Manifest, stage: Stage) -> None:
    """Tell CDK which findings are known, and why."""
    rows = [cdk.Acknowledgment(id=name, reason=reason) for name, reason in reasons(manifest, stage).items()]
    cdk.Validations.of(app).acknowledge(*rows)
