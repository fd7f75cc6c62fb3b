"""The app's environment variables: `.env` and `[tool.packager.environment]` as one set."""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.manifest import Environment
from packager.diagnostics import Diagnostic, in_order
from packager.errors import ProjectError
from packager.model import Project
from packager.project import PYPROJECT, line_of

FILE = ".env"
LOCAL_FILE = ".env.local"

# Lambda developer guide, "Defined runtime environment variables" and CreateFunction's `Environment`.
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_NAME_HINT = "Choose another name: a letter, then letters, digits and _, at least two, not AWS_… or LAMBDA_…."
_SECRET_HINT = f"Keep it as a secret, and put its value for this machine into {LOCAL_FILE}."
_RESERVED = re.compile(r"(AWS|LAMBDA)_.*|_HANDLER|_X_AMZN_TRACE_ID", re.ASCII)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One line of a `.env` file; `name` is None if it is not `NAME=value`."""

    number: int
    name: str | None
    value: str | None


def read(project: Project) -> tuple[Environment, tuple[Diagnostic, ...]]:
    """The variables (a value in `.env` wins over the settings) and secrets of the app.

    Values are taken as written: `${NAME}` is not replaced, so that a build does not depend on the machine.
    Reports `env-name` for names that Lambda refuses or reserves and for a secret that is a plain variable
    too, `invalid-config` for lines that are not `NAME=value`. Raises `ProjectError` if `.env` is unreadable.
    """
    settings = project.settings
    lines = tuple(assignments(project.root, FILE))
    found = [*_in_settings(project), *_in_file(FILE, lines, settings.secrets)]
    values = {**settings.variables, **_written(lines)}
    return (
        Environment(
            variables=tuple(sorted(values)),
            secrets=tuple(sorted(settings.secrets)),
            values=dict(sorted(values.items())),
            references=dict(sorted(settings.secrets.items())),
        ),
        in_order(found),
    )


def local_values(project_root: Path) -> dict[str, str]:
    """The values of `.env.local`, for emulation only: they are never part of a build.

    Raises `ProjectError` if the file is unreadable.
    """
    return _written(assignments(project_root, LOCAL_FILE))


def stage_values(project: Project, file: str) -> tuple[dict[str, str], tuple[Diagnostic, ...]]:
    """The values of a stage's file, `.env.<stage>`, and what is wrong in it, judged as `.env` is.

    A missing file is empty. Raises `ProjectError` if the file is unreadable.
    """
    lines = tuple(assignments(project.root, file))
    return _written(lines), in_order(list(_in_file(file, lines, project.settings.secrets)))


def fault_of(name: str, secrets: Container[str]) -> tuple[str, str] | None:
    """What is wrong with the name of a plain variable, and what to do; `secrets` are the names of the secrets."""
    if name in secrets:
        return f"{name} is a secret and a plain variable at once", _SECRET_HINT
    fault = _fault(name)
    return (fault, _NAME_HINT) if fault else None


def _written(lines: Iterable[Assignment]) -> dict[str, str]:
    return {line.name: line.value for line in lines if line.name and line.value is not None}


def assignments(root: Path, file: str) -> Iterator[Assignment]:
    """The lines of a `.env` file that say something; none without one. Raises `ProjectError` if it is unreadable."""
    path = root / file
    if not path.is_file():
        return
    from dotenv.parser import parse_stream  # noqa: PLC0415 - 20 ms that only projects with the file need

    try:
        with path.open(encoding="utf-8") as stream:
            for row in parse_stream(stream):
                if row.key is not None or row.error:
                    skipped = len(row.original.string) - len(row.original.string.lstrip("\r\n"))
                    yield Assignment(
                        row.original.line + row.original.string[:skipped].count("\n"), row.key, row.value
                    )
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(
            f"the file cannot be read: {error}", place=file, hint="Make it a readable file in UTF-8."
        ) from error


def _in_settings(project: Project) -> Iterator[Diagnostic]:
    settings = project.settings
    faults = [
        (name, fault, _NAME_HINT) for name in settings.variables | settings.secrets if (fault := _fault(name))
    ]
    both = settings.variables.keys() & settings.secrets.keys()
    faults += [(name, f"{name} is a secret and a plain variable at once", _SECRET_HINT) for name in both]
    if faults:
        lines = tuple((project.root / PYPROJECT).read_text(encoding="utf-8").splitlines())
        for name, message, hint in faults:
            yield _env_name(PYPROJECT, line_of(lines, "tool.packager.environment", name), message, hint)


def _in_file(file: str, lines: tuple[Assignment, ...], secrets: Container[str]) -> Iterator[Diagnostic]:
    for line in lines:
        if line.name is None or line.value is None:
            hint = "Write NAME=value; quote values with spaces; comments begin with #."
            yield Diagnostic("invalid-config", file, line.number, 1, "the line is not NAME=value", hint)
        elif fault := _fault(line.name):
            yield _env_name(file, line.number, fault)
        elif line.name in secrets:
            yield _env_name(
                file, line.number, f"{line.name} is a secret, and {file} is part of the build", _SECRET_HINT
            )


def _fault(name: str) -> str | None:
    if _RESERVED.fullmatch(name):
        return f"{name} is a name that AWS Lambda reserves"
    if not _NAME.fullmatch(name):
        return f"{name!r} is a name that AWS Lambda refuses"
    return None


def _env_name(file: str, line: int, message: str, hint: str = _NAME_HINT) -> Diagnostic:
    return Diagnostic("env-name", file, line, 1, message, hint)
