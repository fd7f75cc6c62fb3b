"""Everything that can be said about the code of an app, and the distributions it imports, before it is built.

A rule is one function: those of edge in `edge_rules.RULES`, the others here.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from infra.manifest import Runtime
from packager.allowances import not_allowed
from packager.branches import EDGE, Platform
from packager.diagnostics import Diagnostic, in_order
from packager.edge_rules import ban_of, distribution_findings, findings, is_compiled
from packager.functions import platform_of
from packager.guards import guards, is_rewritten
from packager.imports import Import, Reach, locate, reach
from packager.literals import bindings
from packager.model import App, Project, Route
from packager.site_packages import SitePackages, provided, without_wheel
from packager.sources import Source, column, read
from packager.stdlib import ALWAYS_THERE, has_module


def check(
    app: App,
    sites: Mapping[Runtime, SitePackages] | None = None,
    elsewhere: Callable[[str], Sequence[str]] = lambda _name: (),
) -> tuple[Diagnostic, ...]:
    """What is wrong with the code of an app.

    `sites` are the resolved distributions; for a runtime without them a name is only reported as unresolved if
    no dependency could provide it. `elsewhere` gives the versions of a distribution that have a wheel for edge.
    A line with the comment `# packager: allow[rule] reason` is not reported by that rule.
    """
    project = app.project
    sites = sites or {}
    found: list[Diagnostic] = []
    if entries := _entries(app, "edge"):
        reached = reach(project, entries, EDGE)
        found += (*reached.diagnostics, *against_edge(project, reached, sites.get("edge"), elsewhere))
    if entries := _entries(app, "nodejs"):
        platform = platform_of(project.settings, "nodejs")
        reached = reach(project, entries, platform)
        unresolved = unresolved_imports(project, reached, platform, sites.get("nodejs"))
        found += (*reached.diagnostics, *not_allowed(project, unresolved))
    for route in app.routes:
        found += not_allowed(project, missing_preflight(project, route))
        found += not_allowed(project, unforwarded_method(project, route))
    return in_order(list(_once(found)))


def against_edge(
    project: Project,
    reached: Reach,
    site: SitePackages | None,
    elsewhere: Callable[[str], Sequence[str]] = lambda _name: (),
) -> tuple[Diagnostic, ...]:
    """All that keeps the code that was reached from running on edge.

    `site` are the distributions resolved for edge, None if they are not known; `elsewhere` as in `check`.
    """
    found = [*findings(project, reached), *unresolved_imports(project, reached, EDGE, site)]
    if site is not None:
        found += without_wheel(site, reached.imports, elsewhere)
        found += distribution_findings(project, site, reached)
    return tuple(not_allowed(project, found))


def unresolved_imports(
    project: Project, found: Reach, platform: Platform, site: SitePackages | None
) -> Iterator[Diagnostic]:
    """`unresolved-import`: names that neither Python, the project nor a dependency provides.

    `typed-without-pydantic` for what no statement imports, but a typed handler needs.
    """
    theirs = None if site is None else provided(site)

    def is_there(module: str) -> bool:
        top = module.partition(".")[0]
        if platform == EDGE and (banned := ban_of(module)):
            return not banned[1].absent
        if top in ALWAYS_THERE or has_module(platform, top):
            return True
        ours = not top or _is_of_project(project, top)
        if ours and top and locate(project.root, project.import_root, module.split(".")).complete:
            return True
        return bool(project.dependencies) and not ours if theirs is None else top in theirs

    for item in found.imports:
        needless = item.guarded or (item.instead_of and all(map(is_there, item.instead_of)))
        banned = platform == EDGE and (ban_of(item.module) or is_compiled(project, item.module))
        if not (needless or banned or is_there(item.module)):
            top = item.module.partition(".")[0]
            yield _unresolved(item, not top or _is_of_project(project, top), project.import_root)


def missing_preflight(project: Project, route: Route) -> Iterator[Diagnostic]:
    """`missing-preflight`: a header for other origins, and nothing that answers their browsers' OPTIONS."""
    source = read(project.root, route.file)
    if route.cors or not isinstance(source, Source) or "OPTIONS" in bindings(source.tree):
        return
    for node in ast.walk(source.tree):
        value = node.value if isinstance(node, ast.Constant) else None
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if (
            isinstance(text, str)
            and text.lower() == "access-control-allow-origin"
            and isinstance(node, ast.expr)
        ):
            yield Diagnostic(
                "missing-preflight",
                route.file,
                node.lineno,
                column(source, node),
                "the route answers other origins, but not the OPTIONS request that browsers send first",
                'Say cors = {"origins": ["https://…"]} and leave the header to it, or define OPTIONS.',
                "warning",
            )
            return


def unforwarded_method(project: Project, route: Route) -> Iterator[Diagnostic]:
    """`unforwarded-method`: a handler for QUERY, to which CloudFront answers 403 whatever its behaviours say.

    Source: Amazon CloudFront Developer Guide, "Cache behavior settings", allowed HTTP methods.
    """
    source = read(project.root, route.file)
    if "QUERY" not in route.methods or not isinstance(source, Source):
        return
    for node in bindings(source.tree).get("QUERY", ()):
        yield Diagnostic(
            "unforwarded-method",
            route.file,
            node.lineno,
            column(source, node),
            "CloudFront does not forward QUERY, so that it is answered only where there is none (cdn = false)",
            "Answer POST too, for clients that come by CloudFront.",
            "warning",
        )
        return


def _entries(app: App, runtime: str) -> list[str]:
    """The files of a runtime's routes and of the middleware that runs with them.

    URLs without a route are answered on nodejs if a route is there, so all middleware runs there, else on edge.
    """
    routes = [route for route in app.routes if route.runtime == runtime]
    if not routes:
        return []
    files = [route.file for route in routes]
    unmatched = runtime == "nodejs" or len(routes) == len(app.routes) or is_rewritten(app.project)
    return [*files, *(item.file for item in guards(app, routes, unmatched=unmatched))]


def _is_of_project(project: Project, top: str) -> bool:
    return locate(project.root, project.import_root, (top,)).complete


def _unresolved(item: Import, ours: bool, import_root: str) -> Diagnostic:
    place = (item.file, item.line, item.column)
    if item.implied:
        message = f"the handler is typed, and nothing provides {item.module}, which validates it"
        hint = f"Run `uv add {item.module}`, or add it to [project] dependencies in pyproject.toml."
        return Diagnostic("typed-without-pydantic", *place, message, hint)
    if ours:
        folder = f"{import_root}/" if import_root else "the project's folder"
        message = f"the project has no module {item.module}"
        hint = f"Imports start at {folder}: mend the name, or make the file."
    else:
        message = f"nothing provides the module {item.module}"
        hint = "Add the package that has it to [project] dependencies in pyproject.toml."
    return Diagnostic("unresolved-import", *place, message, hint, chain=item.chain)


def _once(found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Each finding once, with its first chain: code on both runtimes is reached twice."""
    seen: set[tuple[str, str, int, int, str]] = set()
    for item in found:
        key = (item.rule, item.file, item.line, item.column, item.message)
        if key not in seen:
            seen.add(key)
            yield item
