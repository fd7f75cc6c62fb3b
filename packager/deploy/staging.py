"""Where CloudFormation and Lambda read from: the staging bucket of each region, and what a file is called in it.

The tool's own bucket is in the account's own namespace of names, where nobody else can take its name (S3 User Guide,
"Namespaces for general purpose buckets"). Before it is made, the bucket of a CDK bootstrap will do. The own one is
looked for first, so that releases and holds stay in one place when a bootstrap is made later.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from packager.deploy.assembly import Assembly, Asset
from packager.deploy.aws import Aws, error_code, explained

_SETTINGS = ("packager:settings", "1")
"""The tag that is put on last: a bucket without it was left half made, or made by a version with other settings."""

HOLDS = "holds/"
"""What the names of holds begin with, which are rewritten all the time that they last."""

_OLD_VERSIONS_DAYS = 30
_HOLDS_DAYS = 1
_ABANDONED_UPLOADS_DAYS = 1
_MAKING_SECONDS = 60
_ACCOUNT = "${AWS::AccountId}"
_ABSENT = {"404", "NoSuchBucket", "NotFound"}
_HIDDEN = {"403", "AccessDenied", "Forbidden"}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A staging bucket: `bootstrap` is that of the CDK, `own` was made by this tool."""

    name: str
    region: str
    kind: Literal["bootstrap", "own"]


def find(aws: Aws, region: str) -> Bucket | None:
    """The staging bucket of the region, None if there is none; nothing is made or changed.

    Raises `ToolError` if AWS does not answer, or does not let the caller see the bucket.
    """
    own = Bucket(f"packager-{aws.account}-{region}-an", region, "own")
    bootstrap = Bucket(f"cdk-hnb659fds-assets-{aws.account}-{region}", region, "bootstrap")
    refused: Exception | None = None
    s3 = aws.client("s3", region)
    with explained("looking for the staging bucket"):
        for bucket in (own, bootstrap):
            try:
                s3.head_bucket(Bucket=bucket.name, ExpectedBucketOwner=aws.account)
            except s3.exceptions.ClientError as error:
                if error_code(error) in _HIDDEN and bucket is own:
                    refused = error
                elif error_code(error) not in _ABSENT | _HIDDEN:
                    raise
            else:
                return bucket
        if refused:
            raise refused
    return None


def bucket(aws: Aws, region: str) -> Bucket:
    """The staging bucket of the region; the tool's own is made if there is none, and finished if it is half made.

    Several may make it at once. Raises `ToolError`.
    """
    found = find(aws, region) or Bucket(f"packager-{aws.account}-{region}-an", region, "own")
    if found.kind == "own" and not _is_finished(aws, found):
        with explained(f"making the staging bucket {found.name}"):
            _create(aws, found)
            _configure(aws, found)
    return found


def buckets(aws: Aws, assembly: Assembly) -> dict[str, Bucket]:
    """The staging bucket of each region that the assembly has files for; those that are missing are made."""
    regions = {asset.region for stack in assembly.stacks for asset in stack.assets if _is_open(asset)}
    return {region: bucket(aws, region) for region in sorted(regions)}


def bucket_name(asset: Asset, staged: Mapping[str, Bucket]) -> str:
    """The bucket that a file goes to: the region's, unless the assembly names one for good."""
    return staged[asset.region].name if _is_open(asset) else asset.bucket_template


def content(aws: Aws, asset: Asset, staged: Mapping[str, Bucket]) -> bytes | None:
    """A template as it is uploaded, with the real bucket in it; None if the file goes up as it is.

    What depends on the account alone keeps its key: in one bucket it is always the same.
    """
    written = asset.bucket_template.replace(_ACCOUNT, aws.account)
    if not asset.is_template or written == bucket_name(asset, staged):
        return None
    text = asset.path.read_text(encoding="utf-8")
    return text.replace(asset.bucket_template, bucket_name(asset, staged)).encode()


def template_url(aws: Aws, asset: Asset, staged: Mapping[str, Bucket]) -> str:
    """Where CloudFormation finds an uploaded template (`TemplateURL`)."""
    endpoint = aws.client("s3", asset.region).meta.endpoint_url
    return f"{endpoint}/{bucket_name(asset, staged)}/{asset.key}"


def _is_open(asset: Asset) -> bool:
    return _ACCOUNT in asset.bucket_template


def _is_finished(aws: Aws, own: Bucket) -> bool:
    s3 = aws.client("s3", own.region)
    with explained(f"looking at the staging bucket {own.name}"):
        try:
            tags = s3.get_bucket_tagging(Bucket=own.name, ExpectedBucketOwner=aws.account)["TagSet"]
        except s3.exceptions.ClientError as error:
            if error_code(error) in _HIDDEN:
                return True  # who may use it need not be one who may make it
            if error_code(error) not in _ABSENT | {"NoSuchTagSet"}:
                raise
            return False
    return {"Key": _SETTINGS[0], "Value": _SETTINGS[1]} in tags


def _create(aws: Aws, own: Bucket) -> None:
    """Make the bucket, or wait until another run, which is making it at this moment, has done so."""
    s3 = aws.client("s3", own.region)
    # us-east-1 is the one region that must not be named (S3 API Reference, CreateBucket, "LocationConstraint").
    place = {"CreateBucketConfiguration": {"LocationConstraint": own.region}}
    deadline = time.monotonic() + _MAKING_SECONDS
    while True:
        try:
            s3.create_bucket(
                Bucket=own.name,
                BucketNamespace="account-regional",
                **({} if own.region == "us-east-1" else place),
            )
        except s3.exceptions.ClientError as error:
            if error_code(error) == "BucketAlreadyOwnedByYou":
                return
            if error_code(error) != "OperationAborted" or time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def _configure(aws: Aws, own: Bucket) -> None:
    """Private, encrypted, versioned, over TLS only. Every call sets what it sets, whatever was there."""
    s3 = aws.client("s3", own.region)
    whose = {"Bucket": own.name, "ExpectedBucketOwner": aws.account}
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(**whose, PublicAccessBlockConfiguration=dict.fromkeys(blocked, True))
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(**whose, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_bucket_versioning(**whose, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_policy(**whose, Policy=json.dumps(_policy(aws, own)))
    s3.put_bucket_lifecycle_configuration(**whose, LifecycleConfiguration={"Rules": _lifecycle()})
    key, value = _SETTINGS
    s3.put_bucket_tagging(**whose, Tagging={"TagSet": [{"Key": key, "Value": value}]})


def _policy(aws: Aws, own: Bucket) -> dict[str, Any]:
    """No access without TLS. Lambda's web functions have their code read by the service itself (Lambda Developer
    Guide, "Deploying Web Function code from Amazon S3"): for this account alone."""
    arn = f"arn:{aws.identity.partition}:s3:::{own.name}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            {
                "Sid": "WebFunctionCode",
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": f"{arn}/*",
                "Condition": {"StringEquals": {"aws:SourceAccount": aws.account}},
            },
        ],
    }


def _lifecycle() -> list[dict[str, Any]]:
    """What is replaced or abandoned goes. What is current stays however old it is: when an update fails,
    CloudFormation goes back to the code that was deployed before, and reads it from here."""
    return [
        {
            "ID": "replaced",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": _OLD_VERSIONS_DAYS},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABANDONED_UPLOADS_DAYS},
        },
        {
            "ID": "holds",
            "Status": "Enabled",
            "Filter": {"Prefix": HOLDS},
            "NoncurrentVersionExpiration": {"NoncurrentDays": _HOLDS_DAYS},
        },
    ]
