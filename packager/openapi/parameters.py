"""Parameters of operations: each field of what a handler has filled by name is one (OpenAPI 3.1.0, §4.8.12)."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from infra.manifest import Param
from packager.openapi.typed import SCHEMAS, Input, Schema

type Place = Literal["query", "header", "cookie"]

CATCH_ALL = "x-catch-all"
"""Marks a parameter whose slashes are not escaped, which OpenAPI has no word for."""

_SLASHES = "One or more segments: a slash separates them and is not escaped."


def of_path(
    params: tuple[Param, ...], given: Input | None, schemas: Mapping[str, Schema]
) -> Iterator[dict[str, Any]]:
    """The parameters of a path. One that takes several segments is a text with slashes, whatever its type."""
    fields, _ = _fields(given, schemas)
    for param in params:
        known = fields.get(param.name, {})
        if param.kind == "single":
            description = known.get("description")
            schema = _own(known) or {"type": "string"}
        else:
            description = " ".join(filter(None, (known.get("description"), _SLASHES)))
            schema = {"type": "string"}
        row = {
            "name": param.name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": schema,
            CATCH_ALL: param.kind != "single" or None,
        }
        yield {key: value for key, value in row.items() if value is not None}


def of_source(where: Place, given: Input | None, schemas: Mapping[str, Schema]) -> Iterator[dict[str, Any]]:
    """One parameter for each field of a query, of headers or of cookies; what has no fields, has none."""
    fields, required = _fields(given, schemas)
    for name, field in fields.items():
        schema = _own(field)
        row = {
            "name": name.replace("_", "-") if where == "header" else name,
            "in": where,
            "required": (name in required) or None,
            "description": field.get("description"),
            "deprecated": field.get("deprecated"),
            "explode": True if where == "query" and schema.get("type") == "array" else None,
            "schema": schema,
        }
        yield {key: value for key, value in row.items() if value is not None}


def _fields(given: Input | None, schemas: Mapping[str, Schema]) -> tuple[Mapping[str, Schema], set[str]]:
    """The fields of an object, and the names of those that have to be there."""
    if given is None:
        return {}, set()
    found = object_of(given.schema, schemas)
    return found.get("properties", {}), set(found.get("required", ())) if given.required else set()


def object_of(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """The object that a schema is, refers to, or is beside null; without one an empty schema."""
    if reference := schema.get("$ref"):
        return object_of(schemas.get(reference.removeprefix(SCHEMAS), {}), schemas)
    members = [object_of(item, schemas) for item in (*schema.get("anyOf", ()), *schema.get("allOf", ()))]
    return next((item for item in (schema, *members) if "properties" in item), {})


def _own(field: Schema) -> dict[str, Any]:
    """A field's schema without what its parameter says. A URL and a header have no way to say null."""
    schema = {key: value for key, value in field.items() if key not in ("title", "description", "deprecated")}
    if schema.get("default", ...) is None:
        del schema["default"]
    if "anyOf" in schema:
        members = [item for item in schema["anyOf"] if item.get("type") != "null"]
        if len(members) < len(schema["anyOf"]):
            del schema["anyOf"]
            schema = {**members[0], **schema} if len(members) == 1 else {**schema, "anyOf": members}
    return schema
