"""The topology of a cloud assembly: what CloudFormation would make of its templates.

Sources: AWS CloudFormation Template Reference (the types named below); Amazon CloudFront Developer Guide, "Use managed
cache policies".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packager.deploy import assembly
from packager.preview.policies import added_headers, cache_policy, origin_request_policy
from packager.preview.template import Place, Resource, Templates, fault
from packager.preview.topology import (
    Behaviour,
    Distribution,
    FunctionConfig,
    HttpApi,
    Origin,
    OriginFunction,
    RouteKey,
    Topology,
    ViewerFunction,
)

_FUNCTION = "AWS::Lambda::Function"
_REVISION = "AWS::Lambda::WebFunctionRevision"
_WEB_MEMORY = 2048
"""MB that a web function always has (Lambda Developer Guide, "Lambda Web Functions")."""

_ERROR_TTL = 10
_READ_SECONDS = 30
_CACHED = ("GET", "HEAD")


def from_assembly(folder: Path) -> Topology:
    """The topology of the assembly in `folder`.

    Raises `ToolError` if it is not an assembly, or for what cannot be resolved or emulated, with stack, logical id
    and property.
    """
    return _Reader(Templates(assembly.read(folder))).topology()


class _Reader:
    """Follows references between the resources of all stacks."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._functions = {str(row.place): self._function(row) for row in templates.resources(_FUNCTION)}
        self._functions |= {str(row.place): self._web_function(row) for row in templates.resources(_REVISION)}
        self._versions = {
            str(row.place): self._function_of(row, "FunctionName")
            for row in templates.resources("AWS::Lambda::Version")
        }
        self._aliases = {
            str(row.place): self._version_of(row) for row in templates.resources("AWS::Lambda::Alias")
        }

    def topology(self) -> Topology:
        api = next(iter(self._templates.resources("AWS::ApiGatewayV2::Api")), None)
        made = next(iter(self._templates.resources("AWS::CloudFront::Distribution")), None)
        found = self._api(api) if api else None
        distribution = self._distribution(made, found) if made else None
        return Topology(tuple(self._functions.values()), found, distribution)

    def _function(self, row: Resource) -> FunctionConfig:
        properties = row.properties
        environment = properties.get("Environment", {}).get("Variables", {})
        return FunctionConfig(
            place=row.place,
            name=properties.get("FunctionName", row.place.logical_id),
            label=row.metadata.get("packager", {}).get("function", row.place.logical_id),
            kind="function",
            code=self._templates.asset(row, properties["Code"]["S3Key"]),
            runtime=properties["Runtime"],
            handler=properties["Handler"],
            memory=int(properties.get("MemorySize", 128)),
            timeout=int(properties.get("Timeout", 3)),
            environment={name: str(value) for name, value in environment.items()},
            architecture=properties.get("Architectures", ["x86_64"])[0],
            snap_start=properties.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions",
            concurrency=properties.get("ReservedConcurrentExecutions"),
        )

    def _web_function(self, row: Resource) -> FunctionConfig:
        build, service = row.properties["BuildConfig"], row.properties["ServiceConfig"]
        name = row.properties["FunctionName"]
        return FunctionConfig(
            place=row.place,
            name=name,
            label=name,
            kind="web-function",
            code=self._templates.asset(row, build["CodeConfig"]["S3Object"]["Key"]),
            runtime=build["RuntimeConfig"]["Runtime"],
            handler="index.js",
            memory=_WEB_MEMORY,
            timeout=int(service["TimeoutSeconds"]),
            environment={name: str(value) for name, value in service.get("EnvironmentVariables", {}).items()},
        )

    def _function_of(self, row: Resource, name: str) -> Place:
        target = str(row.properties.get(name, ""))
        found = self._functions.get(target) or next(
            (item for item in self._functions.values() if item.name == target), None
        )
        if found is None:
            raise fault(row.place, f"{name} names no function of these stacks: {target!r}")
        return found.place

    def _version_of(self, row: Resource) -> Place:
        version = str(row.properties.get("FunctionVersion", "")).removesuffix(".Version")
        if version not in self._versions:
            raise fault(row.place, f"FunctionVersion is no version of these stacks: {version!r}")
        function = self._function_of(row, "FunctionName")
        if self._versions[version] != function:
            raise fault(row.place, f"FunctionVersion is a version of another function, {version}")
        return function

    def _api(self, row: Resource) -> HttpApi:
        integrations = {
            str(found.place): found for found in self._templates.resources("AWS::ApiGatewayV2::Integration")
        }
        region = self._templates.region(row.place)
        routes = []
        for found in self._templates.resources("AWS::ApiGatewayV2::Route"):
            target = str(found.properties.get("Target", "")).removeprefix("integrations/")
            if target not in integrations:
                raise fault(found.place, f"Target names no integration of these stacks: {target!r}")
            function = self._integrated(integrations[target])
            routes.append(RouteKey(found.place, found.properties["RouteKey"], function))
        host = f"{self._templates.name(row)}.execute-api.{region}.amazonaws.com"
        return HttpApi(row.place, host, tuple(routes))

    def _integrated(self, row: Resource) -> Place:
        if row.properties.get("PayloadFormatVersion") != "2.0":
            raise fault(row.place, "PayloadFormatVersion is not 2.0, which is all that preview speaks")
        uri = str(row.properties.get("IntegrationUri", ""))
        found = self._aliases.get(uri) or self._versions.get(uri)
        if found is None:
            raise fault(row.place, f"IntegrationUri is no alias or version of these stacks: {uri!r}")
        return found

    def _distribution(self, row: Resource, api: HttpApi | None) -> Distribution:
        config = row.properties["DistributionConfig"]
        default = {**config["DefaultCacheBehavior"], "PathPattern": "*"}
        behaviours = [*config.get("CacheBehaviors", []), default]
        return Distribution(
            place=row.place,
            host=f"{self._templates.name(row).lower()}.cloudfront.net",
            origins=tuple(self._origin(row, item, api) for item in config["Origins"]),
            behaviours=tuple(self._behaviour(row, item) for item in behaviours),
            error_ttl={
                int(item["ErrorCode"]): int(item.get("ErrorCachingMinTTL", _ERROR_TTL))
                for item in config.get("CustomErrorResponses", [])
            },
        )

    def _origin(self, row: Resource, item: Mapping[str, Any], api: HttpApi | None) -> Origin:
        host = str(item["DomainName"])
        function = self._endpoint(host)
        if function is None and (api is None or not _is_api(host, api, self._templates)):
            raise fault(row.place, f"Origins: preview knows nothing that answers at {host}")
        return Origin(
            id=item["Id"],
            host=host,
            headers=tuple(
                (str(pair["HeaderName"]).lower(), str(pair["HeaderValue"]))
                for pair in item.get("OriginCustomHeaders") or []
            ),
            timeout=int(item.get("CustomOriginConfig", {}).get("OriginReadTimeout", _READ_SECONDS)),
            function=function,
        )

    def _endpoint(self, host: str) -> Place | None:
        """The web function whose endpoint has that name."""
        for row in self._templates.resources("AWS::Lambda::WebFunctionEndpoint"):
            if host == f"{row.place}.DomainName":
                weights = row.properties["RevisionWeights"]
                return self._functions[str(weights[0]["RevisionId"]).removesuffix(".RevisionId")].place
        return None

    def _behaviour(self, row: Resource, item: Mapping[str, Any]) -> Behaviour:
        pattern = str(item["PathPattern"])
        return Behaviour(
            pattern=pattern if pattern.startswith(("/", "*")) else f"/{pattern}",
            origin=item["TargetOriginId"],
            allowed=frozenset(item.get("AllowedMethods", _CACHED)),
            cached=frozenset(item.get("CachedMethods", _CACHED)),
            cache=cache_policy(self._templates, row.place, item),
            origin_request=origin_request_policy(self._templates, row.place, item),
            answer_headers=added_headers(self._templates, row.place, item),
            viewer_function=self._viewer_function(row.place, item),
            origin_function=self._origin_function(row.place, item),
        )

    def _viewer_function(self, place: Place, item: Mapping[str, Any]) -> ViewerFunction | None:
        associations = item.get("FunctionAssociations", [])
        for association in associations:
            if association["EventType"] != "viewer-request":
                raise fault(place, f"FunctionAssociations: preview knows no {association['EventType']}")
        if not associations:
            return None
        target = str(associations[0]["FunctionARN"]).removesuffix(".FunctionARN")
        for row in self._templates.resources("AWS::CloudFront::Function"):
            if str(row.place) == target:
                return ViewerFunction(row.place, row.properties["FunctionCode"])
        raise fault(place, f"FunctionAssociations name no function of these stacks: {target!r}")

    def _origin_function(self, place: Place, item: Mapping[str, Any]) -> OriginFunction | None:
        associations = item.get("LambdaFunctionAssociations", [])
        for association in associations:
            if association["EventType"] != "origin-request":
                raise fault(place, f"LambdaFunctionAssociations: preview knows no {association['EventType']}")
        if not associations:
            return None
        target = str(associations[0]["LambdaFunctionARN"])
        if target not in self._versions:
            raise fault(place, f"LambdaFunctionAssociations name no version of these stacks: {target!r}")
        return OriginFunction(self._versions[target], bool(associations[0].get("IncludeBody", False)))


def _is_api(host: str, api: HttpApi, templates: Templates) -> bool:
    """Whether the API answers at that host: at its own endpoint's, or at a domain name that is mapped to it."""
    names = {
        str(row.properties["DomainName"]) for row in templates.resources("AWS::ApiGatewayV2::DomainName")
    }
    return host == api.host or host in names
