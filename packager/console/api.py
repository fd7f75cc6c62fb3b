"""The API of the project, for the console and for `packager dev`: its parts are imported when they are asked for."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from packager.console.console import Page
from packager.preview.http import Message, Receive, Send

if TYPE_CHECKING:
    from packager.openapi.description import Description
    from packager.traffic.recorder import App


class Api:
    """The description of the project in `root`, and the page that shows it.

    `report` gets a line for each long step of making them.
    """

    def __init__(self, root: Path, report: Callable[[str], None]) -> None:
        self.page = Page("/api", "API", self)
        self._root = root
        self._report = report
        self._description: Description | None = None
        self._app: App | None = None

    @property
    def description(self) -> "Description":
        """The description, of the running event loop."""
        if self._description is None:
            from packager.openapi.description import Description  # noqa: PLC0415

            self._description = Description(self._root, self._report)
        return self._description

    def saved(self, names: Iterable[str]) -> None:
        """Files, relative to the project, were saved: who asks from now on is told of them."""
        if self._description is not None:
            self._description.saved(names)

    def stop(self) -> None:
        """Give up what is being made, so that the server can end."""
        if self._description is not None:
            self._description.stop()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request of the page (ASGI 3, http only)."""
        if self._app is None:
            from packager.console.api_page import ApiPage  # noqa: PLC0415

            self._app = ApiPage(self.description, self._report)
        await self._app(scope, receive, send)
