"""`import-time-entropy`: random values made while modules are imported.

Edge workers start from a snapshot of the imported app, so such a value would be the same in all of them: a
token that everybody has.
"""

import ast
from collections.abc import Iterator

from packager.branches import EDGE, walk
from packager.diagnostics import Diagnostic
from packager.edge_rules.names import Names, assigned, function, meaning, names_of
from packager.imports import Reach
from packager.model import Project
from packager.sources import Source, column, read

_DRAWS = frozenset(
    (
        *("os.urandom", "os.getrandom", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid.uuid8"),
        *("uuid.getnode", "tempfile.mkstemp", "tempfile.mkdtemp", "tempfile.mktemp"),
        *("tempfile.NamedTemporaryFile", "tempfile.TemporaryFile", "tempfile.TemporaryDirectory"),
    )
)
_SOURCES = ("random.", "secrets.", "numpy.random.")
_WITHOUT_A_DRAW = frozenset(
    ("random.SystemRandom", "secrets.SystemRandom", "secrets.compare_digest", "numpy.random.Generator")
)
_SEEDED = frozenset(
    (
        *("random.Random", "random.seed"),
        *("numpy.random.default_rng", "numpy.random.seed", "numpy.random.RandomState"),
        *("numpy.random.MT19937", "numpy.random.PCG64", "numpy.random.Philox", "numpy.random.SFC64"),
    )
)
_HINT = (
    "Make the value in the handler, or in a function that it calls; for the same value in all workers use a "
    'secret of [tool.packager.environment]. Or set runtime = "nodejs" in the route.'
)


def import_time_entropy(project: Project, found: Reach) -> Iterator[Diagnostic]:
    """Random values at module level, in class bodies, default arguments and decorators; fine in functions.

    A function of the same module that is called there counts too, at the line of its draw. A generator with a
    literal seed is fine.
    """
    for file in found.files:
        source = read(project.root, file)
        if isinstance(source, Source):
            for node, name, called in _draws(source):
                yield Diagnostic(
                    "import-time-entropy",
                    file,
                    node.lineno,
                    column(source, node),
                    f"{name}() runs while the module is imported{called}: all edge workers would share its value",
                    _HINT,
                    chain=found.chains[file],
                )


def _draws(source: Source) -> Iterator[tuple[ast.Call, str, str]]:
    names = names_of(source)
    waiting = [(source.tree, "")]
    entered: set[ast.AST] = set()
    while waiting:
        tree, caller = waiting.pop()
        for node, lazy, _, _ in walk(tree, EDGE):
            if lazy or not isinstance(node, ast.Call):
                continue
            if name := _draw(names, node):
                yield node, name, caller
            called = function(names, node.func)
            if isinstance(called, ast.FunctionDef) and called not in entered:
                entered.add(called)
                waiting.append(
                    (ast.Module(called.body, []), caller or f", by the call in line {node.lineno}")
                )


def _draw(names: Names, node: ast.Call) -> str | None:
    """The name of the function that draws, if this call does."""
    name = meaning(names, node.func)
    if name is None:
        name = _of_instance(names, node.func)
    if name is None or name in _WITHOUT_A_DRAW or (name in _SEEDED and _has_literal_seed(names, node)):
        return None
    return name if name in _DRAWS or name.startswith(_SOURCES) else None


def _of_instance(names: Names, node: ast.expr) -> str | None:
    """`SystemRandom().choice` draws from the system; a `Random` is reported, or seeded, where it is made."""
    match node:
        case ast.Attribute(value=ast.Call(func=maker), attr=attribute):
            name = meaning(names, maker)
            return f"{name}.{attribute}" if name in _WITHOUT_A_DRAW else None
    return None


def _has_literal_seed(names: Names, node: ast.Call) -> bool:
    given = [*node.args, *(item.value for item in node.keywords)]
    return bool(given) and all(_is_literal(names, item) for item in given)


def _is_literal(names: Names, node: ast.expr) -> bool:
    value = assigned(names, node) if isinstance(node, ast.Name) else node
    try:
        return value is not None and ast.literal_eval(value) is not None
    except (ValueError, TypeError, RecursionError):
        return False
