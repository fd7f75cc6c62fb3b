"""A Chalice app, read from its file, as a project."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from packager.scaffold import chalice_answers, project_files
from packager.scaffold.chalice_app import Declared, declared
from packager.scaffold.chalice_handler import handler
from packager.scaffold.conversion import Conversion, Handler, Left
from packager.scaffold.imports import Import
from packager.scaffold.shared import Shared, literals, shared, siblings
from packager.scaffold.source import Source, read
from packager.scaffold.urls import refusal, unified

_ERRORS = {"ChaliceViewError", *chalice_answers.STATUSES}
TRANSLATED: Mapping[str, Mapping[str, Import]] = {
    "chalice": {
        "Response": Import(chalice_answers.MODULE, "reply"),
        **{name: Import(chalice_answers.MODULE, name) for name in _ERRORS},
    }
}
_NOTES = (
    'the body of an error is `{"error": …}`, not `{"Code": …, "Message": …}`',
    "`query_params` are empty without a query, not None",
    "JSON is read whatever the content type; a request without any is 400",
    "what a function may do on AWS is in `permissions` of a stage: `packager why . --iam` reads it from the calls",
)


def from_chalice(path: Path, name: str) -> Conversion:
    """The project `name` with the routes of the app in the file `path`, which is read and never run.

    Modules of `chalicelib` beside it come along. Raises `UsageError` if the file cannot be read or makes no
    Chalice app, `ProjectError` if it is not Python or none of its views can be moved.
    """
    source = read(path)
    found = declared(source, literals(source))
    project_files.require(path, "Chalice", found.decorated if found.apps else 0)
    beside, left = project_files.beside(source, path.parent, TRANSLATED)
    module = f"lib.{path.stem}"
    modules = list(siblings(source, path.parent).values())
    common = shared(source, module, found.apps, found.consumed, TRANSLATED, (), modules)
    left += [*found.left, *common.left]
    handlers = _handlers(source, common, found, left)
    own = {}
    texts = [common.text, *(row.text for row in handlers), *beside.values()]
    errors = {name for name in _ERRORS if any(name in text for text in texts)}
    if (
        errors
        or any(f"from {chalice_answers.MODULE} " in text for text in beside.values())
        or any(row.module == chalice_answers.MODULE for row in _imports(common, handlers))
    ):
        own["lib/answers.py"] = chalice_answers.text(errors)
    return project_files.assembled(
        project_files.Parts(
            name, "chalice", path, common, handlers, left, {**beside, **own}, found.decorated, _NOTES
        )
    )


def _imports(common: Shared, handlers: list[Handler]) -> list[Import]:
    return [*common.imports.values(), *(row for item in handlers for row in item.imports.values())]


def _handlers(source: Source, common: Shared, found: Declared, left: list[Left]) -> list[Handler]:
    urls = unified(view.pattern for view in found.views)
    handlers = []
    for view in found.views:
        try:
            if reason := refusal(view.pattern):
                raise ValueError(reason)
            made = handler(source, common, view, urls[view.pattern])
        except ValueError as error:
            what = f"{'/'.join(view.methods)} {view.pattern}"
            left.append(Left(source.place(view.function), what, str(error)))
            continue
        handlers.append(replace(made, cors=view.cors or found.cors))
    return handlers
