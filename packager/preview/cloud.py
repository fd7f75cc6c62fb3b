"""The parts of a topology, tied together: what listens in front, and what every function is served by."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.environment import SECRETS, SECRETS_REGION
from infra.manifest import Function, Manifest
from packager.preview import lambda_image
from packager.preview.cdn import Cdn
from packager.preview.distribution import DistributionFront, Origins
from packager.preview.edge_functions import NodeFunction, OriginFunctions
from packager.preview.edge_process import EdgeImage, EdgeWorker
from packager.preview.gateway import Gateway
from packager.preview.host_wheels import Overlay, host_folders
from packager.preview.http import Backend, Log, Message, Receive, Send, message_answer, send_answer
from packager.preview.http_api import HttpApiFront
from packager.preview.lambda_pool import Pool
from packager.preview.local_folders import local_folders
from packager.preview.server import arrival_of
from packager.preview.template import Place
from packager.preview.topology import FunctionConfig, Topology
from packager.preview.viewer import ViewerFunctions
from packager.preview.viewer_headers import ViewerHeaders

API_HOST = "api.localhost"
"""The name under which the API's own endpoint is asked, past the distribution."""

_ENVIRONMENT_FILE = "environment.json"
_BEHIND_CDN = "PACKAGER_BEHIND_CDN"
_KEPT_IN_CLOUD = (SECRETS, SECRETS_REGION)
"""Variables that would have a function fetch its secrets from the cloud."""

type Logger = Callable[[str], Log]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is here and not in the templates.

    `local` lies over the functions' own variables, `built` is the manifest of the build, whose native distributions
    `overlay` finds for this machine. `viewer` is what is known of every viewer, `log` gives the log of a function by
    its name.
    """

    built: Manifest
    local: Mapping[str, str]
    overlay: Overlay
    temporary: Path
    viewer: Mapping[str, str]
    log: Logger
    concurrency: int | None = None
    cold: bool = False


class Cloud:
    """The ASGI app (http only) of a topology."""

    def __init__(
        self,
        topology: Topology,
        api: HttpApiFront | None,
        distribution: DistributionFront | None,
        running: Sequence[Backend | NodeFunction | ViewerFunctions],
    ) -> None:
        self.topology = topology
        self._api = api
        self._distribution = distribution
        self._running = tuple(running)

    def start(self) -> None:
        """Warm everything up in the background."""
        for part in self._running:
            part.start()

    async def close(self) -> None:
        """End every process."""
        if self._distribution is not None:
            await self._distribution.close()
        for part in self._running:
            await part.close()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3, http only)."""
        arrival = arrival_of(scope)
        host = next((value for name, value in arrival.headers if name == b"host"), b"")
        direct = host.partition(b":")[0].lower() == API_HOST.encode()
        if arrival.method == "CONNECT":
            # A tunnel cannot be served, and its target is no path (RFC 9110 §9.3.6).
            await send_answer(send, message_answer(400, "Bad Request"), arrival.method)
        elif self._distribution is not None and not direct:
            await self._distribution.serve(arrival, receive, send)
        elif self._api is not None:
            await self._api.serve(arrival, receive, send)
        else:
            await send_answer(send, message_answer(404, "Not Found"), arrival.method)


def cloud(topology: Topology, here: Surroundings) -> Callable[[], Cloud]:
    """What makes the app, to be called inside the event loop; all files are unpacked before.

    Raises `ToolError` if what a function runs on cannot be had.
    """
    nodes = {row.place: _node_function(row, here) for row in topology.functions if _is_node(row)}
    makers = {
        row.place: _python_function(row, here) if row.is_python else _web_function(row, here)
        for row in topology.functions
        if not _is_node(row)
    }

    def make() -> Cloud:
        backends: dict[Place, Backend] = {place: maker() for place, maker in makers.items()}
        behind = {
            place: Gateway(node, here.log(node.function.label))
            for place, node in nodes.items()
            if _is_routed(topology, place)
        }
        functions = {row.place: row for row in topology.functions}
        api = HttpApiFront(topology.api, functions, {**backends, **behind}) if topology.api else None
        if topology.distribution is None:
            return Cloud(topology, api, None, (*backends.values(), *nodes.values()))
        viewer = _viewer_functions(topology, here)
        front = DistributionFront(
            topology.distribution,
            Origins(api, backends),
            viewer,
            OriginFunctions(topology.distribution, nodes, here.log("cloudfront")),
            ViewerHeaders(here.viewer),
            here.log("cloudfront"),
        )
        return Cloud(topology, api, front, (viewer, *nodes.values(), *backends.values()))

    return make


def _is_node(function: FunctionConfig) -> bool:
    return function.kind == "function" and not function.is_python


def _is_routed(topology: Topology, place: Place) -> bool:
    return topology.api is not None and any(route.function == place for route in topology.api.routes)


def _viewer_functions(topology: Topology, here: Surroundings) -> ViewerFunctions:
    from packager.node import node  # noqa: PLC0415 - not every topology has a distribution

    assert topology.distribution is not None
    rows = [row.viewer_function for row in topology.distribution.behaviours if row.viewer_function]
    functions = {row.place: row for row in rows}
    return ViewerFunctions(functions.values(), node(), here.temporary, here.log("cloudfront"))


def _python_function(config: FunctionConfig, here: Surroundings) -> Callable[[], Backend]:
    log = here.log(config.label)
    function = _row(config, here.built)
    root = here.temporary / config.code.stem
    if not root.exists():
        lambda_image.unpack_read_only(config.code, root)
    folders = host_folders(function, here.overlay, log)
    values = _values(config.environment, here.local)
    image = lambda_image.prepare(function, root, folders, values, log)
    image = dataclasses.replace(image, shared=local_folders(here.local))
    if _BEHIND_CDN not in config.environment:
        kept = {name: value for name, value in image.environment.items() if name != _BEHIND_CDN}
        image = dataclasses.replace(image, environment=kept)
    concurrency = _concurrency(config, here)
    return lambda: Gateway(Pool(image, log, concurrency=concurrency, cold=here.cold), log)


def _concurrency(config: FunctionConfig, here: Surroundings) -> int | None:
    return here.concurrency if here.concurrency is not None else config.concurrency


def _row(config: FunctionConfig, built: Manifest) -> Function:
    """The function as its configuration has it; what it was built of is known from the build alone."""
    distributions = next((row.distributions for row in built.functions if row.name == config.label), ())
    return Function(
        name=config.name,
        runtime="nodejs",
        target="lambda",
        artifact=config.code.name,
        sha256=config.code.stem,
        zip_bytes=config.code.stat().st_size,
        unpacked_bytes=0,
        handler=config.handler,
        distributions=distributions,
        max_duration=config.timeout,
        memory=config.memory,
        python=config.runtime.removeprefix("python"),
        architecture=config.architecture,
        snap_start=config.snap_start,
    )


def _node_function(config: FunctionConfig, here: Surroundings) -> NodeFunction:
    """A function of Lambda@Edge, whose variables are a file of its package, or one with an environment."""
    folder = _unpacked(config, here)
    path = folder / _ENVIRONMENT_FILE
    if path.is_file():
        variables = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(_values(variables, here.local)), encoding="utf-8")
        return _node(config, folder, {}, here)
    return _node(config, folder, _values(config.environment, here.local), here)


def _node(
    config: FunctionConfig, folder: Path, environment: Mapping[str, str], here: Surroundings
) -> NodeFunction:
    from packager.node import node  # noqa: PLC0415 - not every project has edge routes

    log, concurrency = here.log(config.label), _concurrency(config, here)
    return NodeFunction(config, node(), folder, environment, log, concurrency=concurrency, cold=here.cold)


def _web_function(config: FunctionConfig, here: Surroundings) -> Callable[[], Backend]:
    from packager.node import node  # noqa: PLC0415 - not every project has edge routes

    values = _values(config.environment, here.local)
    image = EdgeImage(node(), _unpacked(config, here), values, entry=config.handler)
    return lambda: Cdn(EdgeWorker(image, here.log(config.label)), lambda_at_edge=False, cold=here.cold)


def _unpacked(config: FunctionConfig, here: Surroundings) -> Path:
    from packager.archive import unpack  # noqa: PLC0415

    folder = here.temporary / config.place.logical_id
    unpack(config.code, folder)
    return folder


def _values(environment: Mapping[str, str], local: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name not in _KEPT_IN_CLOUD}
    return {**kept, **local}
