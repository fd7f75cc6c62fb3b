"""`packager types` beside the server: the files are kept as the routes are saved."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from packager.console.api import Api
from packager.errors import DiagnosticsError, PackagerError

if TYPE_CHECKING:
    from packager.openapi.follow import Follower


class TypesBeside:
    """Writes the files, to `out` or to where the settings say, if it is `asked` to or these say where.

    `note` gets a line when files were written, and one for each other fault that keeps them from being written.
    """

    def __init__(
        self, root: Path, out: Path | None, api: Api, *, asked: bool, note: Callable[[str], None]
    ) -> None:
        self._root = root
        self._out = out
        self._api = api
        self._asked = asked
        self._note = note
        self._fault = ""

    @functools.cached_property
    def follower(self) -> "Follower":
        """What writes them."""
        # after the start, which need not wait for it
        from packager.openapi.follow import Follower  # noqa: PLC0415

        return Follower(
            self._root,
            self._out,
            self._api.description,
            asked=self._asked,
            report=self._wrote,
            failed=self._failed,
        )

    def restart(self) -> None:
        """The project was saved."""
        self.follower.restart()

    def of_others(self, saved: frozenset[str]) -> frozenset[str]:
        """Without the files that are written here."""
        return frozenset(name for name in saved if self._root / name not in self.follower.written)

    async def close(self) -> None:
        """Give up; what is being written is written."""
        await self.follower.close()

    def _wrote(self, line: str) -> None:
        self._fault = ""
        self._note(line)

    def _failed(self, error: PackagerError) -> None:
        place, message = error.place, error.message
        if isinstance(error, DiagnosticsError):
            first = error.diagnostics[0]
            place, message = f"{first.file}:{first.line}", first.message
        line = f"the types are not written: {f'{place}: ' if place else ''}{message}"
        if line != self._fault:
            self._fault = line
            self._note(line)
