"""The routes of the HTTP API: which function gets which URLs.

API Gateway takes a full match before one with a greedy variable, of several the most specific, and `$default` last
(API Gateway developer guide, "Routing API requests"). Which of two keys is the more specific is only certain if all
URLs of one are URLs of the other too. Where neither holds, a key for exactly the URLs that they share is added, with
the function that the router gives those to.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from infra.manifest import Manifest, Route
from runtimes.routing import Router, Segment, segments

DEFAULT_KEY = "$default"
MAX_ROUTES = 300
"""Routes of an HTTP API (API Gateway quotas)."""

_MERGE_ABOVE = 150


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One route of the API. `paths` are the app's routes that it is made for; `$default` has none."""

    key: str
    function: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The URLs of a key: a text or any one segment (None) for each part, and with `greedy` one part more or many."""

    parts: tuple[str | None, ...]
    greedy: bool = False


@dataclass(frozen=True, slots=True)
class _Key:
    text: str
    function: str
    paths: tuple[str, ...]


def default_function(manifest: Manifest) -> str:
    """The function that answers URLs without a route: the first nodejs one by name, or the first edge one.

    It has all middleware, as `packager.functions` makes it.
    """
    return min(manifest.functions, key=lambda row: (row.runtime != "nodejs", row.name)).name


def edge_target(manifest: Manifest) -> str | None:
    """What the app's edge functions run on; None without any."""
    return next((row.target for row in manifest.functions if row.runtime == "edge"), None)


def on_api(manifest: Manifest) -> frozenset[str]:
    """The names of the functions behind the HTTP API: all nodejs ones, and edge ones of the target `regional`."""
    return frozenset(
        row.name for row in manifest.functions if row.runtime == "nodejs" or row.target == "regional"
    )


def api_routes(manifest: Manifest) -> tuple[ApiRoute, ...]:
    """The routes of the HTTP API, sorted by key; `$default` unless no function is behind the API.

    There may be more than `MAX_ROUTES`, which is for the caller to find. Keys are unique. Above 150, subtrees that
    one function serves alone are merged to `ANY /prefix/{proxy+}` if it has all middleware, which URLs without a
    route may meet.
    """
    behind = on_api(manifest)
    owners = Router((full_path(manifest, row.path), row.function) for row in manifest.routes)
    fresh = unused(manifest.routes)
    keys: dict[Shape, _Key] = {}
    for row in manifest.routes:
        if row.function in behind:
            for shape, text in _shapes(full_path(manifest, row.path)):
                keys.setdefault(shape, _Key(text, row.function, (row.path,)))
    if len(keys) > _MERGE_ABOVE:
        keys = _merged(keys, manifest)
    keys |= _shared(keys, owners, behind, fresh)
    rows = [ApiRoute(key.text, key.function, key.paths) for key in keys.values()]
    default = default_function(manifest)
    if default in behind:
        rows.append(ApiRoute(DEFAULT_KEY, default, ()))
    return tuple(sorted(rows, key=lambda row: row.key))


def full_path(manifest: Manifest, path: str) -> str:
    """The path of a route with the site's base path in front."""
    base = manifest.site.base_path
    return base if base and path == "/" else base + path


def unused(routes: Iterable[Route]) -> str:
    """A segment that no route has."""
    taken = {part.text for row in routes for part in segments(row.path)}
    fresh = "~"
    while fresh in taken:
        fresh += "~"
    return fresh


def shapes(path: str) -> tuple[Shape, ...]:
    """The URLs of a route: two shapes for an optional catch-all, else one."""
    return tuple(shape for shape, _ in _shapes(path))


def intersection(one: Shape, other: Shape) -> Shape | None:
    """The URLs of both; None if there are none."""
    if len(one.parts) > len(other.parts):
        one, other = other, one
    missing = len(other.parts) - len(one.parts)
    if not one.greedy if missing else one.greedy != other.greedy:
        return None
    parts: list[str | None] = []
    for left, right in zip((*one.parts, *[None] * missing), other.parts, strict=True):
        if left is not None and right is not None and left != right:
            return None
        parts.append(right if left is None else left)
    return Shape(tuple(parts), one.greedy and other.greedy)


def sample(shape: Shape, fresh: str, tail: int) -> str:
    """A URL of the shape with `fresh` for any segment, `tail` of them where it is greedy."""
    parts = [fresh if part is None else part for part in shape.parts] + [fresh] * (tail * shape.greedy)
    return "/" + "/".join(parts)


def _shapes(path: str) -> Iterator[tuple[Shape, str]]:
    parts = segments(path)
    if parts and parts[-1].kind == "optional-catch-all":
        yield _shape(parts[:-1])
    yield _shape(parts)


def _shape(parts: tuple[Segment, ...]) -> tuple[Shape, str]:
    greedy = bool(parts) and parts[-1].kind in ("catch-all", "optional-catch-all")
    names = [part.text if part.kind == "static" else f"{{{part.text}}}" for part in parts]
    if greedy:
        names[-1] = f"{{{parts[-1].text}+}}"
    fixed = tuple(part.text if part.kind == "static" else None for part in parts)
    return Shape(fixed[:-1] if greedy else fixed, greedy), _text(names)


def _text(names: Iterable[str]) -> str:
    return "ANY /" + "/".join(names)


def _named(shape: Shape) -> str:
    """The key of a shape that no route has, so that its variables have no names."""
    names = [f"{{p{index}}}" if part is None else part for index, part in enumerate(shape.parts)]
    return _text([*names, *(["{proxy+}"] if shape.greedy else [])])


def _shared(
    keys: Mapping[Shape, _Key], owners: Router[str], behind: frozenset[str], fresh: str
) -> dict[Shape, _Key]:
    """Keys for the URLs that two keys of different functions share where neither is the more specific."""
    deepest = max((len(shape.parts) for shape in keys), default=0) + 1
    known = dict(keys)
    waiting = list(keys)
    while waiting and len(known) <= 2 * MAX_ROUTES:
        one = waiting.pop()
        for other in list(known):
            if known[one].function == known[other].function:
                continue
            both = intersection(one, other)
            if both is None or both in known:
                continue
            found = owners.match(sample(both, fresh, deepest).encode())
            if found and found.value in behind:
                paths = tuple(sorted({*known[one].paths, *known[other].paths}))
                known[both] = _Key(_named(both), found.value, paths)
                waiting.append(both)
    return {shape: key for shape, key in known.items() if shape not in keys}


def _merged(keys: dict[Shape, _Key], manifest: Manifest) -> dict[Shape, _Key]:
    """The keys with whole subtrees as one, from the deepest on, until there are few enough."""
    everything = {row.file for row in manifest.middleware}
    default = default_function(manifest)
    able = {
        row.name for row in manifest.functions if row.name == default or everything <= set(row.middleware)
    }
    rows = [(shape, key.function) for shape, key in keys.items()]
    deepest = max(len(shape.parts) for shape in keys)
    for depth in range(deepest, -1, -1):
        for prefix in sorted({shape.parts[:depth] for shape in keys if len(shape.parts) > depth}, key=repr):
            below = Shape(prefix, greedy=True)
            users = {function for shape, function in rows if intersection(shape, below)}
            inside = [shape for shape in keys if intersection(shape, below) == shape]
            if len(users) == 1 and users <= able and len(inside) > 1:
                paths = tuple(sorted({path for shape in inside for path in keys[shape].paths}))
                keys = {shape: key for shape, key in keys.items() if shape not in inside}
                keys[below] = _Key(_named(below), users.pop(), paths)
        if len(keys) <= _MERGE_ABOVE:
            break
    return keys
