"""`dynamic-code`: code that is made while the app runs, which no build can read, check or bundle."""

import ast
from collections.abc import Iterator

from packager.branches import EDGE, walk
from packager.diagnostics import Diagnostic
from packager.edge_rules.names import Names, is_assigned, meaning, names_of
from packager.imports import Reach, imported
from packager.model import Project
from packager.sources import Source, column, read

_EVALUATED = {
    "builtins.eval": "Read data with `json.loads` or `ast.literal_eval`, choose functions from a dict",
    "builtins.exec": "Write the code as a function in a module of the project",
    "builtins.compile": "Write the code as a function in a module of the project",
    "runpy.run_module": "Import the module and call a function of it",
    "runpy.run_path": "Import the module and call a function of it",
}
_IMPORTS = frozenset(("builtins.__import__", "importlib.__import__", "importlib.import_module"))
_LITERAL = "Write the imports out, for instance in a dict of functions by name"


def dynamic_code(project: Project, found: Reach) -> Iterator[Diagnostic]:
    """`eval`, `exec` and `compile` in the project's own modules, and imports whose names are computed."""
    for file in found.files:
        source = read(project.root, file)
        if isinstance(source, Source):
            for node, message, instead in _uses(source):
                yield Diagnostic(
                    "dynamic-code",
                    file,
                    node.lineno,
                    column(source, node),
                    message,
                    f'{instead}, or set runtime = "nodejs" in the route.',
                    chain=found.chains[file],
                )


def _uses(source: Source) -> Iterator[tuple[ast.expr, str, str]]:
    names = names_of(source)
    for node, _, _, _ in walk(source.tree, EDGE):
        if isinstance(node, ast.Call) and meaning(names, node.func) in _IMPORTS and not any(imported(node)):
            yield node, _why_not_followed(node), _LITERAL
        if not isinstance(node, ast.Attribute | ast.Name | ast.Call) or _is_alias(names, node):
            continue
        used = meaning(names, node)
        if used in _EVALUATED:
            short = used.removeprefix("builtins.")
            yield node, f"{short} runs code that the build cannot read or check", _EVALUATED[used]


def _is_alias(names: Names, node: ast.expr) -> bool:
    """A variable that holds such a function: what was assigned to it is reported already."""
    return isinstance(node, ast.Name) and (not isinstance(node.ctx, ast.Load) or is_assigned(names, node))


def _why_not_followed(node: ast.Call) -> str:
    match node.args:
        case [ast.Constant(value=str(name)), *_]:
            return f"the import of {name} is written in a way that the build does not see"
    return "the name of the import is computed, so the build cannot bundle the module"
