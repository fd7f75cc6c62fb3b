"""What the imports within distributions come to on edge: each project import of one is followed through its files.

Only what surely runs when the distribution is imported counts: not what stands in functions, is caught, or waits
for a condition that is not known.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packager.branches import EDGE
from packager.diagnostics import Diagnostic
from packager.edge_rules.banned import Ban, ban_of
from packager.edge_rules.eager_imports import Eager, EagerImports, eager_imports, keep, opened
from packager.edge_rules.native import HINT as NATIVE_HINT
from packager.edge_rules.native import LOADED, is_loaded
from packager.edge_rules.time_zones import without_time_zones
from packager.imports import Import, Reach, locate
from packager.model import Distribution, Project
from packager.site_packages import SitePackages
from packager.stdlib import ALWAYS_THERE, has_module

_DEAD = ("socket", "subprocess")
"""What imports on edge and then does nothing, and what a distribution imports only to use it."""
_HINT = 'Use another package, or a part of it that does without, or set runtime = "nodejs" in the route.'


@dataclass(frozen=True, slots=True)
class _Step:
    """A file of a distribution, with the steps that lead to it."""

    distribution: Distribution
    file: str
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Cause:
    """Why importing a distribution fails; `chain` ends with the import that does."""

    rule: str
    message: str
    hint: str
    chain: tuple[str, ...]


@dataclass(slots=True)
class _Walk:
    """One walk over the distributions: what provides each top-level name, and what was found so far."""

    project: Project
    site: SitePackages
    providers: dict[str, list[Distribution]]
    read: dict[str, EagerImports] = field(default_factory=dict)
    listings: dict[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    files: dict[tuple[str, tuple[str, ...]], tuple[tuple[Distribution, str], ...]] = field(
        default_factory=dict
    )


def distribution_findings(project: Project, site: SitePackages, found: Reach) -> Iterator[Diagnostic]:
    """What keeps the resolved distributions that were reached from being imported on edge.

    `banned-import`, `unresolved-import` and `native-extension`, at the project's import that leads there; the
    chain goes on into the distribution, the cause last. One cause is reported for each import.
    """
    providers: dict[str, list[Distribution]] = {}
    for distribution in site.distributions.values():
        for module in distribution.modules:
            providers.setdefault(module, []).append(distribution)
    state = _Walk(project, site, providers)
    for item in found.imports:
        if not item.guarded and item.module.partition(".")[0] in providers:
            cause = _cause(state, item)
            if cause:
                place = (item.file, item.line, item.column)
                yield Diagnostic(cause.rule, *place, cause.message, cause.hint, chain=cause.chain)
    for imports in state.read.values():
        keep(imports)
    if "tzdata" not in site.distributions:
        yield from without_time_zones(project, found)


def _cause(state: _Walk, item: Import) -> _Cause | None:
    """The first thing that fails when the module of an import is imported, nearest first."""
    seen: set[tuple[str, str]] = set()
    waiting: deque[_Step] = deque()

    def enter(module: str, names: tuple[str, ...], chain: tuple[str, ...]) -> _Cause | None:
        """Queue the files that importing a module runs."""
        for distribution, file in _files(state, module, names):
            if (distribution.wheel.sha256, file) in seen:
                continue
            seen.add((distribution.wheel.sha256, file))
            if file.endswith(".py"):
                waiting.append(_Step(distribution, file, chain))
            elif not is_loaded(distribution.folder / file):
                message = f"{distribution.wheel.name}'s {file} is compiled, but not for edge"
                return _Cause("native-extension", message, NATIVE_HINT, chain)
        return None

    cause = enter(item.module, item.names, item.chain)
    while waiting and cause is None:
        step = waiting.popleft()
        name = step.distribution.wheel.sha256
        if name not in state.read:
            state.read[name] = opened(step.distribution)
        for row in eager_imports(state.read[name], step.file):
            module, names = _absolute(step.file, row), row[2]
            chain = (*step.chain, f"{step.file}:{row[3]} import {module}")
            cause = _fails(state, step, module, names, chain) or enter(module, names, chain)
            if cause:
                break
    return cause


def _files(state: _Walk, module: str, names: tuple[str, ...]) -> tuple[tuple[Distribution, str], ...]:
    """The files that importing a module runs, in order; a compiled one is last and cannot be loaded."""
    if (module, names) not in state.files:
        parts = module.split(".")
        wanted = (parts, *([*parts, name] for name in names if name != "*"))
        state.files[module, names] = tuple(
            (distribution, file)
            for distribution in (() if parts[0] in ALWAYS_THERE else state.providers.get(parts[0], ()))
            for file in dict.fromkeys(
                file for each in wanted for file in _located(_listing(state, distribution), each)
            )
        )
    return state.files[module, names]


def _listing(state: _Walk, distribution: Distribution) -> Mapping[str, tuple[str, ...]]:
    """A distribution's modules as paths without endings, each with the endings that it has."""
    name = distribution.wheel.sha256
    if name not in state.listings:
        rows: dict[str, tuple[str, ...]] = {}
        for folder, _, files in distribution.folder.walk():
            for file in files:
                if file.endswith((".py", ".so", ".pyd")):
                    stem, _, ending = file.partition(".")
                    path = (folder / stem).relative_to(distribution.folder).as_posix()
                    rows[path] = (*rows.get(path, ()), f".{ending}")
        state.listings[name] = rows
    return state.listings[name]


def _located(listing: Mapping[str, tuple[str, ...]], parts: Sequence[str]) -> Iterator[str]:
    """The files of a module and the packages around it, as Python's path finder looks for them."""
    path = ""
    for part in parts:
        path = f"{path}/{part}".lstrip("/")
        if ".py" in listing.get(f"{path}/__init__", ()):
            yield f"{path}/__init__.py"
            continue
        endings = listing.get(path, ())
        loaded = next((ending for ending in LOADED if ending in endings), None)
        ending = loaded or (".py" if ".py" in endings else next(iter(sorted(endings)), None))
        if ending:
            yield path + ending
            return


def _absolute(file: str, row: Eager) -> str:
    """The dotted name that an import in a file means."""
    module, level, _, _ = row
    if not level:
        return module
    package = file.split("/")[:-level]
    return ".".join((*package, *filter(None, (module,))))


def _fails(
    state: _Walk, step: _Step, module: str, names: tuple[str, ...], chain: tuple[str, ...]
) -> _Cause | None:
    """Why an import in a distribution fails by itself, if it does."""
    who = f"{step.distribution.wheel.name} {step.distribution.wheel.version}"
    banned = _banned(module, names)
    if banned:
        name, ban = banned
        return _Cause(
            "banned-import", f"{who} needs {name}, which does not work on edge: {ban.reason}", _HINT, chain
        )
    top = module.partition(".")[0]
    there = (
        top in ALWAYS_THERE
        or top in state.providers
        or has_module(EDGE, top)
        or any(top in absent.modules for absent in state.site.absent.values())
        or locate(state.project.root, state.project.import_root, (top,)).complete
    )
    if there:
        return None
    message = f"{who} needs the module {top}, which nothing provides"
    hint = "Add the package that has it to [project] dependencies in pyproject.toml."
    return _Cause("unresolved-import", message, hint, chain)


def _banned(module: str, names: tuple[str, ...]) -> tuple[str, Ban] | None:
    for name in (module, *(f"{module}.{item}" for item in names)):
        found = ban_of(name)
        if found and (found[1].absent or found[1].leads_out or found[0] in _DEAD):
            return found
    return None
