"""What code may not do on edge. A rule is one function from a reach to diagnostics, listed in `RULES`."""

from collections.abc import Callable, Iterator

from packager.diagnostics import Diagnostic
from packager.edge_rules.banned import ban_of, banned_attributes, banned_imports
from packager.edge_rules.dynamic_code import dynamic_code
from packager.edge_rules.entropy import import_time_entropy
from packager.edge_rules.filesystem import filesystem_access
from packager.imports import Reach
from packager.model import Project

__all__ = ["RULES", "ban_of", "findings"]

type Rule = Callable[[Project, Reach], Iterator[Diagnostic]]

RULES: tuple[Rule, ...] = (
    banned_imports,
    banned_attributes,
    dynamic_code,
    filesystem_access,
    import_time_entropy,
)


def findings(project: Project, found: Reach) -> tuple[Diagnostic, ...]:
    """All that keeps the code that was reached from running on edge."""
    return tuple(item for rule in RULES for item in rule(project, found))
