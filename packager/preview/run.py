"""The life of one preview: build if needed, start the parts, serve until a signal, leave nothing behind."""

import asyncio
import errno
import platform
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra import manifest as manifests
from infra.manifest import Function, Manifest
from packager.errors import ToolError
from packager.preview import lambda_image
from packager.preview.cdn import Cdn
from packager.preview.door import Door, Server
from packager.preview.edge_process import EdgeImage, EdgeWorker
from packager.preview.gateway import Gateway
from packager.preview.http import Backend, Log
from packager.preview.lambda_pool import Pool

HOST = "127.0.0.1"
_MACHINES = {"aarch64": "arm64", "amd64": "x86_64"}

# As runtimes.hop names it, whose import takes longer than the rest of the start.
ORIGIN_VARIABLE = "PACKAGER_ORIGIN"

type Overlay = Callable[[Function], Sequence[Path]]


def preview(folder: Path, out: Path, *, port: int, log: Log, ready: Callable[[str], None]) -> signal.Signals:
    """Serve the build output `out` of the project `folder` until SIGINT or SIGTERM, which is returned.

    Builds first if the output is absent or stale. `port` 0 picks one; `ready` gets the URL once requests are
    taken. Raises `ToolError` if the port is taken, and what `packager.build.build` raises.
    """
    # `serve` does without what a build needs.
    from packager import build  # noqa: PLC0415
    from packager.environment import local_values  # noqa: PLC0415

    with listen(port) as listener:
        if not build.is_current(folder, out):
            build.build(folder, out, report=log)

        def overlay(function: Function) -> Sequence[Path]:
            return build.host_overlay(folder, out, function)

        return serve(out, local_values(folder), overlay, listener, log, ready)


def listen(port: int) -> socket.socket:
    """A socket bound to `port` of this machine alone. Raises `ToolError` if that cannot be had."""
    # With its protocol named, or asyncio would not set TCP_NODELAY and each answer took 40 ms longer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        taken = error.errno == errno.EADDRINUSE
        raise ToolError(
            f"port {port} is in use by another program" if taken else f"port {port}: {error.strerror}",
            hint="Give another one with --port N (--port 0 picks a free one), or end the other program.",
        ) from error
    return listener


def serve(
    out: Path,
    local: Mapping[str, str],
    overlay: Overlay,
    listener: socket.socket,
    log: Log,
    ready: Callable[[str], None],
) -> signal.Signals:
    """Serve the build output `out` on `listener`. `local` are the values of `.env.local`."""
    temporary = Path(tempfile.mkdtemp(prefix="packager-preview-"))
    try:
        manifest = manifests.read(out)
        warn_of_missing_secrets(manifest, local, log)
        origin = {ORIGIN_VARIABLE: f"http://{HOST}:{listener.getsockname()[1]}"}
        makers = backends(manifest, out, {**local, **origin}, overlay, temporary, log)
        return asyncio.run(_serve(manifest, makers, listener, log, ready))
    finally:
        lambda_image.remove(temporary)


def warn_of_missing_secrets(manifest: Manifest, local: Mapping[str, str], log: Log) -> None:
    """One line for each secret without a local value: secrets are never fetched from the cloud here."""
    for name in manifest.environment.secrets:
        if name not in local:
            log(f"warning: the secret {name} has no value here; put {name}=… into .env.local")


async def _serve(
    manifest: Manifest,
    makers: Mapping[str, Callable[[], Backend]],
    listener: socket.socket,
    log: Log,
    ready: Callable[[str], None],
) -> signal.Signals:
    loop = asyncio.get_running_loop()
    received: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, received.put_nowait, number)
    running = {name: make() for name, make in makers.items()}

    def listening() -> None:
        ready(f"http://{HOST}:{listener.getsockname()[1]}")
        for backend in running.values():
            backend.start()

    server = Server(Door(manifest, running, log), listening)
    serving = asyncio.create_task(server.serve([listener]))
    signalled = asyncio.create_task(received.get())
    try:
        await asyncio.wait({serving, signalled}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await asyncio.gather(*(backend.close() for backend in running.values()))
        await serving
    return await signalled


def backends(
    manifest: Manifest,
    out: Path,
    local: Mapping[str, str],
    overlay: Overlay,
    temporary: Path,
    log: Log,
) -> dict[str, Callable[[], Backend]]:
    """What makes each function's backend, to be called inside the event loop."""
    values = {**manifest.environment.values, **local}
    makers: dict[str, Callable[[], Backend]] = {}
    for function in manifest.functions:
        function_log = _prefixed(function.name, log)
        if function.runtime == "nodejs":
            makers[function.name] = _gateway(function, out, overlay, temporary, values, function_log)
        else:
            makers[function.name] = _cdn(function, out, values, function_log)
    return makers


def _gateway(
    function: Function, out: Path, overlay: Overlay, temporary: Path, values: Mapping[str, str], log: Log
) -> Callable[[], Backend]:
    root = temporary / function.sha256
    if not root.exists():
        lambda_image.unpack_read_only(out / function.artifact, root)
    folders: Sequence[Path] = ()
    if natives := _foreign_natives(function):
        folders = overlay(function)
        log(f"this machine's wheels take the place of the artifact's: {', '.join(natives)}")
    image = lambda_image.prepare(function, root, folders, values, log)
    return lambda: Gateway(Pool(image, log), log)


def _foreign_natives(function: Function) -> list[str]:
    """The native distributions of an artifact that was built for another platform than this one."""
    machine = platform.machine().lower()
    this = (
        sys.platform,
        _MACHINES.get(machine, machine),
        f"{sys.version_info.major}.{sys.version_info.minor}",
    )
    if this == ("linux", function.architecture, function.python):
        return []
    return [f"{item.name} {item.version}" for item in function.distributions if item.native]


def _cdn(function: Function, out: Path, values: Mapping[str, str], log: Log) -> Callable[[], Backend]:
    from packager.node import node  # noqa: PLC0415 - not every project has edge routes

    folder = (out / (function.folder or f"edge/{function.name}")).resolve()
    image = EdgeImage(node(), folder, {**values, **function.environment})
    at_edge = function.target == "lambda-edge"
    return lambda: Cdn(EdgeWorker(image, log), at_edge)


def _prefixed(name: str, log: Log) -> Log:
    return lambda line: log(f"[{name}] {line}")
