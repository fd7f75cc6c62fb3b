"""What only AWS can tell: whether the clocks agree, whose the credentials are, and where a deploy puts its files.

Without a network, and without credentials, the findings say so, which is nothing that stands in the way of a build.
"""

import os
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from packager.errors import PackagerError, ToolError, UsageError
from packager.finding import Finding
from packager.stages import REGION_VARIABLES

ALLOWED_SECONDS = 300
"""How far the clock may be off before signatures are refused (IAM User Guide, "Signature Version 4": five minutes)."""

_SECONDS = 3.0
_UNSEEN = "not asked: AWS is not reached from here"
_REGION = "us-east-1"


def examine() -> Iterator[Finding]:
    """The findings about the clock, the account and the staging bucket, in that order."""
    region = next((value for name in REGION_VARIABLES if (value := os.environ.get(name))), _REGION)
    clock = _clock(region)
    yield clock
    if clock.version is None:
        for name in ("AWS account", "Staging"):
            yield Finding(name, "warning", None, _UNSEEN, "packager doctor, with a network")
        return
    yield from _account(region)


def _clock(region: str) -> Finding:
    import httpx  # noqa: PLC0415 - 60 ms

    suffix = ".cn" if region.startswith("cn-") else ""
    given = os.environ.get("AWS_ENDPOINT_URL_STS") or os.environ.get("AWS_ENDPOINT_URL")
    url = given or f"https://sts.{region}.amazonaws.com{suffix}/"
    try:
        before = time.time()
        answer = httpx.head(url, timeout=_SECONDS)
        middle = (before + time.time()) / 2
        there = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError) as error:
        reason = str(error) or type(error).__name__
        hint = "Nothing but a deploy needs it. Behind a proxy: export HTTPS_PROXY=…"
        return Finding("Clock", "warning", None, f"{url} does not tell the time: {reason}", hint)
    # the header has whole seconds
    skew = middle - there - 0.5
    shown = f"{skew:+.0f} s"
    if abs(skew) > ALLOWED_SECONDS:
        hint = "sudo timedatectl set-ntp true (Linux), sudo sntp -sS time.apple.com (macOS), w32tm /resync (Windows)"
        detail = (
            f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the clock of AWS, which allows 300 s"
        )
        return Finding("Clock", "warning", shown, detail, hint)
    return Finding("Clock", "ok", shown, "against that of AWS, which allows 300 s")


def _account(region: str) -> Iterator[Finding]:
    from botocore.parsers import ResponseParserError  # noqa: PLC0415 - as below

    from packager.deploy import staging  # noqa: PLC0415 - half a second, for those who have a network
    from packager.deploy.aws import connect  # noqa: PLC0415

    try:
        aws = connect(region)
        identity = aws.identity
    except (ToolError, UsageError) as error:
        yield Finding("AWS account", "warning", None, error.message, error.hint)
        yield Finding("Staging", "warning", None, "not asked: AWS does not know who asks", error.hint)
        return
    except ResponseParserError:
        hint = "Look whether a proxy or AWS_ENDPOINT_URL stands between here and AWS."
        yield Finding("AWS account", "warning", None, "what answers for AWS is not AWS", hint)
        yield Finding("Staging", "warning", None, _UNSEEN, hint)
        return
    yield Finding("AWS account", "ok", identity.account, identity.arn)
    try:
        bucket = staging.find(aws, region)
    except PackagerError as error:
        yield Finding("Staging", "warning", None, error.message, error.hint)
    else:
        if bucket is None:
            detail = f"no bucket in {region} yet: the first deploy makes one, and no CDK bootstrap is needed"
        else:
            kind = (
                "that of the CDK bootstrap"
                if bucket.kind == "bootstrap"
                else "the tool's own, no bootstrap is needed"
            )
            detail = f"{bucket.name}: {kind}"
        yield Finding("Staging", "ok", None, detail)
    finally:
        aws.close()
