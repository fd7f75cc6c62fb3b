"""A FastAPI app, read from its file, as a project."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from packager.scaffold import answers, project_files
from packager.scaffold.conversion import Conversion, Handler, Left
from packager.scaffold.fastapi_app import Declared, declared
from packager.scaffold.fastapi_handler import handler
from packager.scaffold.fastapi_parameters import plain_signature, spell_out
from packager.scaffold.imports import Import
from packager.scaffold.shared import Shared, literals, shared, siblings
from packager.scaffold.source import Edit, Source, is_function, read
from packager.scaffold.urls import refusal, unified

_RESPONSES = ("FileResponse", "HTMLResponse", "JSONResponse", "PlainTextResponse", "RedirectResponse")
_NAMES: Mapping[str, Import] = {
    "Request": Import("runtimes", "Request"),
    "Response": Import("runtimes", "Response"),
    "HTTPException": Import("starlette.exceptions", "HTTPException"),
    "status": Import("starlette", "status"),
    "run_in_threadpool": Import("starlette.concurrency", "run_in_threadpool"),
    "jsonable_encoder": Import("pydantic_core", "to_jsonable_python"),
    "StreamingResponse": Import("starlette.responses", "StreamingResponse"),
    **{name: Import("starlette.responses", name) for name in _RESPONSES},
}
TRANSLATED: Mapping[str, Mapping[str, Import]] = {"fastapi": _NAMES, "uvicorn": {}, "mangum": {}}
"""Where the names of these packages come from in a project."""

_NOTES = (
    'the body of an error is `{"error": …}`, not `{"detail": …}`; that of a 422 has the list under its own key',
    "a URL has no slash at its end: `/items/` is redirected to `/items`",
    "what a module keeps in memory belongs to one process, and Lambda runs many: use a database",
    "there is no `/docs`: `packager types` writes the OpenAPI document",
)


def from_fastapi(path: Path, name: str) -> Conversion:
    """The project `name` with the routes of the app in the file `path`, which is read and never run.

    Raises `UsageError` if the file cannot be read or makes no FastAPI app, `ProjectError` if it is not Python or none
    of its handlers can be moved.
    """
    source = read(path)
    spelt_out = spell_out(source)
    found = declared(source, literals(source))
    found.consumed |= spelt_out
    project_files.require(path, "FastAPI", found.decorated if found.names else 0)
    beside, left = project_files.beside(source, path.parent, TRANSLATED)
    common = _shared(source, found, list(siblings(source, path.parent).values()))
    left += [*found.left, *common.left]
    handlers = _handlers(source, common, found, left)
    if any(row.module == answers.MODULE for item in handlers for row in item.imports.values()):
        beside["lib/answers.py"] = answers.TEXT
    return project_files.assembled(
        project_files.Parts(name, "fastapi", path, common, handlers, left, beside, found.decorated, _NOTES)
    )


def _handlers(source: Source, common: Shared, found: Declared, left: list[Left]) -> list[Handler]:
    urls = unified(row.pattern for row in found.endpoints)
    handlers = []
    for endpoint in found.endpoints:
        what = f"{'/'.join(endpoint.methods)} {endpoint.pattern}"
        try:
            if reason := refusal(endpoint.pattern):
                raise ValueError(reason)
            made = handler(source, common, endpoint, urls[endpoint.pattern])
        except ValueError as error:
            left.append(Left(source.place(endpoint.function), what, str(error)))
            continue
        handlers.append(
            Handler(
                made.segments,
                made.methods,
                made.text,
                made.place,
                what,
                made.support,
                found.cors,
                made.imports,
            )
        )
    return handlers


def _shared(source: Source, found: Declared, parsed: Sequence[Source]) -> Shared:
    edits: list[Edit] = []
    for statement in source.tree.body:
        rows = statement.body if hasattr(statement, "body") and isinstance(statement.body, list) else []
        for function in (statement, *rows):
            if is_function(function) and function not in found.consumed:
                try:
                    edits += plain_signature(source, function)
                except ValueError:
                    continue
    module = f"lib.{source.file.removesuffix('.py')}"
    return shared(source, module, found.names, found.consumed, TRANSLATED, edits, parsed)
