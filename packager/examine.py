"""The stages that need nothing but the project's own files: load → discover → analyse → check."""

from dataclasses import dataclass
from pathlib import Path

from infra.manifest import Environment
from packager import environment
from packager.analyse import analyse
from packager.check import check
from packager.diagnostics import Diagnostic, in_order
from packager.discover import discover
from packager.model import App
from packager.project import load


@dataclass(frozen=True, slots=True)
class Examination:
    """An app as far as it can be read, and all that is wrong with it."""

    app: App
    environment: Environment
    diagnostics: tuple[Diagnostic, ...]


def examine(folder: Path) -> Examination:
    """Read the project in `folder` and check it. Raises `UsageError` and `ProjectError` as `load` does."""
    project = load(folder)
    tree, of_tree = discover(project)
    app, of_sources = analyse(project, tree)
    variables, of_names = environment.read(project)
    return Examination(app, variables, in_order([*of_tree, *of_sources, *of_names, *check(app)]))
