"""What a build made differently from the one before it."""

from dataclasses import dataclass
from typing import Literal

from infra.manifest import Manifest, Runtime


@dataclass(frozen=True, slots=True)
class Change:
    """One function, in this build or in the one before. `zip_bytes` is the difference in bytes."""

    function: str
    runtime: Runtime
    state: Literal["new", "unchanged", "changed", "removed"]
    zip_bytes: int


def changes(before: Manifest | None, after: Manifest) -> tuple[Change, ...]:
    """A row for each function of `after`, in its order, then for each that is no more. `before` is None at first."""
    old = {row.name: row for row in before.functions} if before else {}
    found = []
    for row in after.functions:
        other = old.pop(row.name, None)
        if other is None:
            found.append(Change(row.name, row.runtime, "new", row.zip_bytes))
        else:
            state: Literal["unchanged", "changed"] = "unchanged" if other.sha256 == row.sha256 else "changed"
            found.append(Change(row.name, row.runtime, state, row.zip_bytes - other.zip_bytes))
    gone = (Change(row.name, row.runtime, "removed", -row.zip_bytes) for row in old.values())
    return (*found, *gone)
