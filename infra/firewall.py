"""The web application firewall before the distribution: AWS's managed rules and a limit for each address."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_wafv2 as waf

MANAGED_RULES = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
)
"""Rule groups of AWS, in the order in which they are asked (AWS WAF Developer Guide, "AWS Managed Rules")."""

_COUNTED = {"AWSManagedRulesCommonRuleSet": ("SizeRestrictions_BODY",)}
"""Rules that only count: bodies above 8 KB are usual for an API, and its functions have limits of their own."""


def firewall(stack: cdk.Stack, rate: int) -> str:
    """Add a web ACL for CloudFront; gives its ARN. `rate`: requests from one address in five minutes."""
    managed = [_managed(name, priority) for priority, name in enumerate(MANAGED_RULES, start=1)]
    made = waf.CfnWebACL(
        stack,
        "Firewall",
        name=stack.stack_name,
        scope="CLOUDFRONT",
        default_action={"allow": {}},
        rules=[_rate_limit(rate), *managed],
        visibility_config=_visibility("Firewall"),
    )
    return made.attr_arn


def _rate_limit(rate: int) -> dict[str, Any]:
    return {
        "name": "RateLimit",
        "priority": 0,
        "action": {"block": {}},
        "statement": {
            "rateBasedStatement": {"aggregateKeyType": "IP", "evaluationWindowSec": 300, "limit": rate}
        },
        "visibilityConfig": _visibility("RateLimit"),
    }


def _managed(name: str, priority: int) -> dict[str, Any]:
    group: dict[str, Any] = {"vendorName": "AWS", "name": name}
    if name in _COUNTED:
        group["ruleActionOverrides"] = [
            {"name": rule, "actionToUse": {"count": {}}} for rule in _COUNTED[name]
        ]
    return {
        "name": name,
        "priority": priority,
        "overrideAction": {"none": {}},
        "statement": {"managedRuleGroupStatement": group},
        "visibilityConfig": _visibility(name),
    }


def _visibility(metric: str) -> dict[str, Any]:
    return {"cloudWatchMetricsEnabled": True, "metricName": metric, "sampledRequestsEnabled": True}
