"""CloudFront's policies: what reaches the origin, what is kept in the cache and for how long, what answers carry.

Policies belong to the account: a stack makes each only once, under a name of its own. Sources: Amazon CloudFront
Developer Guide, "Control origin requests with a policy", "Control the cache key with a policy", "Add CloudFront
request headers", "Understand response headers policies".
"""

from collections.abc import Iterable

import aws_cdk as cdk
from aws_cdk import aws_cloudfront as cloudfront

from infra.behaviours import Behaviour
from runtimes.routing import HOST_HEADER

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
"""The id of the managed policy that keeps nothing, the same in every account."""

VIEWER_HEADERS = (
    "CloudFront-Viewer-Address",
    "CloudFront-Viewer-City",
    "CloudFront-Viewer-Country",
    "CloudFront-Viewer-Country-Region",
    "CloudFront-Viewer-Header-Order",
    "CloudFront-Viewer-Latitude",
    "CloudFront-Viewer-Longitude",
)
"""What CloudFront adds to requests, at most ten (CloudFront quotas, "Headers per origin request policy").

The order of the viewer's own headers is for the viewer-request function alone, which tells by it what was forged.
"""

_YEAR = 365 * 24 * 3600

type CacheKey = tuple[int, bool]
"""How many seconds an answer is fresh, and whether it depends on the request's `Origin`."""


def cache_key(behaviour: Behaviour) -> CacheKey | None:
    """What tells one cache policy from another; None if nothing of this behaviour is kept."""
    return (behaviour.revalidate, behaviour.cors) if behaviour.revalidate else None


def origin_request_policy(stack: cdk.Stack) -> str:
    """The id of a policy with all headers, cookies and queries of the viewer, and what CloudFront knows of it.

    Of the two behaviours that pass all headers on, `allExcept` (Host) leaves CloudFront's own out, and those cannot
    be named in a cache policy where caching is disabled. So it is the other one, and the viewer-request function
    replaces the Host, which an HTTP API would refuse (Developer Guide, "Helper methods for origin modification":
    `hostHeader` of `updateRequestOrigin`). That function sees the headers that are named here (Developer Guide,
    "Redirect the viewer to a new URL in a CloudFront Functions viewer request event"). `Authorization` is passed on
    by policies for all headers only.
    """
    config = {
        "name": f"{stack.stack_name}-viewer",
        "comment": "Everything that the viewer sent, and CloudFront's viewer headers",
        "headersConfig": {
            "headerBehavior": "allViewerAndWhitelistCloudFront",
            "headers": list(VIEWER_HEADERS),
        },
        "cookiesConfig": {"cookieBehavior": "all"},
        "queryStringsConfig": {"queryStringBehavior": "all"},
    }
    made = cloudfront.CfnOriginRequestPolicy(
        stack, "OriginRequestPolicy", origin_request_policy_config=config
    )
    return made.ref


def cache_policies(stack: cdk.Stack, behaviours: Iterable[Behaviour]) -> dict[CacheKey | None, str]:
    """One policy for each way of keeping answers that occurs; gives their ids, that of nothing kept included."""
    keys = sorted({key for behaviour in behaviours if (key := cache_key(behaviour))})
    return {None: CACHING_DISABLED, **{key: _cache_policy(stack, *key) for key in keys}}


def _cache_policy(stack: cdk.Stack, revalidate: int, cors: bool) -> str:
    # The host is part of the URL that handlers see.
    headers = [HOST_HEADER, "Origin"] if cors else [HOST_HEADER]
    config = {
        "name": f"{stack.stack_name}-revalidate-{revalidate}{'-cors' if cors else ''}",
        "comment": f"revalidate = {revalidate}{', for each Origin apart' if cors else ''}",
        "minTtl": 0,
        "defaultTtl": revalidate,
        "maxTtl": max(_YEAR, revalidate),
        "parametersInCacheKeyAndForwardedToOrigin": {
            "enableAcceptEncodingBrotli": True,
            "enableAcceptEncodingGzip": True,
            "headersConfig": {"headerBehavior": "whitelist", "headers": headers},
            "cookiesConfig": {"cookieBehavior": "none"},
            "queryStringsConfig": {"queryStringBehavior": "all"},
        },
    }
    logical_id = f"CachePolicy{revalidate}{'Cors' if cors else ''}"
    return cloudfront.CfnCachePolicy(stack, logical_id, cache_policy_config=config).ref


def response_headers_policy(stack: cdk.Stack) -> str:
    """The id of a policy with the security headers that an answer gets unless the app has set them itself."""
    config = {
        "name": f"{stack.stack_name}-security",
        "comment": "Security headers; those of the app win",
        "securityHeadersConfig": {
            "contentTypeOptions": {"override": False},
            "frameOptions": {"frameOption": "SAMEORIGIN", "override": False},
            "referrerPolicy": {"referrerPolicy": "strict-origin-when-cross-origin", "override": False},
            "strictTransportSecurity": {"accessControlMaxAgeSec": 2 * _YEAR, "override": False},
        },
    }
    made = cloudfront.CfnResponseHeadersPolicy(
        stack, "ResponseHeadersPolicy", response_headers_policy_config=config
    )
    return made.ref
