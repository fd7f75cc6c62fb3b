"""What is in every artifact and why: a tree of packages and modules with their bytes, for each function."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra import manifest
from packager import pyodide
from packager.bundle import carried
from packager.examine import Examination
from packager.functions import Function, functions
from packager.model import Distribution
from packager.targets import target_of
from packager.weight import APP, NOTHING, Piece, Weight, owners, pieces, sum_of
from packager.why import DATA_FILE, chains

type Kind = Literal[
    "artifact", "project", "distribution", "runtime", "platform", "snapshot", "folder", "file"
]


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an artifact. `weight` is that of all `children`, which are sorted by it, the heaviest first.

    `why` are the steps that brought it, or one line; without any it is there because of what it is in. A source and
    its bytecode are one file.
    """

    name: str
    kind: Kind
    weight: Weight
    version: str | None = None
    why: tuple[str, ...] = ()
    children: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact; `zip_bytes` and `unpacked_bytes` are the manifest's.

    On edge the `tree` weighs more unpacked, since it counts the files in the worker's own archive as well.
    """

    function: str
    runtime: manifest.Runtime
    file: str
    routes: tuple[str, ...]
    zip_bytes: int
    unpacked_bytes: int
    tree: Node


@dataclass(frozen=True, slots=True)
class Analysis:
    """All artifacts of an app, in the manifest's order."""

    app: str
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    kind: Kind
    name: str
    version: str | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Placed:
    """A file of a group: its path there and its own reason."""

    group: _Group
    path: str
    why: tuple[str, ...] = ()


def analyse(examined: Examination, out: Path) -> Analysis:
    """Explain the artifacts of the build output `out`, which is that of the app's present state.

    Raises `ToolError` if an artifact cannot be read.
    """
    built = manifest.read(out)
    names = {route.path: route.function for route in built.routes}
    planned = {item.name: item for item in functions(examined.app, names)}
    return Analysis(
        built.app.name,
        tuple(_artifact(examined, planned[row.name], row, out) for row in built.functions),
    )


def _artifact(examined: Examination, function: Function, row: manifest.Function, out: Path) -> Artifact:
    return Artifact(
        function=row.name,
        runtime=row.runtime,
        file=row.artifact,
        routes=tuple(route.path for route in function.routes),
        zip_bytes=row.zip_bytes,
        unpacked_bytes=row.unpacked_bytes,
        tree=_tree(examined, function, row, pieces(out / row.artifact)),
    )


def _tree(examined: Examination, function: Function, row: manifest.Function, found: Iterable[Piece]) -> Node:
    site, target = examined.sites[function.runtime], target_of(examined.app, function.runtime)
    there = carried(examined.app, function, site, target)
    groups = _distributions(there, chains(examined, function, there))
    belongs = owners(there)
    grouped: dict[_Group, list[tuple[_Placed, Weight]]] = defaultdict(list)
    for item in found:
        owner = belongs.get(item.name or "") if (item.archive == APP) == (row.runtime == "edge") else None
        placed = (
            _Placed(groups[owner], item.name or "")
            if owner
            else _of_ours(item, function, row, examined.app.project.name)
        )
        grouped[placed.group].append((placed, item.weight))
    children = [_group(group, files) for group, files in grouped.items()]
    return _node(_Group("artifact", row.name), children)


def _distributions(there: Iterable[Distribution], steps: Mapping[str, tuple[str, ...]]) -> dict[str, _Group]:
    return {
        row.wheel.name: _Group(
            "distribution", row.wheel.name, row.wheel.version, steps.get(row.wheel.name, ())
        )
        for row in there
    }


_RUNTIME = _Group("runtime", "packager's runtime", why=("every artifact has it: it calls the handlers",))
_WORKER = _Group("runtime", "worker", why=("it runs Python in Node",))
_SNAPSHOT = _Group("snapshot", "memory snapshot", why=("the app is imported in it already",))
_PYODIDE = _Group(
    "platform", "Pyodide", pyodide.VERSION, ("CPython and its standard library on WebAssembly",)
)
_ZIP = _Group("platform", "zip directory", why=("every zip has one",))


def _of_ours(item: Piece, function: Function, row: manifest.Function, app: str) -> _Placed:
    """The place of a file that no distribution brought."""
    name = item.name
    if name is None:
        return _Placed(_ZIP, item.archive or Path(row.artifact).name)
    if row.runtime == "edge" and item.archive is None:
        if row.snapshot and name in row.snapshot.files:
            return _Placed(_SNAPSHOT, name)
        return _Placed(_PYODIDE if name.startswith("pyodide") else _WORKER, name)
    if name.startswith(("runtimes/", "_packager/")):
        return _Placed(_RUNTIME, name)
    chain = function.reach.chains.get(name)
    if chain is None:
        return _Placed(_Group("project", app), name, (DATA_FILE,))
    return _Placed(_Group("project", app), name, chain or ("it is a route or middleware of the function",))


def _group(group: _Group, files: Iterable[tuple[_Placed, Weight]]) -> Node:
    weights: dict[str, Weight] = defaultdict(lambda: NOTHING)
    reasons: dict[str, tuple[str, ...]] = {}
    for placed, weight in files:
        weights[placed.path] += weight
        reasons[placed.path] = placed.why
    return _node(group, _below("", weights, reasons.__getitem__))


def _below(folder: str, weights: Mapping[str, Weight], why: Callable[[str], tuple[str, ...]]) -> list[Node]:
    """The nodes of the files and folders directly in `folder`, which is empty or ends with a slash."""
    folders: dict[str, dict[str, Weight]] = defaultdict(dict)
    nodes = []
    for path, weight in weights.items():
        name, slash, _ = path.removeprefix(folder).partition("/")
        if slash:
            folders[name][path] = weight
        else:
            nodes.append(Node(name, "file", weight, why=why(path)))
    for name, inside in folders.items():
        nodes.append(_node(_Group("folder", name), _below(f"{folder}{name}/", inside, why)))
    return nodes


def _node(group: _Group, children: Iterable[Node]) -> Node:
    ordered = sorted(children, key=lambda node: (-node.weight.zipped, node.name))
    weight = sum_of(node.weight for node in ordered)
    return Node(group.name, group.kind, weight, group.version, group.why, tuple(ordered))
