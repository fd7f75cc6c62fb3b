"""What the AWS SDK itself knows of services: operations, resources, the names they have in IAM.

Read from the data files of botocore and boto3, which need no network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a service.

    `filled` are the parameters that a resource of boto3 fills from its own identifiers, `positional` those that are
    given without their name.
    """

    service: str
    name: str
    filled: tuple[tuple[str, str], ...] = ()
    positional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SubResource:
    """What `resource.Table(…)` makes: its kind, the identifiers it takes, and those of its parent's that it keeps."""

    kind: str
    taken: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]


_TRANSFERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "upload_file": ("PutObject", ("Filename", "Bucket", "Key")),
    "upload_fileobj": ("PutObject", ("Fileobj", "Bucket", "Key")),
    "download_file": ("GetObject", ("Bucket", "Key", "Filename")),
    "download_fileobj": ("GetObject", ("Bucket", "Key", "Fileobj")),
    "copy": ("CopyObject", ("CopySource", "Bucket", "Key")),
}
"""What boto3 adds to clients, buckets and objects of S3, with its parameters in their order (boto3.s3.inject)."""

_SERVICE = ""
"""The kind of a service's own resource, `boto3.resource("s3")`."""


def services() -> frozenset[str]:
    """The names that `boto3.client` takes."""
    return frozenset(_loader().list_available_services("service-2"))


def of_client(service: str, method: str) -> tuple[Operation, ...]:
    """The operations that a method of a client calls; none for `close` and the like."""
    if service == "s3" and method in _TRANSFERS:
        name, positional = _TRANSFERS[method]
        return (Operation(service, name, positional=positional),)
    found = _operations(service).get(method)
    return (Operation(service, found),) if found else ()


def of_waiter(service: str, waiter: str) -> tuple[Operation, ...]:
    """The operation that `client.get_waiter(waiter)` repeats."""
    for name, row in _model(service, "waiters-2").get("waiters", {}).items():
        if _snake(name) == waiter:
            return (Operation(service, row["operation"]),)
    return ()


def of_resource(service: str, kind: str, method: str) -> tuple[Operation, ...]:
    """The operations that a method of a resource calls; `kind` is empty for the service's own."""
    if service == "s3" and kind in ("Bucket", "Object", "ObjectSummary") and method in _TRANSFERS:
        name, positional = _TRANSFERS[method]
        filled = (("Bucket", "Name"),) if kind == "Bucket" else (("Bucket", "BucketName"), ("Key", "Key"))
        own = {key for key, _ in filled}
        return (Operation(service, name, filled, tuple(item for item in positional if item not in own)),)
    if (service, kind, method) == ("dynamodb", "Table", "batch_writer"):
        return (Operation(service, "BatchWriteItem", (("TableName", "Name"),)),)
    row = _resource(service, kind)
    if method in ("load", "reload"):
        return _requested(service, row.get("load"))
    for name, action in row.get("actions", {}).items():
        if _snake(name) == method:
            return _requested(service, action)
    return ()


def of_collection(service: str, kind: str, collection: str, method: str) -> tuple[Operation, ...]:
    """The operations of `bucket.objects.all()` and of what is done with every item, such as `delete()`."""
    for name, row in _resource(service, kind).get("hasMany", {}).items():
        if _snake(name) == collection:
            listed = _requested(service, row)
            actions = _resource(service, row["resource"]["type"]).get("batchActions", {})
            batch = next((action for name, action in actions.items() if _snake(name) == method), None)
            filled = listed[0].filled if listed else ()
            return (*listed, *((Operation(service, batch["request"]["operation"], filled),) if batch else ()))
    return ()


def sub_resource(service: str, kind: str, name: str) -> SubResource | None:
    """What the method `name` of a resource makes, if that is another resource."""
    row = _resource(service, kind)
    defined = _model(service, "resources-1").get("resources", {})
    if kind == _SERVICE and name in defined:
        # a service makes all its resources, by all their identifiers (boto3.resources.model)
        return SubResource(name, tuple(item["name"] for item in defined[name].get("identifiers", ())), ())
    found = row.get("has", {}).get(name)
    if found is None:
        actions = row.get("actions", {}) if kind == _SERVICE else {}
        found = next((item for key, item in actions.items() if _snake(key) == name), None)
    if found is None or "resource" not in found:
        return None
    made = found["resource"]
    rows = made.get("identifiers", ())
    return SubResource(
        made["type"],
        tuple(item["target"] for item in rows if item["source"] == "input"),
        tuple((item["target"], item["name"]) for item in rows if item["source"] == "identifier"),
    )


def iam_prefix(service: str) -> str:
    """What the actions of a service begin with: its signing name, where the metadata does not know better."""
    known = {
        "apigatewaymanagementapi": "execute-api",
        "cloudwatch": "cloudwatch",
        "resourcegroupstaggingapi": "tag",
    }
    metadata = _model(service, "service-2")["metadata"]
    return known.get(service) or str(metadata.get("signingName") or metadata["endpointPrefix"])


def _requested(service: str, row: Mapping[str, Any] | None) -> tuple[Operation, ...]:
    if row is None or "request" not in row:
        return ()
    filled = tuple(
        (item["target"], item["name"])
        for item in row["request"].get("params", ())
        if item["source"] == "identifier"
    )
    return (Operation(service, row["request"]["operation"], filled),)


def _resource(service: str, kind: str) -> dict[str, Any]:
    model = _model(service, "resources-1")
    found = model.get("service", {}) if kind == _SERVICE else model.get("resources", {}).get(kind, {})
    return dict(found)


@cache
def _operations(service: str) -> dict[str, str]:
    """The methods of a client, each with its operation."""
    return {_snake(name): name for name in _model(service, "service-2").get("operations", {})}


@cache
def _model(service: str, kind: str) -> dict[str, Any]:
    from botocore.exceptions import DataNotFoundError  # noqa: PLC0415 - 300 ms that only these questions need

    try:
        return dict(_loader().load_service_model(service, kind))
    except DataNotFoundError:
        return {}


@cache
def _loader() -> Any:
    from botocore.loaders import Loader  # noqa: PLC0415

    spec = find_spec("boto3")
    assert spec is not None
    assert spec.origin is not None
    return Loader(extra_search_paths=[str(Path(spec.origin).parent / "data")])


def _snake(name: str) -> str:
    from botocore import xform_name  # noqa: PLC0415

    return str(xform_name(name))
