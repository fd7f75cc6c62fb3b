"""What goes into each artifact: the project's files, our runtime, the route table, the distributions."""

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.manifest import Runtime
from packager.archive import Entry
from packager.branches import EDGE
from packager.errors import ProjectError
from packager.functions import Function, platform_of
from packager.imports import reach
from packager.include import included
from packager.literals import bindings
from packager.lock import declared
from packager.model import App, Distribution, Loader, Project, Route
from packager.module_reach import module_reach
from packager.site_packages import SitePackages, kept, left_to_runtime
from packager.snapshot import Entrypoint
from packager.sources import Source, read
from packager.traced_files import Traced, traced
from packager.wheel_files import carried_files
from runtimes import middleware, table
from runtimes.edge.guard import PATH as EDGE_RULES

if TYPE_CHECKING:
    from packager.imports import Import
    from packager.targets import Target


@dataclass(frozen=True, slots=True)
class Contents:
    """An artifact's Python side and its limits: bytes, seconds, MB. `entries` are sorted by name.

    `entrypoints` are the modules that the app imports itself. Unless `strict`, one that fails to be imported is
    no reason to make no artifact. `early` are the modules, of the project and of distributions, that are imported while
    a function starts; `preloaded` are modules of distributions to freeze even if no entrypoint may be.
    """

    name: str
    entries: tuple[Entry, ...]
    distributions: tuple[Distribution, ...]
    entrypoints: tuple[Entrypoint, ...]
    loader: Loader
    strict: bool
    max_body_size: int
    max_duration: int
    memory: int
    early: frozenset[str] = frozenset()
    preloaded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One function, ready to be written.

    `key` is the hash of all that the artifact depends on but the tool itself. `provided` are the distributions
    that the artifact needs and leaves to the runtime or a layer. `middleware` are the files of the middleware in it.
    """

    contents: Contents
    runtime: Runtime
    distributions: tuple[Distribution, ...]
    key: str
    provided: tuple[Distribution, ...] = ()
    middleware: tuple[str, ...] = ()


def part(
    app: App,
    function: Function,
    names: Mapping[str, str],
    site: SitePackages,
    target: "Target",
    *,
    strict: bool,
) -> Part:
    """Gather what goes into `function`; `names` maps a route's path to its function.

    Raises `ProjectError` if two sources claim one path of the artifact, or an `include` pattern is wrong.
    """
    distributions = carried(app, function, site, target)
    files = project_files(app, function)
    ours = [
        *(("the project", entry) for entry in _project_entries(app.project, files)),
        *(("packager's runtime", entry) for entry in _runtime_entries(target.OMITTED)),
        ("packager's runtime", Entry(table.PATH, table.to_json(route_table(app, function, names)).encode())),
        *(("packager's runtime", entry) for entry in _edge_entries(app, function, files)),
    ]
    modules = {file: (app.project.root / file).read_bytes() for file in function.reach.files}
    left = left_to_runtime(site, _provided(app, function))
    reached = module_reach(
        distributions,
        runtimes_folder(),
        modules,
        known=_known(app.project, function, left),
        keep=app.project.settings.keep,
    )
    theirs = [
        (f"{row.wheel.name} {row.wheel.version}", entry)
        for row, entry in carried_files(distributions, modules.values(), reached.left_out)
    ]
    contents = Contents(
        name=function.name,
        entries=_merged([*ours, *theirs]),
        distributions=distributions,
        entrypoints=_entrypoints(app, function),
        loader=app.project.settings.edge.loader,
        strict=strict,
        max_body_size=max(route.max_body_size for route in function.routes),
        max_duration=max(route.max_duration for route in function.routes),
        memory=max(route.memory for route in function.routes),
        early=frozenset((*modules, *reached.early)),
    )
    key = _key(contents, target, ours, distributions)
    middleware = tuple(sorted(row.file for row in function.middleware))
    return Part(contents, function.runtime, distributions, key, left, middleware)


def project_files(app: App, function: Function) -> tuple[str, ...]:
    """The project's files that the artifact of `function` carries, relative to the project, sorted.

    They are the modules that it reaches, the files that these read by literal paths, and what `include` and the
    `files` of its routes match. Raises `ProjectError` for a pattern that is wrong.
    """
    project = app.project
    found = {*function.reach.files, *data_files(app, function).files}
    found.update(included(project.root, project.settings.include))
    for route in function.routes:
        found.update(route_files(project, route))
    return tuple(sorted(found))


def _known(project: Project, function: Function, provided: Iterable[Distribution]) -> set[str]:
    """The top-level names of the project's modules and of what is left to the runtime."""
    prefix = f"{project.import_root}/" if project.import_root else ""
    names = (file.removeprefix(prefix).partition("/")[0].removesuffix(".py") for file in function.reach.files)
    return {*names, *(name for row in provided for name in row.modules)}


def route_files(project: Project, route: Route) -> tuple[str, ...]:
    """What the `files` of a route match, relative to the project. Raises `ProjectError` for a wrong pattern."""
    if not route.files:
        return ()
    source = read(project.root, route.file)
    line = bindings(source.tree)["files"][0].lineno if isinstance(source, Source) else 1
    return included(project.root, route.files, setting="files", place=f"{route.file}:{line}")


def data_files(app: App, function: Function) -> Traced:
    """What the modules of `function` read by literal paths."""
    return traced(app.project, function.reach, platform_of(app.project.settings, function.runtime))


def _edge_entries(app: App, function: Function, files: Iterable[str]) -> Iterator[Entry]:
    if function.runtime == "edge":
        from packager.edge_rules.run_time import run_time_rules  # noqa: PLC0415 - most projects have no such route

        yield Entry(EDGE_RULES, run_time_rules(app.project, function.reach, files).encode())


def _entrypoints(app: App, function: Function) -> tuple[Entrypoint, ...]:
    if function.runtime != "edge":
        return ()
    files = dict.fromkeys(
        [*(row.file for row in function.middleware), *(row.file for row in function.routes)]
    )
    return tuple(Entrypoint(file, frozenset(reach(app.project, [file], EDGE).files)) for file in files)


def carried(app: App, function: Function, site: SitePackages, target: "Target") -> tuple[Distribution, ...]:
    """The distributions that the artifact of `function` carries, sorted by name."""
    imports = function.reach.imports
    return kept(
        site,
        imports,
        target.DISTRIBUTIONS,
        declared(app.project),
        ours=_ready_made(imports),
        provided=_provided(app, function),
    )


def _provided(app: App, function: Function) -> tuple[str, ...]:
    return app.project.settings.nodejs.provided if function.runtime == "nodejs" else ()


def runtimes_folder() -> Path:
    """Where the `runtimes` package is installed."""
    spec = importlib.util.find_spec("runtimes")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _ready_made(imports: Iterable["Import"]) -> tuple[Path, ...]:
    """The files of `runtimes.middleware` that the imports name; what they need the project declares."""
    package = middleware.__name__
    found: set[str] = set()
    for item in imports:
        if item.module in middleware.HOMES.values():
            found.add(item.module)
        elif item.module == package or (item.module == "runtimes" and "middleware" in item.names):
            named = set(item.names).intersection(middleware.HOMES)
            found.update(middleware.HOMES[name] for name in named or middleware.HOMES)
    return tuple(runtimes_folder().parent / f"{name.replace('.', '/')}.py" for name in sorted(found))


def route_table(app: App, function: Function, names: Mapping[str, str]) -> table.Table:
    """What `function` knows of the app's routes; `names` maps a route's path to its function."""
    return table.Table(
        function=function.name,
        routes=tuple(
            table.RouteEntry(
                path=route.path,
                file=route.file,
                function=names[route.path],
                max_body_size=route.max_body_size,
                revalidate=route.revalidate,
                cors=route.cors,
            )
            for route in app.routes
        ),
        middleware=tuple(
            table.MiddlewareEntry(item.file, item.scope, item.matchers) for item in function.middleware
        ),
        import_root=app.project.import_root,
        public_url=app.project.settings.public_url,
        site=app.project.settings.site,
        cdn_functions=_cdn_functions(app, names),
    )


def _cdn_functions(app: App, names: Mapping[str, str]) -> tuple[str, ...]:
    from packager.targets import target_of  # noqa: PLC0415 - targets are made of what is gathered here

    runtimes = {route.runtime for route in app.routes}
    on_api = {runtime: target_of(app, runtime).ON_API for runtime in runtimes}
    return tuple(sorted({names[route.path] for route in app.routes if not on_api[route.runtime]}))


def _project_entries(project: Project, files: Iterable[str]) -> Iterator[Entry]:
    for file in sorted(set(files)):
        yield Entry(file, (project.root / file).read_bytes())


def _runtime_entries(omitted: tuple[str, ...]) -> Iterator[Entry]:
    folder = runtimes_folder()
    for path in sorted(folder.rglob("*.py")):
        relative = path.relative_to(folder)
        if relative.parts[0] not in omitted:
            yield Entry(f"runtimes/{relative.as_posix()}", path.read_bytes())


def _merged(rows: Iterable[tuple[str, Entry]]) -> tuple[Entry, ...]:
    """One entry for each path. Distributions may bring the same file, such as an empty `__init__.py`."""
    found: dict[str, tuple[str, Entry]] = {}
    for origin, entry in rows:
        other = found.setdefault(entry.name, (origin, entry))
        if other[1] is not entry and _content(other[1]) != _content(entry):
            raise ProjectError(
                f"{entry.name} comes from {other[0]} and, with other contents, from {origin}",
                place=entry.name if other[0] == "the project" else None,
                hint="Rename the file in the project, or drop one of the two packages.",
            )
    return tuple(found[name][1] for name in sorted(found))


def _content(entry: Entry) -> bytes:
    return entry.source if isinstance(entry.source, bytes) else entry.source.read_bytes()


def _key(
    contents: Contents,
    target: "Target",
    ours: Iterable[tuple[str, Entry]],
    distributions: Iterable[Distribution],
) -> str:
    inputs = [
        target.NAME,
        [contents.name, contents.max_body_size, contents.max_duration, contents.memory],
        [contents.loader, contents.strict] if contents.entrypoints else [],
        [[entry.name, hashlib.sha256(_content(entry)).hexdigest()] for _, entry in ours],
        [row.wheel.sha256 for row in distributions],
        # with these the whole of it is known: what else is left out, and compiled, follows from the above
        [entry.name for entry in contents.entries],
        sorted(contents.early),
    ]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
