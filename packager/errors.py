"""Every error that ends a command, each with its exit status.

An error says what happened, where, why, and what to do next. The library raises them and never prints; the
command line prints them (`packager.cli.output`) without a traceback unless `--debug` is given.
"""

from collections.abc import Sequence
from typing import Any

from infra.errors import Fault
from packager.diagnostics import Diagnostic


class PackagerError(Exception):
    """What happened (`message`), where (`place`: `file` or `file:line`) and what to do next (`hint`)."""

    exit_status = 3

    def __init__(self, message: str, *, hint: str, place: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors of a child process reach its parent whole, whatever their constructor takes."""
        return BaseException.__new__, (type(self), *self.args), self.__dict__


class ProjectError(PackagerError):
    """The user's project is at fault."""

    exit_status = 1


class DiagnosticsError(ProjectError):
    """The checks found errors; `diagnostics` are all that were found, warnings too."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        count = sum(1 for item in diagnostics if item.severity == "error")
        super().__init__(
            f"{count} error{'s' if count > 1 else ''} in the project",
            hint="Mend what is listed above and build again; `packager check` lists it alone.",
        )
        self.diagnostics = tuple(diagnostics)


class StacksError(ProjectError):
    """The stacks of a stage cannot be made; `faults` are all that stand against them."""

    def __init__(self, faults: Sequence[Fault], stage: str) -> None:
        count = len(faults)
        super().__init__(
            f"the stacks of {stage} cannot be made: {count} fault{'s' if count > 1 else ''}",
            hint="Mend what is listed above and run `packager synth` again.",
        )
        self.faults = tuple(faults)


class UsageError(PackagerError):
    """The command was called in a wrong way: a folder that is not a project, a bad option."""

    exit_status = 2


class ToolError(PackagerError):
    """A tool, the network, the disk or the cloud failed; the project is not at fault."""

    exit_status = 3


class ToolTimeoutError(ToolError):
    """A tool did not end in its time, and was ended."""
