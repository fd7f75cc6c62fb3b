"""What a check found: one value for `check`, `build` and `dev`."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

type Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    `file` is relative to the project (POSIX), `line` and `column` count from 1. `rule` is one of the names
    in the documentation. `chain` are the `file:line import x` steps from the route to the cause.
    """

    rule: str
    file: str
    line: int
    column: int
    message: str
    hint: str
    severity: Severity = "error"
    chain: tuple[str, ...] = ()


def to_json(diagnostics: tuple[Diagnostic, ...]) -> dict[str, Any]:
    """The document of `packager check --json`."""
    return {"diagnostics": [{**asdict(item), "chain": list(item.chain)} for item in diagnostics]}


def in_order(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by file, line, column and rule, without repetitions."""
    return tuple(
        sorted(
            set(diagnostics), key=lambda item: (item.file, item.line, item.column, item.rule, item.message)
        )
    )
