"""Why a route runs where it does, and why a distribution, a module or a file is in an artifact or is not."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from infra import manifest
from infra.manifest import DeclaredRuntime, Middleware, Runtime
from packager import grouping
from packager.bundle import carried, project_files
from packager.diagnostics import Diagnostic
from packager.errors import UsageError
from packager.examine import Examination
from packager.functions import Function, functions, platform_of
from packager.guards import guards, is_rewritten
from packager.imports import Import, locate, reach
from packager.include import is_secret
from packager.lock import declared
from packager.mentions import mentioned
from packager.model import App, Distribution, Route
from packager.site_packages import SitePackages, left_to_runtime, locked, why_absent
from packager.stdlib import ALWAYS_THERE, has_module
from packager.targets import target_of
from packager.weight import Weight, by_distribution, pieces, sum_of
from runtimes.routing import BadPathError, Router

type Kind = Literal["distribution", "file", "module"]

DATA_FILE = "it is a data file: a pattern or a literal path names it"


@dataclass(frozen=True, slots=True)
class Brought:
    """A distribution that a route's own imports need: the steps of the first import, then the requirements."""

    name: str
    version: str
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """Why a route runs where it does.

    `because` is one line for people. `findings` keep an `auto` route from edge, the decisive one first.
    `shares_with` are the other routes of its function, `middleware` the files that can run in front of it.
    """

    path: str
    file: str
    runtime: Runtime
    declared_runtime: DeclaredRuntime
    because: str
    findings: tuple[Diagnostic, ...]
    function: str
    grouped: str
    shares_with: tuple[str, ...]
    middleware: tuple[str, ...]
    distributions: tuple[Brought, ...]


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether one artifact has something, and why: `chain` the steps to it, `reason` what they do not say.

    `weight` is known of distributions and of the project's files, where the artifact is built.
    """

    function: str
    runtime: Runtime
    present: bool
    version: str | None
    chain: tuple[str, ...]
    reason: str
    weight: Weight | None = None


@dataclass(frozen=True, slots=True)
class ThingAnswer:
    """In which artifacts a distribution, a file of the project or another module is."""

    name: str
    kind: Kind
    artifacts: tuple[Presence, ...]


def why(examined: Examination, name: str, out: Path | None = None) -> RouteAnswer | ThingAnswer:
    """Answer for `name`: a route's path, a URL, a file, a distribution or an import name.

    `out` is the build output of the app's present state, if there is one: it knows what the sizes of artifacts did
    to the grouping, and what everything weighs. Raises `UsageError`, with the nearest matches, if the app knows no
    such thing.
    """
    app = examined.app
    built = manifest.read(out) if out else None
    artifacts = {row.name: out / row.artifact for row in built.functions} if out and built else {}
    rows = {row.path: row for row in (built.routes if built else grouping.rows(app))}
    planned = functions(app, {path: row.function for path, row in rows.items()})
    route = route_named(app, name)
    if route is not None:
        return _of_route(examined, planned, route, rows[route.path].reason)
    file = _file(app, name)
    if file is not None:
        return ThingAnswer(file, "file", tuple(_of_file(app, item, file, artifacts) for item in planned))
    distribution = _distribution(examined.sites, name)
    if distribution is not None:
        found = tuple(_of_distribution(examined, item, distribution, artifacts) for item in planned)
        return ThingAnswer(distribution, "distribution", found)
    if any(_imports(item, name) for item in planned):
        return ThingAnswer(name, "module", tuple(_of_module(app, item, name) for item in planned))
    raise _unknown(examined, planned, name)


def route_named(app: App, name: str) -> Route | None:
    """The route that a path (`/api/users/[id]`), a URL (`/api/users/7`) or a file means."""
    for route in app.routes:
        if name in {route.path, route.file, f"./{route.file}"}:
            return route
    if not name.startswith("/"):
        return None
    base = app.project.settings.site.base_path if app.project.settings.site else ""
    path = name.partition("?")[0]
    if f"{path}/".startswith(f"{base}/"):
        path = path.removeprefix(base) or "/"
    try:
        # what the shell gave that is no UTF-8 is sent as it is, and then no path
        match = Router([(route.path, route) for route in app.routes]).match(os.fsencode(path))
    except BadPathError:
        return None
    return match.value if match else None


def _file(app: App, name: str) -> str | None:
    """The project's file that a path or a dotted name means."""
    root = app.project.root
    path = Path(os.path.normpath(root / name))
    if path.is_relative_to(root) and path.is_file():
        return path.relative_to(root).as_posix()
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    found = locate(root, app.project.import_root, name.split("."))
    return found.files[-1] if found.complete and found.files else None


def _distribution(sites: Mapping[Runtime, SitePackages], name: str) -> str | None:
    """The normalised name of the distribution that is called so, or that provides the import name."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    wanted = canonicalize_name(name)
    rows = [row for site in sites.values() for row in locked(site).items()]
    if any(key == wanted for key, _ in rows):
        return wanted
    top = name.partition(".")[0]
    return next((key for key, row in rows if top in row.modules), None)


def _of_route(examined: Examination, planned: Iterable[Function], route: Route, grouped: str) -> RouteAnswer:
    function = next(item for item in planned if route in item.routes)
    findings = examined.against.get(route.file, ())
    return RouteAnswer(
        path=route.path,
        file=route.file,
        runtime=route.runtime,
        declared_runtime=route.declared_runtime,
        because=_because(route, findings, examined),
        findings=findings,
        function=function.name,
        grouped=grouped,
        shares_with=tuple(row.path for row in function.routes if row.path != route.path),
        middleware=tuple(item.file for item in _before(examined.app, route)),
        distributions=_brought(examined, route),
    )


def _because(route: Route, findings: tuple[Diagnostic, ...], examined: Examination) -> str:
    if route.declared_runtime != "auto":
        return f"it is declared {route.declared_runtime}"
    if findings:
        return "something that it reaches does not run on edge"
    unknown = examined.failure is not None and not examined.sites
    return "nothing that it reaches speaks against edge" + (", as far as is known" if unknown else "")


def _before(app: App, route: Route) -> tuple[Middleware, ...]:
    return guards(app, [route], unmatched=is_rewritten(app.project))


def _brought(examined: Examination, route: Route) -> tuple[Brought, ...]:
    site = examined.sites.get(route.runtime)
    if site is None:
        return ()
    app = examined.app
    entries = [route.file, *(item.file for item in _before(app, route))]
    imports = reach(app.project, entries, platform_of(app.project.settings, route.runtime)).imports
    steps = _steps(site, _roots(site, imports))
    return tuple(
        Brought(name, site.distributions[name].wheel.version, chain)
        for name, chain in sorted(steps.items())
        if name in site.distributions
    )


def _roots(site: SitePackages, imports: Iterable[Import]) -> dict[str, tuple[str, ...]]:
    """The distributions that imports name, each with the chain of the import that comes first."""
    found: dict[str, tuple[str, ...]] = {}
    for item in sorted(imports, key=lambda item: (item.guarded, item.lazy, len(item.chain))):
        top = item.module.partition(".")[0]
        for name, row in locked(site).items():
            if top in row.modules:
                found.setdefault(name, item.chain)
    return found


def _steps(site: SitePackages, roots: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The steps to each distribution that the roots need, the roots' own first, by the shortest way."""
    found = dict(roots)
    waiting = list(found)
    for name in waiting:
        row = site.distributions.get(name)
        for required in row.requires if row else ():
            if required not in found:
                found[required] = (*found[name], f"{name} requires {required}")
                waiting.append(required)
    return found


def chains(
    examined: Examination, function: Function, there: Iterable[Distribution]
) -> dict[str, tuple[str, ...]]:
    """The steps that lead to each distribution that `function` needs; `there` are those that it carries."""
    site = examined.sites[function.runtime]
    roots = _roots(site, function.reach.imports)
    needs = target_of(examined.app, function.runtime).DISTRIBUTIONS
    # what our own code needs comes after what the project imports, what is only named in a text last
    own = {name: (f"packager's runtime needs {name}",) for name in needs if name not in roots}
    found = _steps(site, {**roots, **own})
    rows = {row.wheel.name: row for row in there}
    wanted = [name for name in declared(examined.app.project) if name in rows and name not in found]
    for name in wanted:
        found = _steps(site, {**found, name: _named(name, rows, found)})
    return found


def _named(
    name: str, there: Mapping[str, Distribution], found: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """The steps to a distribution that is imported by a name in a text, such as a driver."""
    for other, steps in found.items():
        if other in there and mentioned(there[other].folder).intersection(there[name].modules):
            return (*steps, f"{other} names {name} in its code")
    return (f"the project declares {name}, and other code than its own names it",)


def _of_distribution(
    examined: Examination, function: Function, name: str, artifacts: Mapping[str, Path]
) -> Presence:
    site = examined.sites[function.runtime]
    there = carried(examined.app, function, site, target_of(examined.app, function.runtime))
    chain = chains(examined, function, there).get(name, ())
    version = next((row.wheel.version for row in there if row.wheel.name == name), None)
    if version is None:
        reason = _why_not(examined, function, name, needed=bool(chain))
        return Presence(function.name, function.runtime, False, None, chain, reason)
    artifact = artifacts.get(function.name)
    weight = by_distribution(artifact, there).get(name) if artifact else None
    return Presence(function.name, function.runtime, True, version, chain, "", weight)


def _why_not(examined: Examination, function: Function, name: str, *, needed: bool) -> str:
    site = examined.sites[function.runtime]
    if name in site.absent:
        return why_absent(site.absent[name], site.platform)
    left = examined.app.project.settings.nodejs.provided if function.runtime == "nodejs" else ()
    if name in {row.wheel.name for row in left_to_runtime(site, left)}:
        return "it is left to Lambda or a layer: `provided` in [tool.packager.lambda]"
    if name not in site.distributions:
        return f"a marker keeps it from {site.platform}"
    return "its imports are never reached" if needed else "nothing in it imports it"


def _of_file(app: App, function: Function, file: str, artifacts: Mapping[str, Path]) -> Presence:
    if file not in project_files(app, function):
        return Presence(function.name, function.runtime, False, None, (), _why_no_file(file))
    chain = function.reach.chains.get(file)
    if chain is None:
        chain, entry = (), DATA_FILE
    else:
        entry = "it is a route or middleware of the function" if not chain else ""
    artifact = artifacts.get(function.name)
    weight = sum_of(item.weight for item in pieces(artifact) if item.name == file) if artifact else None
    return Presence(function.name, function.runtime, True, None, chain, entry, weight)


def _why_no_file(file: str) -> str:
    if is_secret(file):
        return "a file of such a name is never put into an artifact"
    return "nothing in it imports it" if file.endswith(".py") else "no pattern and no literal path names it"


def _of_module(app: App, function: Function, name: str) -> Presence:
    found = sorted(_imports(function, name), key=lambda item: (item.guarded, item.lazy, len(item.chain)))
    if not found:
        return Presence(function.name, function.runtime, False, None, (), "nothing in it imports it")
    top = name.partition(".")[0]
    platform = platform_of(app.project.settings, function.runtime)
    # a library that is tried for (`except ImportError`) need not be anywhere
    if top not in ALWAYS_THERE and not has_module(platform, top):
        reason = "no dependency that is known provides it"
        return Presence(function.name, function.runtime, False, None, found[0].chain, reason)
    return Presence(function.name, function.runtime, True, None, found[0].chain, "of Python or its runtime")


def _imports(function: Function, name: str) -> list[Import]:
    return [
        item for item in function.reach.imports if item.module == name or item.module.startswith(f"{name}.")
    ]


def _unknown(examined: Examination, planned: Iterable[Function], name: str) -> UsageError:
    known = {route.path for route in examined.app.routes}
    for function in planned:
        known |= {*function.reach.files, *(item.module for item in function.reach.imports)}
    for site in examined.sites.values():
        known |= locked(site).keys()
    near = get_close_matches(name, sorted(known), n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "`packager routes` lists the routes."
    return UsageError(f"the app has no route, file, module or distribution {name!r}", hint=hint)
