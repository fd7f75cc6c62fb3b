"""What code may not do on edge. A rule is one function from a reach to diagnostics, listed in `RULES`."""

from collections.abc import Callable, Iterator

from packager.diagnostics import Diagnostic
from packager.edge_rules.banned import ban_of, banned_attributes, banned_imports
from packager.edge_rules.distributions import distribution_findings
from packager.edge_rules.dynamic_code import dynamic_code
from packager.edge_rules.entropy import import_time_entropy
from packager.edge_rules.filesystem import filesystem_access
from packager.edge_rules.hashes import missing_hashes
from packager.edge_rules.native import is_compiled, native_extensions
from packager.edge_rules.run_time import run_time_rules
from packager.edge_rules.time_zones import time_zones
from packager.imports import Reach
from packager.model import Project

__all__ = ["RULES", "ban_of", "distribution_findings", "findings", "is_compiled", "run_time_rules"]

type Rule = Callable[[Project, Reach], Iterator[Diagnostic]]

RULES: tuple[Rule, ...] = (
    banned_imports,
    banned_attributes,
    dynamic_code,
    filesystem_access,
    import_time_entropy,
    native_extensions,
    time_zones,
    missing_hashes,
)


def findings(project: Project, found: Reach) -> tuple[Diagnostic, ...]:
    """All that keeps the code that was reached from running on edge."""
    return tuple(item for rule in RULES for item in rule(project, found))
