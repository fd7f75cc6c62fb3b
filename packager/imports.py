"""What a module reaches by its imports: the project's own files, and every import that leaves the project."""

import ast
import heapq
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from packager.branches import Platform, walk
from packager.diagnostics import Diagnostic, in_order
from packager.model import Project
from packager.sources import Source, column, read
from packager.typed_handlers import typed_handlers


@dataclass(frozen=True, slots=True)
class Import:
    """An import that no file of the project answers.

    `module` is absolute and dotted (with leading dots if it leaves the project's root), `names` what follows
    `from module import`. `chain` are the `file:line import x` steps from the entry, this one last. `guarded`:
    a failure is caught, here or on the way. `lazy`: it runs within a function, here or on the way. `dynamic`:
    it is written as `import_module("x")` or `__import__("x")`. `instead_of`: it only runs if the import of one
    of these modules fails. `implied`: no statement says it; a typed handler in that line needs it.
    """

    module: str
    file: str
    line: int
    column: int
    chain: tuple[str, ...]
    guarded: bool
    lazy: bool
    names: tuple[str, ...] = ()
    dynamic: bool = False
    instead_of: tuple[str, ...] = ()
    implied: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """What some entries reach.

    `files` are the project's files, sorted, with the entries and the `__init__.py` of every package on the
    way; `chains` the steps that led to each. `diagnostics` are the `syntax-error`s in them.
    """

    files: tuple[str, ...]
    imports: tuple[Import, ...]
    diagnostics: tuple[Diagnostic, ...]
    chains: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Statement:
    """One import in a source. `level` counts the leading dots; no `names` for a plain `import module`."""

    module: str
    level: int
    names: tuple[str, ...]
    line: int
    column: int
    lazy: bool
    guarded: bool
    instead_of: tuple[str, ...]
    dynamic: bool
    implied: bool = False


@dataclass(frozen=True, slots=True)
class Located:
    """Where a module lies. `complete`: all its parts are in the project; `namespace`: as folders alone."""

    files: tuple[str, ...]
    complete: bool
    namespace: bool


def reach(project: Project, entries: Sequence[str], platform: Platform | None = None) -> Reach:
    """Follow the imports from `entries`, files relative to the project.

    Branches that the platform never takes are left out; without one, imports for every platform count.
    Of the ways to a file, those that always run come before guarded and lazy ones, then the shortest.
    """
    chains: dict[str, tuple[str, ...]] = {}
    leaving: list[Import] = []
    found: list[Diagnostic] = []
    order = itertools.count()
    waiting = [(False, False, 0, next(order), file, ()) for file in entries]
    queue: list[tuple[bool, bool, int, int, str, tuple[str, ...]]] = list(waiting)
    heapq.heapify(queue)
    while queue:
        guarded, lazy, _, _, file, chain = heapq.heappop(queue)
        if file in chains:
            continue
        chains[file] = chain
        source = read(project.root, file)
        if isinstance(source, Diagnostic):
            found.append(replace(source, chain=chain))
            continue
        for item in _statements(source, platform):
            files, missing = _resolve(project, file, item)
            steps = (*chain, f"{file}:{item.line} import {_absolute(project, file, item)}")
            state = (guarded or item.guarded, lazy or item.lazy)
            leaving += (
                Import(
                    *(module, file, item.line, item.column, steps, *state, names),
                    *(item.dynamic, item.instead_of, item.implied),
                )
                for module, names in missing
            )
            for reached in files:
                heapq.heappush(queue, (*state, len(steps), next(order), reached, steps))
    return Reach(tuple(sorted(chains)), tuple(leaving), in_order(found), chains)


def locate(root: Path, base: str, parts: Sequence[str]) -> Located:
    """Find a module below the folder `base`, as Python's path finder does: a package, a module, a folder."""
    files: list[str] = []
    namespace = False
    folder = base
    for index, part in enumerate(parts):
        folder = f"{folder}/{part}".lstrip("/")
        namespace = False
        if (root / folder / "__init__.py").is_file():
            files.append(f"{folder}/__init__.py")
        elif (root / f"{folder}.py").is_file():
            files.append(f"{folder}.py")
            return Located(tuple(files), index == len(parts) - 1, False)
        elif (root / folder).is_dir():
            namespace = True
        else:
            return Located(tuple(files), False, False)
    return Located(tuple(files), True, namespace)


def _resolve(
    project: Project, file: str, item: _Statement
) -> tuple[tuple[str, ...], list[tuple[str, tuple[str, ...]]]]:
    """The project's files that an import reaches, and the modules (with names) it does not find there."""
    name = _absolute(project, file, item)
    if item.level:
        base, parts = "", _package(file, item.level)
        if parts is None:
            return (), [(name, item.names)]
        parts = (*parts, *filter(None, item.module.split(".")))
    else:
        base, parts = project.import_root, tuple(item.module.split("."))
        if parts[0] in _KNOWN and _is_namespace(project, parts[0]):
            return (), [(name, item.names)]
    module = locate(project.root, base, parts)
    if not module.complete:
        return module.files, [(name, item.names)]
    files = list(module.files)
    missing: list[tuple[str, tuple[str, ...]]] = []
    for attribute in item.names:
        inner = locate(project.root, base, (*parts, attribute))
        files += (reached for reached in inner.files if reached not in files)
        if module.namespace and (not inner.complete or inner.namespace) and attribute != "*":
            missing.append((f"{name}.{attribute}", ()))
    if module.namespace and not item.names:
        missing.append((name, ()))
    return tuple(files), missing


# A folder without `__init__.py` gives way to a regular package or module of the same name (PEP 420).
_KNOWN = frozenset((*sys.stdlib_module_names, "runtimes"))


def _is_namespace(project: Project, name: str) -> bool:
    return not locate(project.root, project.import_root, (name,)).files


def _package(file: str, level: int) -> tuple[str, ...] | None:
    """The folders of the package that `level` dots mean in `file`; None above the project's root."""
    folders = PurePosixPath(file).parent.parts
    kept = len(folders) - (level - 1)
    return folders[:kept] if kept > 0 else None


def _absolute(project: Project, file: str, item: _Statement) -> str:
    """The dotted name that an import means, with its dots if it leaves the project's root."""
    if not item.level:
        return item.module
    package = _package(file, item.level)
    if package is None:
        return "." * item.level + item.module
    if project.import_root and package[0] == project.import_root:
        package = package[1:]
    return ".".join(filter(None, (*package, item.module)))


@lru_cache(maxsize=4096)
def _statements(source: Source, platform: Platform | None) -> tuple[_Statement, ...]:
    return tuple(
        _Statement(
            module, level, names, node.lineno, column(source, node), lazy, guarded, cause or (), dynamic
        )
        for visited, lazy, guarded, cause in walk(source.tree, platform)
        for node, module, level, names, dynamic in imported(visited)
    ) + tuple(_implied(source))


def _implied(source: Source) -> Iterator[_Statement]:
    """What the typed handlers of a route need."""
    if PurePosixPath(source.file).name == "route.py":
        for item in typed_handlers(source):
            place = (item.node.lineno, column(source, item.node))
            yield _Statement("pydantic", 0, (), *place, False, item.optional, (), False, implied=True)


def imported(node: ast.AST) -> Iterator[tuple[ast.stmt | ast.expr, str, int, tuple[str, ...], bool]]:
    """The imports that a node is: their place, module, leading dots, names and whether they are dynamic."""
    match node:
        case ast.Import(names=aliases):
            yield from ((node, item.name, 0, (), False) for item in aliases)
        case ast.ImportFrom(module=module, names=aliases, level=level):
            yield node, module or "", level or 0, tuple(item.name for item in aliases), False
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module"), args=[ast.Constant(value=str(name)), *rest]
        ):
            yield from _dynamic(node, name, rest)
        case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *rest]):
            yield from _dynamic(node, name, rest)


def _dynamic(
    node: ast.Call, name: str, rest: Sequence[ast.expr]
) -> Iterator[tuple[ast.stmt | ast.expr, str, int, tuple[str, ...], bool]]:
    """An import by a literal name; a relative one counts if it is relative to its own package."""
    module = name.lstrip(".")
    anchors = [*rest, *(item.value for item in node.keywords if item.arg == "package")]
    own = any(isinstance(item, ast.Name) and item.id == "__package__" for item in anchors)
    if all(part.isidentifier() for part in module.split(".")) and (own or module == name):
        yield node, module, len(name) - len(module), (), True
