"""What keeps a manifest and a stage from becoming stacks."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One limit that is passed or one thing that is missing: what, with the limit, where, and what to do.

    `place` is a file of the project, `file` or `file:line`, or a setting such as `tool.packager.stages.prod`.
    """

    message: str
    hint: str
    place: str | None = None


class StackError(Exception):
    """The stacks cannot be made; `faults` are all that were found, before CDK was started."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.message for fault in faults))
        self.faults = tuple(faults)
