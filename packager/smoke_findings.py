"""What the failures of an imported artifact mean for its project: `smoke_child` reports them, these are diagnostics."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.manifest import Environment
from packager.bundle import Part
from packager.diagnostics import Diagnostic, Severity
from packager.model import Project

_IMPORT = re.compile(r"(?:from\s+([\w.]+)\s+import|import\s+([\w.]+))")
_ELSEWHERE = frozenset(("ConnectionError", "TimeoutError", "gaierror", "HTTPError", "TransportError"))
"""Errors of what this machine cannot reach, and Lambda perhaps can."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed import. `kinds` are the names of the exception's classes, its own first.

    `file` is the route or middleware that was imported, "" for our own code; `module` what an `ImportError` names,
    `filename` what an `OSError` names, relative to the artifact; `variables` were looked up and not found.
    `frames` are file, line and text of the steps, files relative to the artifact.
    """

    file: str
    kinds: Sequence[str]
    message: str
    module: str | None
    filename: str | None
    variables: Sequence[str]
    frames: Sequence[tuple[str, int, str]]


def finding(project: Project, environment: Environment, part: Part, row: dict[str, Any]) -> Diagnostic:
    """The diagnostic of one failure, as `smoke_child` wrote it; `part` is what went into the artifact."""
    failure = Failure(**row)
    ours = {entry.name for entry in part.contents.entries}.intersection(
        file for file, _, _ in failure.frames if (project.root / file).is_file()
    )
    places = [(file, line) for file, line, _ in failure.frames if file in ours]
    file, line = places[-1] if places else (failure.file or "pyproject.toml", 1)
    rule, severity, message, hint = _verdict(project, environment, part, failure)
    chain = tuple(f"{name}:{number} {_step(text)}" for name, number, text in failure.frames)
    return Diagnostic(rule, file, line, 1, message, hint, severity, chain)


def _step(text: str) -> str:
    found = _IMPORT.match(text)
    return f"import {found[1] or found[2]}" if found else text


def _verdict(
    project: Project, environment: Environment, part: Part, failure: Failure
) -> tuple[str, Severity, str, str]:
    """Rule, severity, message and hint."""
    kinds = failure.kinds
    said = f"{kinds[0]}: {failure.message}" if failure.message else kinds[0]
    if "ImportError" in kinds:
        return (
            "unresolved-import",
            "error",
            f"{failure.message} in {_zip(part)}",
            _missing_module(project, failure),
        )
    if "SignatureError" in kinds:
        hint = "The types of a handler are looked up when its route is imported."
        return "invalid-annotation", "error", failure.message, hint
    variable = _variable(environment, failure)
    if variable:
        return (
            "import-needs-variable",
            "warning",
            f"{variable} is needed while the module is imported, and the build does not know it ({said})",
            "The routes behind it are not tested. Read it in the handler, or see to it that it is set on Lambda.",
        )
    if "FileNotFoundError" in kinds and failure.filename and not failure.filename.startswith(".."):
        return (
            "missing-file",
            "error",
            f"{failure.filename} is read while the module is imported, and is not in {_zip(part)}",
            f'Name it in the route, files = ["{failure.filename}"], or in [tool.packager] include.',
        )
    if not _ELSEWHERE.isdisjoint(kinds):
        hint = (
            "Connect in the handler or in a function passed to after_restore(): an import delays every start."
        )
        return "import-failed", "warning", f"the module reaches out while it is imported ({said})", hint
    return (
        "import-failed",
        "error",
        f"the module cannot be imported: {said}",
        "Lambda would answer nothing; `packager preview` shows the whole traceback.",
    )


def _zip(part: Part) -> str:
    return f"the artifact of {part.contents.name}"


def _missing_module(project: Project, failure: Failure) -> str:
    module = failure.module or ""
    file = "/".join(filter(None, (project.import_root, *module.split("."))))
    if module and any((project.root / name).exists() for name in (f"{file}.py", file)):
        return (
            f"{module} is in the project, but no import statement leads to it: "
            f"import it where it is needed, or name its file in [tool.packager] include."
        )
    if module.partition(".")[0] in project.settings.nodejs.provided:
        return "It is in [tool.packager.lambda] provided; take it out there."
    top = module.partition(".")[0]
    return (
        f"Add the distribution that provides {top or 'it'} to [project] dependencies; one that nothing imports by "
        "its name is found if the project imports it once."
    )


def _variable(environment: Environment, failure: Failure) -> str | None:
    """The variable for want of which the import failed, if that is what it was."""
    if "KeyError" in failure.kinds and failure.message.strip("'\"") in failure.variables:
        return failure.message.strip("'\"")
    text = failure.message.lower()
    named = [name for name in (*failure.variables, *environment.secrets) if name.lower() in text]
    looked_up = [name for name in failure.variables if name in environment.secrets]
    return next(iter((*named, *looked_up)), None)
