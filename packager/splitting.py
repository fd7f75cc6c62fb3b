"""Keeps nodejs functions below Lambda's size limit: routes with the heaviest needs move to functions of their own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from infra.manifest import Runtime
from packager import sizes
from packager.bundle import Part, carried, project_files
from packager.bytecode import place
from packager.diagnostics import Diagnostic
from packager.errors import DiagnosticsError
from packager.functions import Function, alone
from packager.grouping import Grouping, split_name
from packager.model import App, Route
from packager.site_packages import SitePackages
from packager.targets import target_of

MAX_UNPACKED = 262_144_000
"""Bytes that a function's code and layers may have unpacked (AWS Lambda quotas: 250 MB). Zips may be larger than
the 50 MB of a direct upload: deployments go by way of S3."""

_LISTED = 5

type Gather = Callable[[Mapping[str, str]], Sequence[Part]]
"""Makes the parts of the app's functions from the name of each route's function."""


def fitted(
    app: App,
    grouping: Grouping,
    sites: Mapping[Runtime, SitePackages],
    gather: Gather,
    limit: int = MAX_UNPACKED,
) -> tuple[Grouping, Sequence[Part]]:
    """The parts of all functions, and a grouping by which each nodejs one is at most `limit` bytes unpacked.

    Raises `DiagnosticsError` (`size-limit`) if a route alone is larger, with its largest distributions.
    """
    while True:
        parts = gather(grouping.names)
        large = next((part for part in parts if part.runtime == "nodejs" and unpacked(part) > limit), None)
        if large is None:
            return grouping, parts
        grouping = _split(app, grouping, sites["nodejs"], large, limit)


def unpacked(part: Part) -> int:
    """The bytes of all that goes into the artifact."""
    return sum(_size(entry.source) for entry in part.contents.entries)


@dataclass(frozen=True, slots=True)
class _Bin:
    """Routes that go together, and all that they need."""

    routes: tuple[Route, ...]
    needs: frozenset[str]


def _split(app: App, grouping: Grouping, site: SitePackages, large: Part, limit: int) -> Grouping:
    name = large.contents.name
    all_weights = _weights(large, app.project.settings.nodejs.python)
    routes = [route for route in app.routes if grouping.names[route.path] == name]
    needs = {route: _needs(app, alone(app, route), site) & all_weights.keys() for route in routes}
    weights = {item: all_weights[item] for item in frozenset().union(*needs.values())}
    shared = unpacked(large) - sum(weights.values())
    bins = _packed(needs, weights, limit - shared)
    if len(bins) == 1:
        raise DiagnosticsError([_too_large(bins[0].routes, large, weights, limit)])
    names, moved = dict(grouping.names), dict(grouping.moved)
    for item in bins[1:]:
        heaviest = max(item.needs - bins[0].needs or item.needs, key=lambda need: (weights[need], need))
        own = split_name(name, heaviest, names.values())
        why = (
            f"{name} would be {sizes.shown(unpacked(large))} unpacked, over Lambda's {sizes.shown(limit)}, "
            f"so that routes that need {heaviest} have a function of their own"
        )
        names |= {route.path: own for route in item.routes}
        moved |= {route.path: why for route in item.routes}
    return Grouping(names, moved)


def _packed(needs: Mapping[Route, frozenset[str]], weights: Mapping[str, int], room: int) -> list[_Bin]:
    """First fit, the light ones first: they stay together, and each heavy need is in as few bins as can be."""

    def weight(need: Iterable[str]) -> int:
        return sum(weights[item] for item in need)

    bins: list[_Bin] = []
    for route, need in sorted(needs.items(), key=lambda row: (weight(row[1]), sorted(row[1]), row[0].path)):
        for index, item in enumerate(bins):
            if need <= item.needs or weight(need | item.needs) <= room:
                bins[index] = _Bin((*item.routes, route), item.needs | need)
                break
        else:
            bins.append(_Bin((route,), need))
    return bins


def _needs(app: App, function: Function, site: SitePackages) -> frozenset[str]:
    """The distributions, by name, and the project's files that a function carries."""
    rows = carried(app, function, site, target_of(app, "nodejs"))
    return frozenset((*(row.wheel.name for row in rows), *project_files(app, function)))


def _weights(part: Part, python: str) -> dict[str, int]:
    """The bytes, with bytecode, of each distribution and of each file of the project in a part."""
    owners = {
        path.relative_to(row.folder).as_posix(): row.wheel.name
        for row in part.distributions
        for path in row.folder.rglob("*")
    }
    owners |= {place(file, python): name for file, name in owners.items() if file.endswith(".py")}
    found: dict[str, int] = {}
    for entry in part.contents.entries:
        owner = owners.get(entry.name, entry.name)
        found[owner] = found.get(owner, 0) + _size(entry.source)
    return found


@lru_cache(maxsize=2**16)
def _size_of(file: Path) -> int:
    return file.stat().st_size


def _size(source: Path | bytes) -> int:
    # a file of the store never changes, and may be in a thousand artifacts
    return len(source) if isinstance(source, bytes) else _size_of(source)


def _too_large(routes: Sequence[Route], part: Part, weights: Mapping[str, int], limit: int) -> Diagnostic:
    heaviest = sorted(weights, key=lambda name: (-weights[name], name))[:_LISTED]
    listed = ", ".join(f"{name} {sizes.shown(weights[name])}" for name in heaviest)
    return Diagnostic(
        rule="size-limit",
        file=routes[0].file,
        line=1,
        column=1,
        message=f"{routes[0].path} needs {sizes.shown(unpacked(part))} unpacked, and Lambda takes "
        f"{sizes.shown(limit)}; the largest in it: {listed}",
        hint="Take a smaller package, move the work to a service of its own, or narrow `include` and `files`; "
        "what a layer brings is named in [tool.packager.lambda] provided, but counts as well.",
    )
