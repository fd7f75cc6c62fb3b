"""What a build is going to write: the functions, each with its routes and all that goes into its artifact."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.manifest import Runtime
from packager import bundle, bytecode, functions, splitting
from packager.diagnostics import Diagnostic, in_order
from packager.grouping import Grouping, group
from packager.model import App
from packager.site_packages import SitePackages
from packager.targets import Target, target_of


@dataclass(frozen=True, slots=True)
class Plan:
    """The functions of a build.

    `watched` are the project's data files, there or not, that its modules name; `diagnostics` are warnings on
    those that are never put into an artifact.
    """

    grouping: Grouping
    parts: tuple[bundle.Part, ...]
    targets: Mapping[Runtime, Target]
    watched: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


def plan(
    app: App, sites: Mapping[Runtime, SitePackages], report: Callable[[str], None], *, strict: bool
) -> Plan:
    """Decide what goes where; `sites` are the distributions of each runtime, `strict` is as in `bundle.Contents`.

    Raises `ProjectError` as `bundle.part` and `splitting.fitted` do, `ToolError` as `bytecode.with_bytecode`.
    """
    targets = {runtime: target_of(app, runtime) for runtime in sorted({row.runtime for row in app.routes})}
    compiler = bytecode.compiler(app.project.settings.nodejs.python, report) if "nodejs" in targets else None

    def gather(names: Mapping[str, str]) -> list[bundle.Part]:
        parts = [
            bundle.part(app, item, names, sites[item.runtime], targets[item.runtime], strict=strict)
            for item in functions.functions(app, names)
        ]
        return bytecode.with_bytecode(parts, compiler)

    grouping, parts = splitting.fitted(app, Grouping(group(app.routes)), sites, gather)
    data = [bundle.data_files(app, item) for item in functions.functions(app, grouping.names)]
    return Plan(
        grouping=grouping,
        parts=tuple(parts),
        targets=targets,
        watched=tuple(sorted({name for item in data for name in item.watched})),
        diagnostics=in_order([found for item in data for found in item.refused]),
    )


def patterns(app: App) -> tuple[str, ...]:
    """The globs of all data files that the project and its routes name. Raises `ProjectError` for a wrong one."""
    for route in app.routes:
        bundle.route_files(app.project, route)
    return (*app.project.settings.include, *(pattern for route in app.routes for pattern in route.files))
