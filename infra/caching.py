"""Which routes CloudFront may answer from its cache: those that say so and that no middleware or rule can meet."""

import re
from collections.abc import Iterator

from infra.manifest import Manifest, Middleware, Route
from runtimes import matchers
from runtimes.patterns import compile_source
from runtimes.routing import segments

_SPECIAL = re.compile(r"[:({\\*+?]")


def is_wished(route: Route) -> bool:
    """True if the route says how long its answers may be kept."""
    return bool(route.revalidate) and "GET" in route.methods


def obstacle(manifest: Manifest, route: Route) -> str | None:
    """What keeps the answers of a route, which wishes it, out of the cache; None if nothing does.

    Middleware that can match any URL of the route, or of the CloudFront pattern made of it, runs only if each
    request comes to the function. So do redirects and rewrites, whose conditions may be headers or cookies.
    """
    for item in manifest.middleware:
        if can_meet(item, route.path):
            return f"{item.file} can match it, and a cached answer would pass it by"
    for source in _rules(manifest):
        if _can_match_rule(source, manifest.site.base_path, route.path):
            return f"the site's rule for {source} can match it, and a cached answer would pass it by"
    return None


def can_meet(item: Middleware, path: str) -> bool:
    """True if the middleware may run for a URL that the CloudFront pattern of `path` covers.

    A `*` of CloudFront goes over slashes, so that from the first parameter on the pattern covers anything.
    """
    if not _may_share(_literal_folder(item.scope), _literal(path)):
        return False
    if item.matchers is None:
        return True
    if "[" in path:
        return any(_may_share(_fixed(_source(matcher)), _literal(path)) for matcher in item.matchers)
    compiled = [row for matcher in item.matchers for row in matchers.parse([matcher])]
    return any(row.path.match(spelling) for row in compiled for spelling in (path, path.rstrip("/") + "/"))


def _rules(manifest: Manifest) -> Iterator[str]:
    site = manifest.site
    for rules in (site.redirects, site.before_files, site.after_files, site.fallback):
        yield from (rule["source"] for rule in rules)


def _can_match_rule(source: str, base: str, path: str) -> bool:
    """Whatever the case, as rules match; with and without the base path, as `base_path = false` has it."""
    spellings = {path, base + path}
    if "[" in path:
        return any(_may_share(_fixed(source).lower(), _literal(one).lower()) for one in spellings)
    pattern = compile_source(source).regex
    return any(pattern.match(spelling) for one in spellings for spelling in (one, one.rstrip("/") + "/"))


def _source(matcher: object) -> str:
    return str(matcher["source"]) if isinstance(matcher, dict) else str(matcher)


def _fixed(source: str) -> str:
    """What every path that a pattern takes begins with; the slash before a parameter goes with an optional one."""
    found = _SPECIAL.search(source)
    return (source[: found.start()] if found else source).rstrip("/")


def _literal(path: str) -> str:
    """What all URLs of a route begin with; a slash before an optional catch-all may be missing."""
    return path[: path.index("[")].rstrip("/") if "[" in path else path


def _literal_folder(scope: str) -> str:
    fixed = ""
    for part in segments(scope):
        if part.kind != "static":
            break
        fixed += f"/{part.text}"
    return fixed


def _may_share(one: str, other: str) -> bool:
    """True unless the two beginnings rule each other out."""
    return one.startswith(other) or other.startswith(one)
