"""Everything that can be said about the code of an app before it is built.

A rule is one function: those of edge in `edge_rules.RULES`, the others here.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence

from infra.manifest import Runtime
from packager.branches import EDGE, Platform
from packager.diagnostics import Diagnostic, in_order
from packager.edge_rules import ban_of, findings
from packager.guards import guards
from packager.imports import Import, Reach, locate, reach
from packager.literals import bindings
from packager.model import App, Project, Route
from packager.sources import Source, column, read

_ALLOWED = re.compile(r"#\s*packager:\s*allow\[(?P<rules>[a-z, -]+)\]\s+\S")
_ALWAYS_THERE = frozenset(
    (
        "__main__",
        "runtimes",
        "starlette",
        "anyio",
        "idna",
        "typing_extensions",
        "multipart",
        "python_multipart",
    )
)
"""Import names that every artifact provides."""

# Python's "What's New": what the standard library gained and lost since 3.12, this tool's oldest Python.
_STDLIB_SINCE = {"annotationlib": (3, 14), "compression": (3, 14)}
_STDLIB_UNTIL = dict.fromkeys(
    (
        *(
            "aifc",
            "audioop",
            "cgi",
            "cgitb",
            "chunk",
            "crypt",
            "imghdr",
            "lib2to3",
            "mailcap",
            "msilib",
            "nis",
        ),
        *("nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"),
    ),
    (3, 12),
)


def check(app: App, provided: Mapping[str, str] | None = None) -> tuple[Diagnostic, ...]:
    """What is wrong with the code of an app.

    `provided` maps the top-level import names of resolved distributions to their names; without it, a name is
    only reported as unresolved if no dependency could provide it. A line with the comment
    `# packager: allow[rule] reason` is not reported by that rule.
    """
    project = app.project
    found: list[Diagnostic] = []
    for runtime, platform in (("edge", EDGE), ("nodejs", _lambda_platform(project))):
        reached = reach(project, _entries(app, runtime), platform)
        found += findings(project, reached) if runtime == "edge" else ()
        found += reached.diagnostics
        found += unresolved_imports(project, reached, platform, provided)
    for route in app.routes:
        found += missing_preflight(project, route)
    return in_order(list(_once(_not_allowed(project, found))))


def runtime_of_auto(project: Project, entries: Sequence[str]) -> Runtime:
    """Where a route with `runtime = "auto"` runs: on edge if nothing that `entries` reach speaks against it.

    `entries` are the route's file and those of the middleware before it.
    """
    found = findings(project, reach(project, entries, EDGE))
    return "nodejs" if any(_not_allowed(project, found)) else "edge"


def unresolved_imports(
    project: Project, found: Reach, platform: Platform, provided: Mapping[str, str] | None
) -> Iterator[Diagnostic]:
    """`unresolved-import`: names that neither Python, the project nor a dependency provides."""
    for item in found.imports:
        top = item.module.partition(".")[0]
        if item.guarded or top in _ALWAYS_THERE or _in_stdlib(top, platform):
            continue
        if platform == EDGE and ban_of(item.module):
            continue
        ours = not top or _is_of_project(project, top)
        if ours and top and locate(project.root, project.import_root, item.module.split(".")).complete:
            continue
        theirs = bool(project.dependencies) and not ours if provided is None else top in provided
        if not theirs:
            yield _unresolved(item, ours, project.import_root)


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


def _entries(app: App, runtime: str) -> list[str]:
    """The files of a runtime's routes and of the middleware that runs with them.

    URLs without a route are answered on nodejs if a route is there, so all middleware runs there, else on edge.
    """
    routes = [route for route in app.routes if route.runtime == runtime]
    if not routes:
        return []
    files = [route.file for route in routes]
    unmatched = runtime == "nodejs" or len(routes) == len(app.routes)
    return [*files, *(item.file for item in guards(app, routes, unmatched=unmatched))]


def _is_of_project(project: Project, top: str) -> bool:
    return locate(project.root, project.import_root, (top,)).complete


def _lambda_platform(project: Project) -> Platform:
    major, minor = map(int, project.settings.nodejs.python.split("."))
    return Platform("linux", (major, minor))


def _in_stdlib(name: str, platform: Platform) -> bool:
    if name in _STDLIB_UNTIL:
        return platform.version <= _STDLIB_UNTIL[name]
    if name in _STDLIB_SINCE:
        return platform.version >= _STDLIB_SINCE[name]
    return name in sys.stdlib_module_names


def _unresolved(item: Import, ours: bool, import_root: str) -> Diagnostic:
    if ours:
        folder = f"{import_root}/" if import_root else "the project's folder"
        message = f"the project has no module {item.module}"
        hint = f"Imports start at {folder}: mend the name, or make the file."
    else:
        message = f"nothing provides the module {item.module}"
        hint = "Add the package that has it to [project] dependencies in pyproject.toml."
    place = (item.file, item.line, item.column)
    return Diagnostic("unresolved-import", *place, message, hint, chain=item.chain)


def _not_allowed(project: Project, found: Sequence[Diagnostic]) -> Iterator[Diagnostic]:
    """The findings without those that a comment on their line allows, with a reason."""
    for item in found:
        source = read(project.root, item.file)
        line = source.lines[item.line - 1] if isinstance(source, Source) else ""
        allowed = _ALLOWED.search(line)
        if allowed is None or item.rule not in re.split(r"[ ,]+", allowed["rules"]):
            yield item


def _once(found: Iterator[Diagnostic]) -> Iterator[Diagnostic]:
    """Each finding once, with its first chain: code on both runtimes is reached twice."""
    seen: set[tuple[str, str, int, int, str]] = set()
    for item in found:
        key = (item.rule, item.file, item.line, item.column, item.message)
        if key not in seen:
            seen.add(key)
            yield item
