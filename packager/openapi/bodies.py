"""Request bodies of operations, in every form that the handler takes and a schema can describe."""

from collections.abc import Mapping
from typing import Any

from packager import sizes
from packager.openapi.operations import Operation
from packager.openapi.parameters import object_of
from packager.openapi.typed import SCHEMAS, Input, Schema

_METHODS = frozenset(("POST", "PUT", "PATCH"))
"""Those whose requests are expected to have a body (RFC 9110, §9.3)."""

_URLENCODED, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_FLAT = frozenset(("string", "integer", "number", "boolean"))


def request_body(row: Operation, given: Input | None, schemas: Mapping[str, Schema]) -> dict[str, Any] | None:
    """The body of an operation; of a handler that reads the request itself it may be anything."""
    size = f"At most {sizes.shown(row.limit)}." if row.limit else None
    if given is None:
        if row.method not in _METHODS or not row.reads_request:
            return None
        text = "What the handler reads is not typed."
        return {"description": f"{text} {size}" if size else text, "content": {"application/json": {}}}
    contents = {name: _content(name, given, schemas) for name in given.content_types}
    made = {
        "description": size,
        "content": {name: {"schema": schema} for name, schema in contents.items() if schema is not None},
        "required": given.required or None,
    }
    return {key: value for key, value in made.items() if value is not None}


def _content(name: str, given: Input, schemas: Mapping[str, Schema]) -> Schema | None:
    """The schema of one content type; None if a form of it would not say what JSON does.

    A form has texts and, as multipart, files: no objects, no null, and one value is no other than a list of one.
    """
    if name == "application/octet-stream":
        return {"type": "string", "format": "binary", "contentMediaType": name}
    if name not in (_URLENCODED, _MULTIPART):
        return given.schema
    fields: Mapping[str, Schema] = object_of(given.schema, schemas).get("properties", {})
    files = [key for key, field in fields.items() if field.get("format") == "binary"]
    if bool(files) != (name == _MULTIPART) or not fields:
        return None
    if not all(_is_flat(field, schemas) for field in fields.values()):
        return None
    if not files:
        return given.schema
    typed = {key: {**fields[key], "contentMediaType": "application/octet-stream"} for key in files}
    return {**object_of(given.schema, schemas), "properties": {**fields, **typed}}


def _is_flat(field: Schema, schemas: Mapping[str, Schema]) -> bool:
    if reference := field.get("$ref"):
        field = schemas.get(reference.removeprefix(SCHEMAS), {})
    return field.get("type") in _FLAT
