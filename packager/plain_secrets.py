"""`env-secret-on-edge`: plain variables that look like secrets, by their names or their values.

A plain variable is in the build and in the templates. On edge it travels with the deployment, readable by whoever may
read the package, so there it is an error; where no route runs on edge it is a warning.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packager import environment, stages
from packager.allowances import permits
from packager.diagnostics import Diagnostic, in_order
from packager.model import Project
from packager.project import PYPROJECT, Document, line_of

RULE = "env-secret-on-edge"

_TABLE = "tool.packager.environment"
_NAME = re.compile(
    r"(?:.*_)?(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|TOKEN|CREDENTIALS?"
    r"|(?:API|ACCESS|AUTH|ENCRYPTION|MASTER|PRIVATE|SECRET|SESSION|SIGNING)_?KEY)"
)
_PUBLIC = re.compile(r"(?:.*_)?(?:PUBLIC|PUBLISHABLE)(?:_.*)?")
# A switch, a small number, or where something is kept.
_HARMLESS = re.compile(r"(?:true|false|yes|no|on|off|none|\d{0,6}|arn:.*)", re.IGNORECASE)
_VALUES = {
    "a private key": r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----",
    "an access key of AWS": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a token of GitHub": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})",
    "a token of GitLab": r"\bglpat-[A-Za-z0-9_-]{20}",
    "a token of Slack": r"\bxox[abprs]-[A-Za-z0-9-]{10}",
    "a key of Stripe": r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16}",
    "an API key": r"\bsk-[A-Za-z0-9_-]{20}",
    "a signed token (JWT)": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.",
    "a URL with a password": r"\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@",
}
_PATTERNS = tuple((what, re.compile(pattern)) for what, pattern in _VALUES.items())


@dataclass(frozen=True, slots=True)
class _Variable:
    """A plain variable as it is written: `texts` are its line and the one above, where a comment may allow it."""

    name: str
    value: str
    file: str
    line: int
    texts: tuple[str, ...]


def of_project(project: Project, *, on_edge: bool) -> tuple[Diagnostic, ...]:
    """Those of `.env` and the settings. `on_edge`: some route runs there.

    Raises `ProjectError` if `.env` is unreadable.
    """
    written = [
        *_in_settings(project, _TABLE, project.settings.variables),
        *_in_file(project, environment.FILE),
    ]
    return _found(written, project, on_edge=on_edge)


def of_stage(project: Project, name: str, *, on_edge: bool) -> tuple[Diagnostic, ...]:
    """Those that only the stage `name` has, in its tables and its file. Raises as `of_project` does."""
    document = Document.read(project.root)
    tables = [f"{table}.environment" for table in stages.tables_of(document, name)]
    written = [
        *(row for table in tables for row in _in_settings(project, table, _variables(document, table))),
        *_in_file(project, stages.file_of(name)),
    ]
    return _found(written, project, on_edge=on_edge)


def suspicion(name: str, value: str) -> str | None:
    """Why a variable looks like a secret: `its name`, or what its value is like; None if it does not."""
    for what, pattern in _PATTERNS:
        if pattern.search(value):
            return f"its value looks like {what}"
    upper = name.upper()
    if _NAME.fullmatch(upper) and not _PUBLIC.fullmatch(upper) and not _HARMLESS.fullmatch(value.strip()):
        return "its name is that of a secret"
    return None


def _found(written: Iterable[_Variable], project: Project, *, on_edge: bool) -> tuple[Diagnostic, ...]:
    found = []
    for row in written:
        # a secret too: `env-name` tells
        if row.name in project.settings.secrets or any(permits(text, RULE) for text in row.texts):
            continue
        if reason := suspicion(row.name, row.value):
            found.append(_diagnostic(row, reason, on_edge=on_edge))
    return in_order(found)


def _diagnostic(row: _Variable, reason: str, *, on_edge: bool) -> Diagnostic:
    where = (
        "travels readably with the edge functions"
        if on_edge
        else "is readable in the build and the templates"
    )
    hint = (
        f'Make it a secret, {row.name} = "ssm:/…" in `secrets` of [{_TABLE}], and put its value for this machine '
        f"into {environment.LOCAL_FILE}; if it is none, say why: # packager: allow[{RULE}] reason"
    )
    message = f"{row.name} looks like a secret ({reason}), and a plain variable {where}"
    return Diagnostic(RULE, row.file, row.line, 1, message, hint, "error" if on_edge else "warning")


def _in_file(project: Project, file: str) -> Iterator[_Variable]:
    rows = tuple(environment.assignments(project.root, file))
    if rows:
        lines = (project.root / file).read_text(encoding="utf-8").splitlines()
        for row in rows:
            if row.name and row.value:
                yield _Variable(row.name, row.value, file, row.number, _around(lines, row.number))


def _in_settings(project: Project, table: str, variables: Mapping[str, str]) -> Iterator[_Variable]:
    if variables:
        lines = (project.root / PYPROJECT).read_text(encoding="utf-8").splitlines()
        for name, value in variables.items():
            number = line_of(tuple(lines), table, name)
            yield _Variable(name, value, PYPROJECT, number, _around(lines, number))


def _variables(document: Document, table: str) -> Mapping[str, str]:
    return document.mapping(table, document.table(table), "variables")


def _around(lines: list[str], number: int) -> tuple[str, ...]:
    above = lines[number - 2] if number >= 2 else ""
    return (
        (lines[number - 1], above if above.lstrip().startswith("#") else "") if number <= len(lines) else ()
    )
