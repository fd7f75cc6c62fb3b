"""One OpenAPI 3.1 document of the operations and the types of their handlers (spec.openapis.org/oas/v3.1.0).

Equal values give equal documents, key by key. Schemas are JSON Schema 2020-12, as pydantic writes them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from packager.openapi.bodies import request_body
from packager.openapi.operations import Operation, Operations
from packager.openapi.parameters import of_path, of_source
from packager.openapi.settings import Scheme, TypesSettings
from packager.openapi.typed import Schema, Typed, Types

VERSION = "3.1.0"
_AUTHORIZATION = "authorization"
_ANYTHING = "*/*"
_COMPONENTS = "#/components/"
_ERROR: Schema = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}
_FAULT: Schema = {
    "type": "object",
    "properties": {
        "loc": {
            "type": "array",
            "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "description": "The part of the request (body, query, headers, cookies, params) and the path in it.",
        },
        "msg": {"type": "string"},
        "type": {"type": "string"},
    },
    "required": ["loc", "msg", "type"],
}
_INVALID: Schema = {
    "type": "object",
    "properties": {"error": {"type": "string"}, "errors": {"type": "array", "items": _FAULT}},
    "required": ["error", "errors"],
}


@dataclass(frozen=True, slots=True)
class About:
    """What the document says of the app. `origin` is where it is served, None if the project does not say."""

    title: str
    origin: str | None = None
    base_path: str = ""
    trailing_slash: bool = False


def document(about: About, settings: TypesSettings, operations: Operations, types: Types) -> dict[str, Any]:
    """The document, ready for JSON."""
    info = {"title": about.title, "version": settings.version}
    if settings.description:
        info["description"] = settings.description
    paths: dict[str, dict[str, Any]] = {}
    schemes = {item.name: dict(item.value) for item in settings.security}
    for row in operations.rows:
        typed = types.handlers.get((row.file, row.method))
        written = _operation(row, typed, types, settings.security)
        if written.get("security") == [{_AUTHORIZATION: []}] and _AUTHORIZATION not in schemes:
            schemes[_AUTHORIZATION] = {"type": "apiKey", "in": "header", "name": "Authorization"}
        paths.setdefault(_served(row.path, about), {})[row.method.lower()] = written
    components: dict[str, Any] = {"responses": _shared(), "schemas": types.schemas}
    if schemes:
        components["securitySchemes"] = schemes
    made = {
        "openapi": VERSION,
        "info": info,
        "servers": [{"url": (about.origin or "") + about.base_path or "/"}],
        "paths": paths,
        "components": components,
    }
    return _without_unused(made)


def text(made: Mapping[str, Any]) -> str:
    """The document as its file's text."""
    return json.dumps(made, ensure_ascii=False, indent=2) + "\n"


def _served(path: str, about: About) -> str:
    """The path that answers without a redirect."""
    return f"{path}/" if about.trailing_slash and path != "/" else path


def _operation(
    row: Operation, typed: Typed | None, types: Types, schemes: tuple[Scheme, ...]
) -> dict[str, Any]:
    inputs = typed.inputs if typed else {}
    parameters = [
        *of_path(row.params, inputs.get("params"), types.schemas),
        *of_source("query", inputs.get("query"), types.schemas),
        *of_source("header", inputs.get("headers"), types.schemas),
        *of_source("cookie", inputs.get("cookies"), types.schemas),
    ]
    needed = [item.name for item in schemes if _guards(item, row.path)]
    asked = [item for item in parameters if (item["in"], item["name"].lower()) == ("header", _AUTHORIZATION)]
    if asked and not needed:
        needed = [_AUTHORIZATION]
    written: dict[str, Any] = {
        "operationId": row.id,
        "summary": row.summary,
        "description": row.description,
        "tags": [row.tag],
        "deprecated": row.deprecated or None,
        # OpenAPI has a scheme for it, and ignores a parameter of this name.
        "parameters": [item for item in parameters if item not in asked] or None,
        "requestBody": request_body(row, inputs.get("body"), types.schemas),
        "responses": _responses(row, typed),
        "security": [{name: []} for name in needed] or None,
    }
    return {key: value for key, value in written.items() if value is not None}


def _guards(scheme: Scheme, path: str) -> bool:
    return any(item.path.match(path.replace("{", "").replace("}", "")) for item in scheme.matchers)


def _responses(row: Operation, typed: Typed | None) -> dict[str, Any]:
    answers = [item for item in typed.answers if item.status] if typed else []
    found: dict[str, dict[str, Any]] = {}
    for answer in answers:
        entry = found.setdefault(str(answer.status), {"description": _phrase(answer.status or 0)})
        if answer.content_type:
            content = entry.setdefault("content", {})
            content[answer.content_type] = _either(content.get(answer.content_type), answer.schema)
    if not any(status.startswith("2") for status in found) or (typed and len(answers) < len(typed.answers)):
        found["2XX"] = {"description": "What it holds is not typed.", "content": {_ANYTHING: {}}}
    if row.cookies:
        for status, entry in found.items():
            if status.startswith("2"):
                entry["headers"] = {"Set-Cookie": _cookie_header(row.cookies)}
    for ended in row.ends:
        found.setdefault(str(ended), _ended(ended))
    if typed and typed.inputs:
        found.setdefault("422", {"$ref": "#/components/responses/ValidationError"})
    errors = "Error" if typed else "Anything"
    return {**dict(sorted(found.items())), "default": {"$ref": f"#/components/responses/{errors}"}}


def _cookie_header(names: tuple[str, ...]) -> dict[str, Any]:
    return {"description": f"Sets {', '.join(names)}.", "schema": {"type": "string"}}


def _ended(status: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"description": _phrase(status)}
    if status in (307, 308):
        entry["headers"] = {"Location": {"schema": {"type": "string"}}}
    return entry


def _media(schema: Schema | None) -> dict[str, Any]:
    return {} if schema is None else {"schema": schema}


def _either(before: Mapping[str, Any] | None, schema: Schema | None) -> dict[str, Any]:
    """The media type of two answers of one status."""
    if before is None:
        return _media(schema)
    if schema is None or "schema" not in before:
        return {}
    known = before["schema"].get("anyOf", [before["schema"]])
    return {"schema": {"anyOf": [*known, schema]}}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def _shared() -> dict[str, Any]:
    """The answers that are not the handlers' own. Their schemas have no names: those are the project's."""
    return {
        "Anything": {
            "description": "Any other answer; the handler is not typed.",
            "content": {_ANYTHING: {}},
        },
        "Error": {
            "description": "What was asked for cannot be had: the request is malformed (400), too large (413) or of "
            "another type (415), middleware refuses it, or the server has a fault (500).",
            "content": {"application/json": {"schema": _ERROR}},
        },
        "ValidationError": {
            "description": "The request does not fit the types of the handler: every place at once.",
            "content": {"application/json": {"schema": _INVALID}},
        },
    }


def _without_unused(made: dict[str, Any]) -> dict[str, Any]:
    """The document without the components that nothing leads to, those that are left in order."""
    components = made["components"]
    rest = {key: value for key, value in made.items() if key != "components"}
    found: set[str] = set()
    waiting = list(_references(rest))
    while waiting:
        reference = waiting.pop()
        if reference not in found:
            found.add(reference)
            kind, name = reference.removeprefix(_COMPONENTS).split("/", 1)
            waiting += _references(components[kind].get(name))
    for kind in ("responses", "schemas"):
        used = {
            name: value
            for name, value in sorted(components[kind].items())
            if f"{_COMPONENTS}{kind}/{name}" in found
        }
        components[kind] = used
    made["components"] = {kind: rows for kind, rows in components.items() if rows}
    return {key: value for key, value in made.items() if value or key == "paths"}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith(_COMPONENTS):
            yield reference
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
