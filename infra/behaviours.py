"""The cache behaviours of the distribution: which URLs go to an edge function, and which answers are kept.

CloudFront takes the first pattern that matches; its `*` goes over slashes, so that `/a/*` is `/a/1/2` too, and paths
are normalised first (CloudFront developer guide, "Path pattern"). What matches none goes to the API, uncached.
The patterns of routes are made, tried with URLs of all routes against the router's own choice, and completed until
each URL comes to its function.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra.caching import is_wished, obstacle
from infra.errors import Fault, StackError
from infra.manifest import Manifest, Route
from infra.patterns import Choice, glob, is_covered, meetings, rank
from infra.routes import (
    Shape,
    default_function,
    edge_target,
    full_path,
    intersection,
    sample,
    shapes,
    unused,
)
from runtimes.routing import Router

MAX_BEHAVIOURS = 75
"""Of a distribution, the default one included (CloudFront quotas)."""

_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One behaviour beside the default one, in order.

    `function` is the edge function that answers, None: the API. `revalidate` is how long answers are kept, in seconds,
    None: not at all; with `cors` for each `Origin` apart. `paths` are the routes that come this way, `reason` says
    why there is one.
    """

    pattern: str
    function: str | None
    revalidate: int | None
    cors: bool
    paths: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a URL goes and how long the answer is kept."""

    function: str | None = None
    revalidate: int | None = None
    cors: bool = False


@dataclass(frozen=True, slots=True)
class _Conflict:
    """A URL of the route `path` that goes another way: by the pattern `taken`, by the default behaviour if None."""

    path: str
    url: str
    taken: str | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is given: each route's way, the router over full paths, and whether workers hand on what is not theirs."""

    manifest: Manifest
    ways: Mapping[str, _Way]
    router: Router[Route]
    hands_on: bool
    urls: tuple[str, ...]
    parts: tuple[tuple[str | None, ...], ...]
    fresh: str


def behaviours(manifest: Manifest) -> tuple[Behaviour, ...]:
    """The behaviours beside the default one, which is the API without a cache; first match first.

    At most 74. Raises `StackError` with a fault for each two routes that no pattern can tell apart, or if there
    are too many even with whole subtrees as one.
    """
    uncached: dict[str, str] = {}
    plan = _plan(manifest, uncached)
    ways, conflicts = _completed(plan)
    while conflicts and (hidden := _hidden(plan, conflicts)):
        uncached |= hidden
        plan = _plan(manifest, uncached)
        ways, conflicts = _completed(plan)
    if conflicts:
        raise StackError([_fault(plan, ways, conflict) for conflict in conflicts])
    ways = _without_needless(ways)
    if len(ways) >= MAX_BEHAVIOURS:
        ways = _merged(plan, ways)
    found = _described(plan, ways, {**kept_from_cache(manifest), **uncached})
    if len(found) >= MAX_BEHAVIOURS:
        raise StackError([_too_many(len(found))])
    return found


def kept_from_cache(manifest: Manifest) -> dict[str, str]:
    """For each route with `revalidate` whose answers CloudFront does not keep, by path: why."""
    wished = [row for row in manifest.routes if is_wished(row)]
    return {row.path: reason for row in wished if (reason := obstacle(manifest, row))}


def _plan(manifest: Manifest, uncached: Mapping[str, str]) -> _Plan:
    target = edge_target(manifest)
    blocked = {**kept_from_cache(manifest), **uncached}
    ways = {}
    for row in manifest.routes:
        function = row.function if row.runtime == "edge" and target != "regional" else None
        cached = is_wished(row) and row.path not in blocked
        ways[row.path] = _Way(function, int(row.revalidate or 0), row.cors) if cached else _Way(function)
    fresh = unused(manifest.routes)
    router = Router((full_path(manifest, row.path), row) for row in manifest.routes)
    return _Plan(
        manifest, ways, router, target == "lambda-edge", _urls(manifest, fresh), _lengths(manifest), fresh
    )


def _tails(manifest: Manifest) -> range:
    """How many parts of a catch-all are tried: up to one more than any route has, with which it meets none of them."""
    deepest = max(
        len(shape.parts) for row in manifest.routes for shape in shapes(full_path(manifest, row.path))
    )
    return range(1, deepest + 3)


def _lengths(manifest: Manifest) -> tuple[tuple[str | None, ...], ...]:
    """The parts of all routes' URLs, those of catch-alls in several lengths."""
    found: dict[tuple[str | None, ...], None] = {}
    tails = _tails(manifest)
    for row in manifest.routes:
        for shape in shapes(full_path(manifest, row.path)):
            for tail in tails if shape.greedy else (0,):
                found[(*shape.parts, *[None] * tail)] = None
    return tuple(found)


def _urls(manifest: Manifest, fresh: str) -> tuple[str, ...]:
    """URLs of all routes: plain ones and their folders, those that two routes share, deeper ones of catch-alls."""
    found: dict[Shape, None] = {
        shape: None for row in manifest.routes for shape in shapes(full_path(manifest, row.path))
    }
    for shape in list(found):
        found |= {Shape(shape.parts[:length]): None for length in range(len(shape.parts))}
    rows, tails = list(found), _tails(manifest)
    dynamic = [shape for shape in rows if shape.greedy or None in shape.parts]
    for one in dynamic:
        for other in rows:
            both = intersection(one, other)
            if both is not None:
                found[both] = None
    return tuple(
        dict.fromkeys(
            sample(shape, fresh, tail) for shape in found for tail in (tails if shape.greedy else (0,))
        )
    )


def _tried(plan: _Plan, ways: Iterable[str]) -> Iterable[str]:
    """The plan's URLs, and those of each route that a pattern takes with a wildcard over several segments."""
    found = dict.fromkeys(plan.urls)
    for pattern in ways:
        # with a slash at the end of a URL, the last wildcard may stand for nothing
        shorter = pattern.removesuffix("/*") if plan.manifest.site.trailing_slash else pattern
        for wanted in {pattern, shorter or pattern}:
            if "*" in pattern:
                for parts in plan.parts:
                    for met in meetings(wanted, parts):
                        found[sample(Shape(tuple(met)), plan.fresh, 0)] = None
    return found


def _completed(plan: _Plan) -> tuple[dict[str, _Way], tuple[_Conflict, ...]]:
    """The ways by pattern, in order, and a conflict for each route that no pattern can bring its URLs."""
    ways: dict[str, _Way] = {}
    # `/a/*` is that of /a/[id] before it is that of /a/[...rest]
    for path, way in sorted(plan.ways.items(), key=lambda item: "[..." in item[0]):
        if way != _Way():
            for pattern in _patterns(plan, path):
                ways.setdefault(pattern, way)
    names = {row.name for row in plan.manifest.functions if row.runtime == "edge"}
    if len(names) == len(plan.manifest.functions) and any(way.function for way in ways.values()):
        ways.setdefault("/*", _Way(default_function(plan.manifest)))
    conflicts: dict[str, _Conflict] = {}
    for _ in range(_ROUNDS):
        ways = dict(sorted(ways.items(), key=lambda item: rank(item[0])))
        wrong = [found for found in _astray(plan, ways) if found.path not in conflicts]
        for found in wrong:
            better = glob(found.url, plan.fresh)
            if better in ways:
                conflicts[found.path] = found
            else:
                ways[better] = plan.ways[found.path]
        if not wrong:
            return ways, tuple(conflicts.values())
    return ways, (*conflicts.values(), *wrong)


def _patterns(plan: _Plan, path: str) -> list[str]:
    """The patterns of a route; where URLs end with a slash, with it as well."""
    found = []
    for shape in shapes(full_path(plan.manifest, path)):
        made = glob(sample(shape, plan.fresh, 1), plan.fresh)
        found.append(made)
        if plan.manifest.site.trailing_slash and not made.endswith(("*", "/")):
            found.append(f"{made}/")
    return found


def _astray(plan: _Plan, ways: Mapping[str, _Way]) -> list[_Conflict]:
    """For each route that loses a URL, the shortest such URL."""
    choice = Choice(ways)
    wrong: dict[str, _Conflict] = {}
    for url in sorted(_tried(plan, ways), key=lambda url: (url.count("/"), url)):
        found = plan.router.match(url.encode())
        if found is None or found.value.path in wrong:
            continue
        path = found.value.path
        for spelling in (url, f"{url.rstrip('/')}/") if plan.manifest.site.trailing_slash else (url,):
            taken = choice.first(spelling)
            if not _is_right(plan, _Way() if taken is None else ways[taken], plan.ways[path]):
                wrong[path] = _Conflict(path, spelling, taken)
                break
    return list(wrong.values())


def _is_right(plan: _Plan, taken: _Way, wished: _Way) -> bool:
    if taken == wished:
        return True
    # a worker gives back to CloudFront what the API answers
    return plan.hands_on and wished == _Way() and taken.revalidate is None


def _hidden(plan: _Plan, conflicts: Iterable[_Conflict]) -> dict[str, str]:
    """The routes to be served without a cache, by path with the reason, because their patterns take others' URLs."""
    kept = [path for path, way in plan.ways.items() if way.revalidate is not None]
    found = {
        path: f"no CloudFront pattern can tell it from {conflict.path}"
        for conflict in conflicts
        for path in kept
        if path != conflict.path and Choice(_patterns(plan, path)).first(conflict.url)
    }
    own = {conflict.path for conflict in conflicts if conflict.path in kept}
    return found or dict.fromkeys(own or kept, "CloudFront patterns cannot tell it from other routes")


def _merged_at(
    plan: _Plan, ways: dict[str, _Way], prefix: tuple[str, ...], *, strict: bool
) -> dict[str, _Way]:
    """The ways with all patterns below a prefix as one, if they go one way and every route below it may."""
    below = glob(sample(Shape(prefix, greedy=True), plan.fresh, 1), plan.fresh)
    inside = [pattern for pattern in ways if is_covered(pattern, below)]
    taken = {ways[pattern] for pattern in inside}
    if len(taken) != 1 or len(inside) < 2:
        return ways
    (way,) = taken
    users = {
        plan.ways[row.path]
        for row in plan.manifest.routes
        for shape in shapes(full_path(plan.manifest, row.path))
        if intersection(shape, Shape(prefix, greedy=True))
    }
    fits = users == taken if strict else all(_is_right(plan, way, user) for user in users)
    if way.revalidate is not None or not fits:
        return ways
    outside = {pattern: its for pattern, its in ways.items() if pattern not in inside}
    return dict(sorted({**outside, below: way}.items(), key=lambda item: rank(item[0])))


def _without_needless(ways: Mapping[str, _Way]) -> dict[str, _Way]:
    """Without the patterns whose URLs go the same way by a later one, with nothing else between the two."""
    rows = list(ways.items())
    kept = {}
    for index, (pattern, way) in enumerate(rows):
        for later, its in rows[index + 1 :]:
            if its != way:
                kept[pattern] = way
                break
            if is_covered(pattern, later):
                break
        else:
            kept[pattern] = way
    return kept


def _merged(plan: _Plan, ways: dict[str, _Way]) -> dict[str, _Way]:
    """The ways with whole subtrees as one pattern, from the deepest on, until there are few enough.

    Subtrees of one function alone go first; then those with routes that its worker hands on.
    """
    parts = [
        shape.parts for row in plan.manifest.routes for shape in shapes(full_path(plan.manifest, row.path))
    ]
    prefixes = {row[:depth] for row in parts for depth in range(len(row) + 1)}
    fixed = {tuple(part for part in prefix if part is not None) for prefix in prefixes if None not in prefix}
    for strict in (True, False) if plan.hands_on else (True,):
        for prefix in sorted(fixed, key=lambda prefix: (-len(prefix), prefix)):
            if len(ways) < MAX_BEHAVIOURS:
                return ways
            made = _merged_at(plan, ways, prefix, strict=strict)
            if made is not ways and not _astray(plan, made):
                ways = made
    return ways


def _described(plan: _Plan, ways: Mapping[str, _Way], uncached: Mapping[str, str]) -> tuple[Behaviour, ...]:
    choice = Choice(ways)
    urls = _tried(plan, ways)
    users: dict[str, dict[str, Route]] = {pattern: {} for pattern in ways}
    for url in urls:
        found, pattern = plan.router.match(url.encode()), choice.first(url)
        if found and pattern is not None:
            users[pattern][found.value.path] = found.value
    rows = []
    for pattern, way in ways.items():
        routes = users[pattern]
        rows.append(
            Behaviour(
                pattern=pattern,
                function=way.function,
                revalidate=way.revalidate,
                cors=way.cors,
                paths=tuple(sorted(routes)),
                reason=_reason(way, [uncached[path] for path in sorted(routes) if path in uncached]),
            )
        )
    return tuple(rows)


def _reason(way: _Way, uncached: list[str]) -> str:
    if way.revalidate is not None:
        kept = f"answers are kept for {way.revalidate} s"
        return f"{kept}, for each Origin apart" if way.cors else kept
    served = (
        f"edge routes of {way.function}" if way.function else "routes of the API below patterns of others"
    )
    return f"{served}; not cached: {uncached[0]}" if uncached else served


def _fault(plan: _Plan, ways: Mapping[str, _Way], conflict: _Conflict) -> Fault:
    rows = {row.path: row for row in plan.manifest.routes}
    one, taken = rows[conflict.path], _Way() if conflict.taken is None else ways[conflict.taken]
    others = [row for row in plan.manifest.routes if plan.ways[row.path] == taken and row is not one]
    meant = [row for row in others if conflict.taken in _patterns(plan, row.path)]
    two = next(iter(meant or others), one)
    return Fault(
        f"no CloudFront pattern can tell {one.path} (function {one.function}) from {two.path} (function "
        f"{two.function}): its * matches slashes too, so that {conflict.url} comes to the wrong one",
        "Give both the same runtime, memory and max_duration and no isolate, so that they share a function, or set "
        'target = "regional" in [tool.packager.edge].',
        one.file,
    )


def _too_many(count: int) -> Fault:
    return Fault(
        f"the routes need {count + 1} CloudFront behaviours, and a distribution has {MAX_BEHAVIOURS} at most",
        "Keep edge routes of one worker in folders of their own, let fewer routes have revalidate, or set "
        'target = "regional" in [tool.packager.edge].',
    )
