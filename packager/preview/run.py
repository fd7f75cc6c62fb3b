"""The life of one preview: build if needed, start the parts, serve until a signal, leave nothing behind."""

import asyncio
import dataclasses
import signal
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from infra import manifest as manifests
from infra.manifest import Function, Manifest
from packager.console.api import Api
from packager.console.console import Console
from packager.preview import lambda_image, source
from packager.preview.cdn import Cdn
from packager.preview.cloud import Surroundings, cloud
from packager.preview.door import Door
from packager.preview.edge_process import EdgeImage, EdgeWorker
from packager.preview.gateway import Gateway
from packager.preview.host_wheels import Overlay, host_folders
from packager.preview.http import Backend, Log, Message, Receive, Send
from packager.preview.lambda_pool import Pool
from packager.preview.local_folders import local_folders
from packager.preview.server import HOST, Server, listen
from packager.preview.topology import Topology
from packager.traffic.events import Logged, Note, Told

# As runtimes.hop names it, whose import takes longer than the rest of the start.
ORIGIN_VARIABLE = "PACKAGER_ORIGIN"

type Ready = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. `port` 0 picks one.

    With `stacks` requests go the way that the templates of `assembly` say, or of `stage` if there is none given; else
    the way of the build's own routes. `viewer` is what CloudFront knows of every viewer. `concurrency` is how many
    invocations a function may have at once, None: as it is configured; with `cold` every request is a cold start.
    """

    port: int = 0
    stacks: bool = True
    stage: str | None = None
    assembly: Path | None = None
    viewer: Mapping[str, str] = field(default_factory=dict)
    concurrency: int | None = None
    cold: bool = False


class Front(Protocol):
    """An ASGI app with the processes behind it."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""

    def start(self) -> None:
        """Warm up in the background."""

    async def close(self) -> None:
        """End every process."""


@dataclass(frozen=True, slots=True)
class Site:
    """What is served: the build output `out`, with the values of `.env.local` and this machine's wheels.

    `api` shows what the routes say; None where there are no sources to tell it.
    """

    out: Path
    local: Mapping[str, str]
    overlay: Overlay
    api: Api | None = None


def preview(
    folder: Path, out: Path, options: Options, *, told: Told, ready: Callable[[str], None]
) -> signal.Signals:
    """Serve the build output `out` of the project `folder` until SIGINT or SIGTERM, which is returned.

    Builds first if the output is absent or stale, and synthesizes if the stacks are wanted and those of another
    build; an `assembly` that is given is taken as it is. `ready` gets the URL once requests are taken, `told` every
    event. Raises `ToolError` if the port is taken, and what `packager.build.build` and `source.topology` raise.
    """
    # `serve` does without what a build needs.
    from packager import build  # noqa: PLC0415
    from packager.environment import local_values  # noqa: PLC0415

    def report(line: str) -> None:
        told(Note(line))

    with listen(options.port) as listener:
        found = None
        if options.stacks:
            found = source.topology(folder, options.stage, options.assembly, report=report)
        if not build.is_current(folder, out):
            build.build(folder, out, report=report)

        def overlay(function: Function) -> Sequence[Path]:
            return build.host_overlay(folder, out, function)

        site = Site(out, local_values(folder), overlay, Api(folder, report))
        return serve(site, options, listener, told, ready, topology=found)


def serve(
    site: Site,
    options: Options,
    listener: socket.socket,
    told: Told,
    ready: Ready,
    *,
    topology: Topology | None = None,
) -> signal.Signals:
    """Serve a build output on `listener`, by the way of a topology if there is one."""
    temporary = Path(tempfile.mkdtemp(prefix="packager-preview-"))
    console = Console("preview", told, (site.api.page,) if site.api else ())
    try:
        manifest = manifests.read(site.out)
        console.use(manifest, site.local, topology)
        warn_of_missing_secrets(manifest, site.local, lambda line: told(Note(line)))
        origin = {ORIGIN_VARIABLE: f"http://{HOST}:{listener.getsockname()[1]}"}
        here = Surroundings(
            built=manifest,
            local={**site.local, **origin},
            overlay=site.overlay,
            temporary=temporary,
            viewer=options.viewer,
            log=lambda name: _logged(name, console.tell),
            concurrency=options.concurrency,
            cold=options.cold,
        )
        make = door(site.out, here) if topology is None else cloud(topology, here)
        return asyncio.run(_serve(make, listener, console, ready, site.api))
    finally:
        lambda_image.remove(temporary)


def warn_of_missing_secrets(manifest: Manifest, local: Mapping[str, str], log: Log) -> None:
    """One line for each secret without a local value: secrets are never fetched from the cloud here."""
    for name in manifest.environment.secrets:
        if name not in local:
            log(f"warning: the secret {name} has no value here; put {name}=… into .env.local")


async def _serve(
    make: Callable[[], Front], listener: socket.socket, console: Console, ready: Ready, api: Api | None
) -> signal.Signals:
    loop = asyncio.get_running_loop()
    received: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, received.put_nowait, number)
    front = make()

    def listening() -> None:
        ready(f"http://{HOST}:{listener.getsockname()[1]}")
        front.start()

    server = Server(console.around(front), listening)
    serving = asyncio.create_task(server.serve([listener]))
    signalled = asyncio.create_task(received.get())
    try:
        await asyncio.wait({serving, signalled}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        console.close()
        if api is not None:
            api.stop()
        await front.close()
        await serving
    return await signalled


def door(out: Path, here: Surroundings) -> Callable[[], Door]:
    """What makes the door of the build output `out`, to be called inside the event loop."""
    makers = {
        function.name: (_gateway if function.runtime == "nodejs" else _cdn)(function, out, here)
        for function in here.built.functions
    }
    return lambda: Door(here.built, {name: make() for name, make in makers.items()})


def _gateway(function: Function, out: Path, here: Surroundings) -> Callable[[], Backend]:
    root = here.temporary / function.sha256
    if not root.exists():
        lambda_image.unpack_read_only(out / function.artifact, root)
    log = here.log(function.name)
    folders = host_folders(function, here.overlay, log)
    values = {**here.built.environment.values, **here.local}
    image = lambda_image.prepare(function, root, folders, values, log)
    image = dataclasses.replace(image, shared=local_folders(here.local))
    return lambda: Gateway(Pool(image, log, concurrency=here.concurrency, cold=here.cold), log)


def _cdn(function: Function, out: Path, here: Surroundings) -> Callable[[], Backend]:
    from packager.node import node  # noqa: PLC0415 - not every project has edge routes

    folder = (out / (function.folder or f"edge/{function.name}")).resolve()
    values = {**here.built.environment.values, **here.local, **function.environment}
    image = EdgeImage(node(), folder, values)
    at_edge = function.target == "lambda-edge"
    return lambda: Cdn(EdgeWorker(image, here.log(function.name)), at_edge, cold=here.cold)


def _logged(name: str, told: Told) -> Log:
    return lambda line: told(Logged(name, line))
