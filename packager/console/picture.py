"""What is deployed where, as boxes and wires: of the stacks' templates, or of the build alone where there are none."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from infra.manifest import Function, Manifest, Runtime
from packager.preview.topology import Behaviour, Distribution, FunctionConfig, HttpApi, Topology

type Kind = Literal["edge", "nodejs", ""]

MAX_ROWS = 14
"""Rows that a box lists; how many more there are is its last one."""
_VIEWER, _CDN, _API = "viewer", "cdn", "api"


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the deployment. `column` counts from the viewer, 0 to 3; `text` says more, `rows` what is in it."""

    id: str
    column: int
    title: str
    text: str
    kind: Kind = ""
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wire:
    """Requests go from one box, or one row of it, to another."""

    source: str
    target: str
    kind: Kind = ""
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn."""

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


def to_document(picture: Picture) -> dict[str, Any]:
    """The picture as JSON."""
    return asdict(picture)


def of_topology(topology: Topology) -> Picture:
    """The picture of what the templates say."""
    boxes, wires = [_viewer()], []
    edges: set[str] = set()
    if topology.distribution is not None:
        edges = {
            str(row.origin_function.function)
            for row in topology.distribution.behaviours
            if row.origin_function
        }
        boxes.append(_distribution(topology.distribution))
        wires.append(Wire(_VIEWER, _CDN))
        wires += _behaviours(topology.distribution, edges)
    elif topology.api is not None:
        wires.append(Wire(_VIEWER, _API))
    own = {str(route.function) for route in topology.api.routes} if topology.api else set()
    for function in topology.functions:
        place = str(function.place)
        boxes.append(_configured(function, 3 if place in own else 2, at_edge=place in edges))
    if topology.api is not None:
        # Below what it is the origin of.
        boxes.append(_api([route.key for route in topology.api.routes]))
        wires += _routes(topology.api, topology.functions)
    return Picture(tuple(boxes), _unique(wires))


def of_manifest(manifest: Manifest) -> Picture:
    """The picture of a build without stacks: a path leads straight to its function."""
    boxes, wires = [_viewer()], []
    for function in manifest.functions:
        routes = [row.path for row in manifest.routes if row.function == function.name]
        boxes.append(
            Box(
                f"function {function.name}",
                1,
                function.name,
                _facts(function),
                function.runtime,
                _listed(routes),
            )
        )
        wires.append(Wire(_VIEWER, f"function {function.name}", function.runtime))
    return Picture(tuple(boxes), tuple(wires))


def _viewer() -> Box:
    return Box(_VIEWER, 0, "Viewer", "browser or program")


def _distribution(distribution: Distribution) -> Box:
    patterns = [_pattern(row) for row in distribution.behaviours]
    viewer = any(row.viewer_function for row in distribution.behaviours)
    text = f"{_count(len(patterns), 'behaviour')}{', a viewer function' if viewer else ''}"
    return Box(_CDN, 1, "CloudFront", text, rows=_listed(patterns))


def _pattern(behaviour: Behaviour) -> str:
    kept = behaviour.cache.max_ttl > 0
    return f"{behaviour.pattern}{'  (cached)' if kept else ''}"


def _behaviours(distribution: Distribution, edges: set[str]) -> Iterator[Wire]:
    origins = {row.id: _API if row.function is None else str(row.function) for row in distribution.origins}
    for at, row in enumerate(distribution.behaviours):
        target = origins[row.origin]
        if row.origin_function is None:
            yield Wire(_CDN, target, "" if target == _API else "edge", _row(at))
        else:
            edge = str(row.origin_function.function)
            yield Wire(_CDN, edge, "edge", _row(at))
    for edge in sorted(edges):
        # What the worker has no route for goes on to the origin.
        yield Wire(edge, _API)


def _api(keys: Iterable[str]) -> Box:
    return Box(_API, 2, "HTTP API", "routes to the alias live", rows=_listed(keys))


def _routes(api: HttpApi, functions: Iterable[FunctionConfig]) -> Iterator[Wire]:
    kinds: dict[str, Kind] = {str(row.place): "nodejs" if row.is_python else "edge" for row in functions}
    for at, route in enumerate(api.routes):
        yield Wire(_API, str(route.function), kinds[str(route.function)], _row(at))


def _configured(function: FunctionConfig, column: int, *, at_edge: bool) -> Box:
    kind: Runtime = "nodejs" if function.is_python else "edge"
    service = "Lambda@Edge" if at_edge else "Web function" if function.kind == "web-function" else "Lambda"
    rows = (f"{function.runtime}, {function.architecture}", f"{function.memory} MB, {function.timeout} s")
    return Box(str(function.place), column, function.label or function.name, service, kind, rows)


def _facts(function: Function) -> str:
    return f"{function.target}, {function.memory} MB, {function.max_duration} s"


def _listed(rows: Iterable[str]) -> tuple[str, ...]:
    every = tuple(rows)
    if len(every) <= MAX_ROWS:
        return every
    return (*every[: MAX_ROWS - 1], f"{len(every) - MAX_ROWS + 1} more")


def _row(at: int) -> int:
    return min(at, MAX_ROWS - 1)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _unique(wires: Iterable[Wire]) -> tuple[Wire, ...]:
    """Each wire once: rows that are not listed share one."""
    return tuple(dict.fromkeys(wires))
