"""The console of one `preview` or `dev`: what it knows, and who of the open pages is told what."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Literal

from infra.manifest import AppInfo, Environment, Manifest
from packager.console import views
from packager.console.picture import of_manifest, of_topology, to_document
from packager.console.stream import Stream
from packager.console.views import Document
from packager.dev.faults import Fault
from packager.diagnostics import Diagnostic
from packager.preview.http import Message, Receive, Send
from packager.preview.topology import Topology
from packager.traffic.events import Event, Logged, Told
from packager.traffic.history import Exchange, History
from packager.traffic.recorder import App, Recorder
from packager.traffic.secrecy import Secrets

type Mode = Literal["preview", "dev"]

PREFIX = b"/_packager"
_NOTHING = Manifest(AppInfo("", ""), (), (), (), Environment())


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A further page: an ASGI app that is mounted at `path` below the console's, with its `title` for the menu."""

    path: str
    title: str
    app: App


class Console:
    """Stands before an app: records what passes, and serves the pages under `/_packager`.

    `tell` is for whoever has something to tell: the commands' own `told` gets it, and so do the open pages.
    """

    def __init__(self, mode: Mode, told: Told, pages: tuple[Page, ...] = ()) -> None:
        self.mode: Mode = mode
        self.pages = pages
        self.history = History()
        self.secrets = Secrets({})
        self.recorder: Recorder | None = None
        self._told = told
        self._manifest = _NOTHING
        self._picture = of_manifest(_NOTHING)
        self._findings: tuple[Diagnostic, ...] = ()
        self._faults: dict[tuple[str, str], Fault] = {}
        self._streams: set[Stream] = set()
        self._pages: App | None = None
        self.history.listen(self._exchanged)

    def tell(self, event: Event) -> None:
        """Pass an event on."""
        self._told(event)
        if isinstance(event, Logged):
            if self.recorder is not None:
                self.recorder.wrote(event.function, event.text)
            if self._streams:
                text = self.secrets.mask(event.text)
                self._put("log", {"function": event.function, "text": text})

    def use(self, manifest: Manifest, values: Mapping[str, str], topology: Topology | None = None) -> None:
        """Show what is served from now on, by the way of a topology if there is one.

        `values` are those of this machine; those of secrets are never shown.
        """
        self._manifest = manifest
        self._picture = of_manifest(manifest) if topology is None else of_topology(topology)
        self.secrets = Secrets(
            {name: values[name] for name in manifest.environment.secrets if name in values}
        )
        self._put("project", None)

    def found(self, findings: Iterable[Diagnostic]) -> None:
        """Show these findings of the checks in place of those before."""
        self._findings = tuple(findings)
        self._put("problems", None)

    def faulty(self, function: str, request: str, fault: Fault | None) -> None:
        """Show the fault that a request such as `GET /api/x` met, or none any more."""
        if fault is not None:
            self._faults[function, request] = fault
        elif self._faults.pop((function, request), None) is None:
            return
        self._put("problems", None)

    def reloaded(self, function: str) -> None:
        """Forget the faults of a function whose code has changed."""
        for key in [key for key in self._faults if key[0] == function]:
            del self._faults[key]
        self._put("problems", None)

    def around(self, app: App) -> App:
        """The app with the console before it."""
        recorder = self.recorder = Recorder(app, self.tell, self.history)

        async def serve(scope: Message, receive: Receive, send: Send) -> None:
            path: bytes = scope["raw_path"]
            if path == PREFIX or path.startswith(PREFIX + b"/"):
                await self._page(scope, receive, send)
            else:
                await recorder(scope, receive, send)

        return serve

    def project(self) -> Document:
        """The document of what is served."""
        pages = [(page.path, page.title) for page in self.pages]
        return views.project(self.mode, self._manifest, pages) | {"picture": to_document(self._picture)}

    def problems(self) -> Document:
        """The document of what is wrong."""
        faults = {request: fault for (_, request), fault in self._faults.items()}
        return views.problems(self._findings, faults, self.secrets)

    def open_stream(self) -> Stream:
        """The events of one more open page."""
        stream = Stream()
        self._streams.add(stream)
        return stream

    def close_stream(self, stream: Stream) -> None:
        """A page has gone."""
        self._streams.discard(stream)

    def close(self) -> None:
        """End all streams, so that the server can end."""
        for stream in self._streams:
            stream.close()

    async def _page(self, scope: Message, receive: Receive, send: Send) -> None:
        if self._pages is None:
            # What serves the pages is imported with the first one.
            from packager.console.pages import pages  # noqa: PLC0415

            self._pages = pages(self)
        await self._pages(scope, receive, send)

    def _exchanged(self, exchange: Exchange) -> None:
        if self._streams:
            self._put("exchange", views.summary(exchange, self.secrets))

    def _put(self, kind: str, document: object) -> None:
        for stream in self._streams:
            stream.put(kind, document)
