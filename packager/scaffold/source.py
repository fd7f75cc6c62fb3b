"""A source file as text with a tree: what is moved keeps its comments and its form, but for the places that change."""

import ast
import io
import textwrap
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from packager.errors import ProjectError, UsageError

type Function = ast.FunctionDef | ast.AsyncFunctionDef
type Edit = tuple[int, int, str]
"""Bytes from, up to, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Source:
    """A Python file. `starts` are the offsets of its lines, in bytes."""

    file: str
    data: bytes
    tree: ast.Module
    starts: tuple[int, ...]

    def place(self, node: ast.AST) -> str:
        return f"{self.file}:{getattr(node, 'lineno', 1)}"

    def segment(self, node: ast.expr | ast.stmt) -> str:
        """The text of a node."""
        begin, end = span(self, node)
        return self.data[begin:end].decode()


def read(path: Path) -> Source:
    """The file at `path`. Raises `UsageError` if it cannot be read, `ProjectError` if it is not Python."""
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint="Give the file that makes the app."
        ) from error
    try:
        tree = ast.parse(data, filename=path.name)
        data.decode()
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ProjectError(
            f"this is not Python: {getattr(error, 'msg', error)}",
            place=f"{path.name}:{line}",
            hint="Mend the line; the file is read, never run.",
        ) from error
    starts = [0]
    for line in data.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    return Source(path.name, data, tree, tuple(starts))


def span(source: Source, node: ast.expr | ast.stmt | ast.arg | ast.keyword) -> tuple[int, int]:
    """Where a node stands, in bytes."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return (
        source.starts[node.lineno - 1] + node.col_offset,
        source.starts[node.end_lineno - 1] + node.end_col_offset,
    )


def edited(source: Source, begin: int, end: int, edits: Iterable[Edit]) -> str:
    """The text between two offsets with those of the edits made that lie there; an outer one wins."""
    parts, at = [], begin
    for first, last, text in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if first < at or last > end:
            continue
        parts += [source.data[at:first].decode(), text]
        at = last
    parts.append(source.data[at:end].decode())
    return "".join(parts)


def lines_of(source: Source, statement: ast.stmt) -> tuple[int, int]:
    """The offsets of a top-level statement's lines, with the comments right above it and its decorators."""
    first = min([statement.lineno, *(row.lineno for row in getattr(statement, "decorator_list", ()))])
    texts = source.data.split(b"\n")
    while first > 1 and texts[first - 2].lstrip().startswith(b"#") and texts[first - 2][:1] == b"#":
        first -= 1
    assert statement.end_lineno is not None
    return source.starts[first - 1], source.starts[statement.end_lineno] - 1


def body_of(source: Source, function: Function, edits: Iterable[Edit]) -> tuple[str, str]:
    """The docstring and the rest of a function's body as texts, indented as there; each may be empty."""
    statements = function.body
    documented = ast.get_docstring(function, clean=False) is not None
    head = statements[0].end_lineno if documented else _colon_line(source, function)
    assert head is not None
    docstring = ""
    if documented:
        begin, end = span(source, statements[0])
        docstring = "    " + source.data[begin:end].decode()
    last = statements[-1].end_lineno
    assert last is not None
    if statements[0].lineno == function.lineno:
        begin, _ = span(source, statements[0])
        return "", "    " + edited(source, begin, source.starts[last] - 1, edits)
    if last <= head:
        return docstring, ""
    rest = edited(source, source.starts[head], source.starts[last] - 1, edits)
    return docstring, rest.strip("\n")


def _colon_line(source: Source, function: Function) -> int:
    """The line of the colon that ends a function's head."""
    text = source.data[source.starts[function.lineno - 1] :]
    depth = 0
    for token in tokenize.tokenize(io.BytesIO(text).readline):
        if token.string in ("(", "[", "{"):
            depth += 1
        elif token.string in (")", "]", "}"):
            depth -= 1
        elif token.string == ":" and depth == 0:
            return function.lineno + token.start[0] - 1
    raise AssertionError


def indented(text: str, source: Source, function: Function) -> str:
    """`text`, a function's body, one step deeper; raises `ValueError` if it has texts of several lines."""
    for node in own_nodes(function):
        several = getattr(node, "end_lineno", 0) != getattr(node, "lineno", 0)
        if (
            isinstance(node, ast.Constant | ast.JoinedStr)
            and several
            and node is not _documentation(function)
        ):
            raise ValueError(source.place(node))
    return textwrap.indent(text, "    ")


def _documentation(function: Function) -> ast.AST | None:
    first = function.body[0]
    return first.value if isinstance(first, ast.Expr) else None


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function's body without those of functions and classes in it."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def is_function(node: ast.AST | None) -> TypeGuard[Function]:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def loads(nodes: Iterable[ast.AST]) -> set[str]:
    """Every name that is read in the nodes, whatever it stands for there."""
    return {
        inner.id
        for node in nodes
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Store)
    }


def names(nodes: Iterable[ast.AST]) -> set[str]:
    """Every name that is read in the nodes and is no variable of a function there; quoted annotations count."""
    found: set[str] = set()
    for node in nodes:
        found |= _free(node)
    return found


def _free(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Store) else {node.id}
    found = names(ast.iter_child_nodes(node))
    if is_function(node):
        outside = names([*node.decorator_list, node.args, *([node.returns] if node.returns else [])])
        quoted = set() if node.returns is None else _quoted(node.returns)
        return (names(node.body) - _locals(node)) | outside | quoted
    if isinstance(node, ast.Lambda):
        return found - {row.arg for row in ast.walk(node.args) if isinstance(row, ast.arg)}
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return found - _stored(node.generators)
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
        return found | _quoted(node.annotation)
    return found


def _locals(function: Function) -> set[str]:
    arguments = {row.arg for row in ast.walk(function.args) if isinstance(row, ast.arg)}
    nodes = list(own_nodes(function))
    inner = {row.name for row in nodes if is_function(row) or isinstance(row, ast.ClassDef)}
    shared = {name for row in nodes if isinstance(row, ast.Global) for name in row.names}
    return (arguments | inner | _stored(nodes)) - shared


def _stored(nodes: Iterable[ast.AST]) -> set[str]:
    return {
        inner.id
        for node in nodes
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    }


def _quoted(annotation: ast.expr) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(annotation):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                found |= {
                    inner.id
                    for inner in ast.walk(ast.parse(node.value, mode="eval"))
                    if isinstance(inner, ast.Name)
                }
            except SyntaxError:
                continue
    return found


def bound(statement: ast.stmt) -> set[str]:
    """The names that a top-level statement binds."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {(alias.asname or alias.name).partition(".")[0] for alias in aliases}
        case ast.TypeAlias(name=ast.Name(id=name)):
            return {name}
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif is_function(node) or isinstance(node, ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return found


def dotted(node: ast.AST | None) -> str:
    """`a.b.c` of names and attributes; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            inner = dotted(value)
            return f"{inner}.{attr}" if inner else ""
    return ""
