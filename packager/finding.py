"""What `packager doctor` finds."""

from dataclasses import dataclass
from typing import Literal

type State = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    `missing` is what the tool cannot do without; a `warning` is only in the way of some commands. `hint` is the
    command or the setting that mends it, empty if all is well.
    """

    name: str
    state: State
    version: str | None
    detail: str
    hint: str = ""
