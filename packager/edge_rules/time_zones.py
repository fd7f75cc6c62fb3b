"""`banned-import` for `zoneinfo.ZoneInfo` without `tzdata`: edge has no time zones of the system."""

import ast
from collections.abc import Iterator

from packager.branches import EDGE, walk
from packager.diagnostics import Diagnostic
from packager.edge_rules.names import meaning, names_of
from packager.imports import Reach
from packager.model import Project
from packager.sources import Source, column, read

_MAKERS = frozenset(("zoneinfo.ZoneInfo", "zoneinfo.ZoneInfo.no_cache"))


def time_zones(project: Project, found: Reach) -> Iterator[Diagnostic]:
    """The uses in a project without dependencies; with some, `tzdata` may be among what they need."""
    if not project.dependencies:
        yield from without_time_zones(project, found)


def without_time_zones(project: Project, found: Reach) -> Iterator[Diagnostic]:
    """Every use of a time zone by name, which needs `tzdata`."""
    for file in found.files:
        source = read(project.root, file)
        if isinstance(source, Source):
            for node in _named(source):
                yield Diagnostic(
                    "banned-import",
                    file,
                    node.lineno,
                    column(source, node),
                    "zoneinfo.ZoneInfo finds no time zone on edge, not even UTC: there is no system to have them",
                    'Add "tzdata" to [project] dependencies in pyproject.toml; for UTC use `datetime.UTC`.',
                    chain=found.chains[file],
                )


def _named(source: Source) -> Iterator[ast.Call]:
    names = names_of(source)
    for node, _, _, _ in walk(source.tree, EDGE):
        if isinstance(node, ast.Call) and meaning(names, node.func) in _MAKERS:
            yield node
