"""Imports the routes whose handlers may be typed and writes down their types; calls no handler.

    python -I -S -B describe_child.py RESULT ROOT FILE… -- FOLDER…

Run as a file by an interpreter that the project's distributions are for; it imports the standard library and what is
in the FOLDERs, which are all of `sys.path` before the standard library. ROOT is the project, FILEs are relative to
it. The file RESULT gets one JSON document: `handlers` by file and method, the `schemas` they refer to by name, and
the `failures` of the files that cannot be imported, or typed, each with the steps that led to it.
"""

import inspect
import json
import linecache
import os
import re
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any, Never, NoReturn

_REFERENCE = "#/components/schemas/{model}"

_FOLDER = re.compile(r"(?<=\.)\[+(?:\.{3})?([^\[\]]+)\]+(?=\.)")

type Row = dict[str, Any]


def _failure(file: str, error: BaseException, root: str) -> Row:
    """The error, with file, line and text of each step through the project's own files."""
    steps = [
        (os.path.relpath(row.filename, root), row.lineno or 1, row.line or "")
        for row in traceback.extract_tb(error.__traceback__)
        if row.filename.startswith(f"{root}/")
    ]
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - the project's own exception, which may do anything
        message = ""
    return {"file": file, "kind": type(error).__name__, "message": message, "steps": steps}


def _of_handler(function: Any, root: str) -> list[tuple[str, int, str]]:
    """Where a handler is written, as the only step; none if that is not in the project."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None or not code.co_filename.startswith(f"{root}/"):
        return []
    line = linecache.getline(code.co_filename, code.co_firstlineno).strip()
    return [(os.path.relpath(code.co_filename, root), code.co_firstlineno, line)]


class _Schemas:
    """Types that wait to be written as schemas, all at once, so that each name means one of them."""

    def __init__(self) -> None:
        self._adapters: list[tuple[int, str, Any]] = []

    def add(self, annotation: Any, mode: str) -> int:
        """The number by which `written` has the schema of a type; `mode` is pydantic's."""
        from pydantic import PydanticUserError, TypeAdapter  # noqa: PLC0415 - the project's, which needs it only here

        try:
            adapter: Any = TypeAdapter(annotation)
            adapter.json_schema(mode=mode)
        except PydanticUserError as error:
            raise TypeError(f"pydantic cannot describe {annotation!r}: {error.message}") from error
        self._adapters.append((len(self._adapters), mode, adapter))
        return len(self._adapters) - 1

    def written(self) -> tuple[list[Any], Row]:
        """The schemas by number, and those that they refer to, by name."""
        if not self._adapters:
            return [], {}
        from pydantic import TypeAdapter  # noqa: PLC0415

        found, shared = TypeAdapter.json_schemas(
            self._adapters,  # type: ignore[arg-type]
            ref_template=_REFERENCE,
            schema_generator=_generator(),
        )
        return [found[number, mode] for number, mode, _ in self._adapters], shared.get("$defs", {})  # type: ignore[index]


def _generator() -> Any:
    """How pydantic writes schemas, but that an answer always has its fields, even those with defaults."""
    from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415

    class Schemas(GenerateJsonSchema):
        def field_is_required(self, field: Any, total: bool) -> bool:
            left_out = field.get("serialization_exclude") or field.get("serialization_exclude_if")
            if self.mode == "serialization" and field["type"] != "typed-dict-field" and not left_out:
                return True
            return super().field_is_required(field, total)

        def get_defs_ref(self, core_mode_ref: Any) -> Any:
            # brackets in the name of a module would be those of a generic type
            reference: Any = _FOLDER.sub(r"\1", core_mode_ref[0])
            return super().get_defs_ref((reference, core_mode_ref[1]))

    return Schemas


def _typed(function: Any, schemas: _Schemas) -> Row | None:
    """What a handler takes and answers, schemas as numbers; None if it is untyped."""
    signature = import_module("runtimes.signature")
    found = signature.signature(function)
    if found is None:
        return None
    inputs = {
        name: {
            "schema": schemas.add(annotation, "validation"),
            "required": name not in found.defaults,
            "content_types": _content_types(annotation) if name == "body" else [],
        }
        for name, annotation in found.sources.items()
    }
    return {"inputs": inputs, "answers": [_answer(row, schemas) for row in signature.answers(found.returns)]}


def _answer(answer: Any, schemas: _Schemas) -> Row:
    schema = None
    if answer.kind in ("json", "open") and answer.annotation not in (Never, NoReturn) and _has_pydantic():
        schema = schemas.add(answer.annotation, "serialization")
    own = answer.kind == "response"
    return {
        "status": None if own and answer.content_type is None and answer.status == 200 else answer.status,
        "content_type": answer.content_type,
        "kind": answer.kind,
        "schema": schema,
    }


def _has_pydantic() -> bool:
    """Without it nothing that is promised is held, and nothing can be said of it."""
    found: bool = import_module("runtimes.signature").has_pydantic()
    return found


def _content_types(annotation: Any) -> list[str]:
    """What a body of that type may be sent as."""
    typed_request = import_module("runtimes.typed_request")
    raw = typed_request.raw_kind(annotation)
    if raw is not None:
        return ["application/octet-stream" if raw is bytes else "text/plain"]
    return ["application/json", *(typed_request.FORMS if typed_request.fields_of(annotation) else ())]


def describe(root: str, files: list[str], current: Path) -> Row:
    """The document for RESULT. The file `current` has the name of the one that is imported, which may be the end."""
    modules = import_module("runtimes.handlers")
    schemas = _Schemas()
    handlers: dict[str, dict[str, Row]] = {}
    failures: list[Row] = []
    for file in files:
        current.write_text(file, encoding="utf-8")
        try:
            module = modules.load_module(Path(root), file)
            for method in modules.handlers_of(module, file):
                function = getattr(module, method)
                try:
                    found = _typed(function, schemas)
                except TypeError as error:
                    failure = _failure(file, error, root)
                    failures.append({**failure, "steps": failure["steps"] or _of_handler(function, root)})
                    continue
                if found:
                    handlers.setdefault(file, {})[method] = found
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the result
            failures.append(_failure(file, error, root))
    numbered, named = schemas.written()
    for row in (row for rows in handlers.values() for typed in rows.values() for row in _parts(typed)):
        row["schema"] = None if row["schema"] is None else numbered[row["schema"]]
    return {"handlers": handlers, "schemas": named, "failures": failures}


def _parts(typed: Row) -> list[Row]:
    return [*typed["inputs"].values(), *typed["answers"]]


def main(arguments: list[str]) -> None:
    """Read the command line described above."""
    result, root, *rest = arguments
    files, folders = rest[: rest.index("--")], rest[rest.index("--") + 1 :]
    sys.path[:0] = folders
    os.chdir(root)
    document = describe(root, files, Path(result).with_name("current"))
    Path(result).write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
