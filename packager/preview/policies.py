"""CloudFront's policies as the templates or CloudFront itself have them.

Sources: Amazon CloudFront Developer Guide, "Use managed cache policies", "Use managed origin request policies",
"Understand response headers policies"; CloudFormation Template Reference, AWS::CloudFront::CachePolicy,
::OriginRequestPolicy, ::ResponseHeadersPolicy.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from packager.preview.template import Place, Resource, Templates, fault
from packager.preview.topology import AddedHeader, CachePolicy, Chosen, OriginRequestPolicy

_ALL = Chosen("all")
_HOST = frozenset({"host"})
_MANAGED_CACHE = {"4135ea2d-6df8-44a3-9df3-4b5a84be39ad": CachePolicy()}
"""CachingDisabled."""

_MANAGED_ORIGIN_REQUEST = {
    "216adef6-5c7f-47e4-b989-5492eafa07d3": OriginRequestPolicy(_ALL, _ALL, _ALL),
    "b689b0a8-53d0-40ab-baf2-68738e2966ac": OriginRequestPolicy(Chosen("allExcept", _HOST), _ALL, _ALL),
}
"""AllViewer and AllViewerExceptHostHeader."""

_YEAR = 365 * 24 * 3600


def cache_policy(templates: Templates, place: Place, behaviour: Mapping[str, Any]) -> CachePolicy:
    """The cache policy of a behaviour of the distribution at `place`. Raises `ToolError` if it is not known."""
    name = str(behaviour.get("CachePolicyId", ""))
    if name in _MANAGED_CACHE:
        return _MANAGED_CACHE[name]
    row = _found(templates, "AWS::CloudFront::CachePolicy", place, "CachePolicyId", name)
    config = row.properties["CachePolicyConfig"]
    given = config.get("ParametersInCacheKeyAndForwardedToOrigin", {})
    wanted = {"gzip": "EnableAcceptEncodingGzip", "br": "EnableAcceptEncodingBrotli"}
    return CachePolicy(
        min_ttl=int(config.get("MinTTL", 0)),
        default_ttl=int(config.get("DefaultTTL", 24 * 3600)),
        max_ttl=int(config.get("MaxTTL", _YEAR)),
        headers=_headers(row, given),
        cookies=_chosen(row, given, "Cookie"),
        query=_chosen(row, given, "QueryString"),
        encodings=tuple(name for name, key in wanted.items() if given.get(key)),
    )


def origin_request_policy(
    templates: Templates, place: Place, behaviour: Mapping[str, Any]
) -> OriginRequestPolicy:
    """The origin request policy of a behaviour; without one only the cache key reaches the origin."""
    name = behaviour.get("OriginRequestPolicyId")
    if name is None:
        return OriginRequestPolicy()
    if name in _MANAGED_ORIGIN_REQUEST:
        return _MANAGED_ORIGIN_REQUEST[name]
    row = _found(templates, "AWS::CloudFront::OriginRequestPolicy", place, "OriginRequestPolicyId", name)
    config = row.properties["OriginRequestPolicyConfig"]
    headers = config["HeadersConfig"]
    names = frozenset(str(item).lower() for item in headers.get("Headers", ()))
    match headers["HeaderBehavior"]:
        case "allViewerAndWhitelistCloudFront":
            chosen, added = _ALL, names
        case "allViewer":
            chosen, added = _ALL, frozenset[str]()
        case _:
            chosen, added = _headers(row, config), frozenset(n for n in names if n.startswith("cloudfront-"))
    return OriginRequestPolicy(
        chosen, _chosen(row, config, "Cookie"), _chosen(row, config, "QueryString"), added
    )


def added_headers(
    templates: Templates, place: Place, behaviour: Mapping[str, Any]
) -> tuple[AddedHeader, ...]:
    """The headers that the behaviour's response headers policy adds to answers."""
    name = behaviour.get("ResponseHeadersPolicyId")
    if name is None:
        return ()
    row = _found(templates, "AWS::CloudFront::ResponseHeadersPolicy", place, "ResponseHeadersPolicyId", name)
    config = row.properties["ResponseHeadersPolicyConfig"]
    known = {"Name", "Comment", "SecurityHeadersConfig", "CustomHeadersConfig"}
    if unknown := sorted(config.keys() - known):
        raise fault(row.place, f"preview does not know {', '.join(unknown)}")
    custom = config.get("CustomHeadersConfig", {}).get("Items", [])
    return (
        *_security(row, config.get("SecurityHeadersConfig", {})),
        *(AddedHeader(item["Header"].lower(), item["Value"], bool(item["Override"])) for item in custom),
    )


def _security(row: Resource, config: Mapping[str, Any]) -> Iterator[AddedHeader]:
    for key, item in config.items():
        override = bool(item.get("Override", False))
        match key:
            case "ContentTypeOptions":
                yield AddedHeader("x-content-type-options", "nosniff", override)
            case "FrameOptions":
                yield AddedHeader("x-frame-options", item["FrameOption"], override)
            case "ReferrerPolicy":
                yield AddedHeader("referrer-policy", item["ReferrerPolicy"], override)
            case "ContentSecurityPolicy":
                yield AddedHeader("content-security-policy", item["ContentSecurityPolicy"], override)
            case "StrictTransportSecurity":
                flags = {"IncludeSubdomains": "includeSubDomains", "Preload": "preload"}
                parts = [f"max-age={item['AccessControlMaxAgeSec']}"]
                parts += [text for name, text in flags.items() if item.get(name)]
                yield AddedHeader("strict-transport-security", "; ".join(parts), override)
            case _:
                raise fault(row.place, f"preview does not know {key}")


def _headers(row: Resource, given: Mapping[str, Any]) -> Chosen:
    chosen = _chosen(row, given, "Header")
    return Chosen(chosen.selection, frozenset(name.lower() for name in chosen.names))


def _chosen(row: Resource, given: Mapping[str, Any], kind: str) -> Chosen:
    """`HeadersConfig`, `CookiesConfig` or `QueryStringsConfig`, whose keys are spelled alike."""
    config = given.get(f"{kind}sConfig", {})
    selection = config.get(f"{kind}Behavior", "none")
    if selection not in ("none", "whitelist", "allExcept", "all"):
        raise fault(row.place, f"{kind}Behavior {selection} is not known to preview")
    return Chosen(selection, frozenset(map(str, config.get(f"{kind}s", ()))))


def _found(templates: Templates, type_: str, place: Place, property_: str, name: str) -> Resource:
    for row in templates.resources(type_):
        if str(row.place) == name:
            return row
    raise fault(place, f"{property_} is no policy of these stacks and none that preview knows: {name!r}")
