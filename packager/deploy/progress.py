"""What long work tells of itself while it runs. The library calls it, the command line shows it."""

from typing import Literal, Protocol

type State = Literal["running", "done", "failed"]


class Progress(Protocol):
    """Told by one thread at a time, except for `sent`, which any thread may call."""

    def step(self, text: str) -> None:
        """A step begins, "uploading 3 files", and the one before is done."""

    def sent(self, done: int, total: int) -> None:
        """Bytes of the step that are up, and that go up in all (`uploads.Report`)."""

    def stack(self, name: str, resources: int) -> None:
        """A stack is being changed, `resources` of it."""

    def resource(self, stack: str, name: str, kind: str, state: State, reason: str = "") -> None:
        """A resource of the stack, by its logical id and its type, is in a new state; `reason` is AWS's own."""

    def note(self, text: str) -> None:
        """A line worth keeping."""


class Silent:
    """Shows nothing."""

    def step(self, text: str) -> None:
        pass

    def sent(self, done: int, total: int) -> None:
        pass

    def stack(self, name: str, resources: int) -> None:
        pass

    def resource(self, stack: str, name: str, kind: str, state: State, reason: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        pass
