"""What all routes of an app share: it becomes one module of `lib/`, with the imports that it needs."""

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packager.scaffold.conversion import Left
from packager.scaffold.imports import Import, imports_of, rendered
from packager.scaffold.source import (
    Edit,
    Source,
    bound,
    dotted,
    edited,
    is_function,
    lines_of,
    names,
    read,
)

_MODELS = {"BaseModel", "TypedDict", "SQLModel", "RootModel", "GenericModel", "NamedTuple"}


@dataclass(frozen=True, slots=True)
class Shared:
    """`imports` are where names come from: the file's imports, and `lib` for what it defines.

    `definitions` are its functions and classes, `models` the classes that describe JSON, `literals` the values of its
    constants. `lost` has the reason for each name that is not to be had. `apps` are the names of app objects, `beside`
    the modules beside the file.
    """

    module: str
    imports: Mapping[str, Import]
    definitions: Mapping[str, ast.stmt]
    models: frozenset[str]
    lost: Mapping[str, str]
    apps: frozenset[str]
    beside: frozenset[str]
    text: str
    left: tuple[Left, ...]

    def is_free(self, name: str, module: str) -> bool:
        """Whether a route file can import `name` of `module` under its own name."""
        known = self.imports.get(name)
        return known is None or known == Import(module, name)


def literals(source: Source) -> dict[str, Any]:
    """The constants of a file whose values are literals."""
    found = {}
    for statement in source.tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        try:
            found[name] = ast.literal_eval(value)
        except ValueError:
            continue
    return found


def shared(
    source: Source,
    module: str,
    apps: Iterable[str],
    consumed: Collection[ast.stmt],
    translated: Mapping[str, Mapping[str, Import]],
    edits: Iterable[Edit],
    siblings: Sequence[Source] = (),
) -> Shared:
    """The statements of a file that are not `consumed`, as the module `module` (`lib.main`).

    `translated` has the imports that take the place of a framework's, by its package and their name; what it has not is
    lost, and with it what needs it. `edits` are made in what is kept.
    """
    found, lost = imports_of(source, translated)
    lost |= dict.fromkeys(apps, "there is no app object here")
    for statement in consumed:
        if is_function(statement):
            lost[statement.name] = "it is an endpoint itself: move what both need into lib/"
    edits = tuple(edits)
    kept = [
        row
        for row in source.tree.body
        if row not in consumed and not isinstance(row, ast.Import | ast.ImportFrom) and not _is_docstring(row)
    ]
    needs = {id(row): _needs(source, row, edits) for row in kept}
    left = []
    while spoilt := [row for row in kept if needs[id(row)] & lost.keys() - bound(row)]:
        for row in spoilt:
            cause = min(needs[id(row)] & lost.keys() - bound(row))
            own = sorted(bound(row))
            lost |= {name: f"{source.place(row)} needs {cause}: {lost[cause]}" for name in own}
            what = ", ".join(own) or ast.unparse(row).partition("\n")[0]
            left.append(Left(source.place(row), what, f"{cause}: {lost[cause]}"))
            kept.remove(row)
    here = {name: Import(module, name) for row in kept for name in bound(row)}
    definitions = {row.name: row for row in kept if is_function(row) or isinstance(row, ast.ClassDef)}
    classes = [row for item in (source, *siblings) for row in item.tree.body if isinstance(row, ast.ClassDef)]
    beside = frozenset(row.file.partition("/")[0].removesuffix(".py") for row in siblings)
    text = _text(source, kept, needs, {**here, **found}, beside, edits)
    return Shared(
        module,
        {**found, **here},
        definitions,
        models(classes),
        lost,
        frozenset(apps),
        beside,
        text,
        tuple(left),
    )


def models(classes: Iterable[ast.ClassDef]) -> frozenset[str]:
    """The names of the classes that describe JSON: pydantic models, dataclasses, typed dicts and their heirs."""
    found = set(_MODELS)
    rows = list(classes)
    while True:
        more = {
            row.name
            for row in rows
            if row.name not in found
            and (
                any(dotted(_bare(base)).rpartition(".")[2] in found for base in row.bases)
                or any("dataclass" in ast.unparse(item) for item in row.decorator_list)
            )
        }
        if not more:
            return frozenset(found)
        found |= more


def siblings(source: Source, folder: Path) -> dict[str, Source]:
    """The modules and packages beside a file that it imports, and those that these import, by path."""
    found: dict[str, Source] = {}
    waiting = [source]
    while waiting:
        for node in ast.walk(waiting.pop().tree):
            given = []
            if isinstance(node, ast.Import):
                given = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                given = [node.module]
            for path in sorted({path for name in given for path in _files(folder, name.partition(".")[0])}):
                file = path.relative_to(folder).as_posix()
                if file not in found and file != source.file:
                    found[file] = replace(read(path), file=file)
                    waiting.append(found[file])
    return found


def _files(folder: Path, top: str) -> list[Path]:
    """The files of a module or package, but of those whose place is taken in a project."""
    if top in ("app", "lib", "src", "tests"):
        return []
    package = folder / top
    return (
        [*package.rglob("*.py")]
        if package.is_dir()
        else [row for row in [folder / f"{top}.py"] if row.is_file()]
    )


def _bare(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.Subscript) else node


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _needs(source: Source, statement: ast.stmt, edits: tuple[Edit, ...]) -> set[str]:
    begin, end = lines_of(source, statement)
    return names(ast.parse(edited(source, begin, end, edits)).body)


def _text(
    source: Source,
    kept: list[ast.stmt],
    needs: Mapping[int, set[str]],
    homes: Mapping[str, Import],
    beside: frozenset[str],
    edits: tuple[Edit, ...],
) -> str:
    """The module's text; empty if nothing is kept."""
    if not kept:
        return ""
    used = {name for row in kept for name in needs[id(row)]}
    imports = {
        name: home
        for name, home in homes.items()
        if name in used and home.module != f"lib.{source.file.removesuffix('.py')}"
    }
    parts = []
    before: ast.stmt | None = None
    for row in kept:
        begin, end = lines_of(source, row)
        apart = "\n" if before is not None and not (_is_block(before) or _is_block(row)) else "\n\n\n"
        if (
            apart == "\n"
            and before is not None
            and b"\n\n" in source.data[lines_of(source, before)[1] : begin]
        ):
            apart = "\n\n"
        parts += [apart if before is not None else "", edited(source, begin, end, edits).strip("\n")]
        before = row
    documented = ast.get_docstring(source.tree, clean=False)
    docstring = "" if documented is None else source.segment(source.tree.body[0]) + "\n\n"
    head = rendered(
        imports, local=beside, future="from __future__ import annotations" in source.data.decode()
    )
    gap = "\n\n" if head and _is_block(kept[0]) else "\n" if head else ""
    return docstring + head + gap + "".join(parts) + "\n"


def _is_block(statement: ast.stmt) -> bool:
    return is_function(statement) or isinstance(statement, ast.ClassDef)
