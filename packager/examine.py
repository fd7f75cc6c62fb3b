"""All that is known of an app before anything is built: load → discover → analyse → resolve → place → check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from infra.manifest import Environment, Runtime
from packager import environment, plain_secrets
from packager.analyse import Sources, analyse
from packager.check import check
from packager.diagnostics import Diagnostic, in_order
from packager.discover import discover
from packager.errors import PackagerError
from packager.model import App
from packager.place import place
from packager.project import load
from packager.site_packages import SitePackages

type Resolving = Literal["offline", "edge", "everything"]
"""Which distributions are resolved.

`offline`: those that decide where `auto` routes run, as far as earlier commands left them in the caches;
`edge`: of a project with dependencies and edge code, with a network if needed; `everything`: always all.
"""


@dataclass(frozen=True, slots=True)
class Examination:
    """An app as far as it can be read, and all that is wrong with it.

    `sites` are the distributions that were resolved; `failure` says why they could not be, or what nodejs
    lacks. `against` has, for the file of each `auto` route, what keeps it from running on edge.
    """

    app: App
    environment: Environment
    diagnostics: tuple[Diagnostic, ...]
    sites: Mapping[Runtime, SitePackages] = field(default_factory=dict)
    failure: PackagerError | None = None
    against: Mapping[str, tuple[Diagnostic, ...]] = field(default_factory=dict)


def examine(
    folder: Path, report: Callable[[str], None] = lambda _line: None, *, resolving: Resolving = "offline"
) -> Examination:
    """Read the project in `folder` and check it.

    `report` gets one line for each long step. Raises `UsageError` and `ProjectError` as `load` does.
    """
    project = load(folder)
    tree, of_tree = discover(project)
    sources, of_sources = analyse(project, tree)
    variables, of_names = environment.read(project)
    sites, failure = _resolved(sources, resolving, report)
    placement = place(sources, sites.get("edge"))
    app = placement.app
    on_edge = any(route.runtime == "edge" for route in app.routes)
    of_values = plain_secrets.of_project(project, on_edge=on_edge)
    found = [*of_tree, *of_sources, *of_names, *of_values, *check(app, sites, _elsewhere(app, resolving))]
    if failure is None and "nodejs" in sites and any(route.runtime == "nodejs" for route in app.routes):
        from packager import resolve  # noqa: PLC0415

        failure = resolve.incomplete(project, sites["nodejs"])
    return Examination(app, variables, in_order(found), sites, failure, placement.against)


def _resolved(
    sources: Sources, resolving: Resolving, report: Callable[[str], None]
) -> tuple[dict[Runtime, SitePackages], PackagerError | None]:
    runtimes = _runtimes(sources)
    auto = any(item.declared.runtime == "auto" for item in sources.routes)
    wanted = {"offline": auto, "edge": "edge" in runtimes, "everything": True}[resolving]
    if not runtimes or not wanted or (resolving != "everything" and not sources.project.dependencies):
        return {}, None
    from packager import resolve  # noqa: PLC0415 - 50 ms that most route tables do without

    try:
        return resolve.for_runtimes(sources.project, runtimes, report, offline=resolving == "offline"), None
    except PackagerError as error:
        return {}, error


def _runtimes(sources: Sources) -> set[Runtime]:
    """What the routes run on, or may run on."""
    found: set[Runtime] = set()
    for item in sources.routes:
        match item.declared.runtime:
            case "auto":
                found |= {"edge", "nodejs"}
            case "edge":
                found.add("edge")
            case _:
                found.add("nodejs")
    return found


def _elsewhere(app: App, resolving: Resolving) -> Callable[[str], tuple[str, ...]]:
    """Which versions of a distribution have a wheel for edge, asked only when an error is reported."""

    def versions(name: str) -> tuple[str, ...]:
        if resolving == "offline":
            return ()
        from packager.candidates import versions_for_edge  # noqa: PLC0415

        return versions_for_edge(app.project, name)

    return versions
