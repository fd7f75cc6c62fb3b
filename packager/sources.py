"""Reading Python sources: bytes in, a syntax tree or a diagnostic out. Nothing is imported or executed."""

import ast
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packager.diagnostics import Diagnostic

type Node = ast.expr | ast.stmt | ast.excepthandler | ast.alias | ast.pattern
"""A node that knows its place."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A source file that compiles. `file` is relative to the project; `lines` are its text without line ends."""

    file: str
    lines: tuple[str, ...]
    tree: ast.Module


def read(root: Path, file: str) -> Source | Diagnostic:
    """Parse `file` below `root`; a `syntax-error` diagnostic if Python would refuse it or it cannot be read.

    What counts is `compile()`, which refuses more than the parser does (`await` outside a function). A file
    is parsed once in a process as long as its time and size stay.
    """
    path = root / file
    try:
        state = path.stat()
        return _parsed(path, file, state.st_mtime_ns, state.st_size)
    except OSError as error:
        return _refused(file, 1, 1, f"the file cannot be read: {error.strerror or error}")


def column(source: Source, node: Node) -> int:
    """The column of a node in characters, from 1; the syntax tree counts bytes of UTF-8."""
    line = source.lines[node.lineno - 1] if node.lineno <= len(source.lines) else ""
    return len(line.encode()[: node.col_offset].decode("utf-8", "ignore")) + 1


@lru_cache(maxsize=4096)
def _parsed(path: Path, file: str, _modified: int, _size: int) -> Source | Diagnostic:
    data = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data, file)
            compile(tree, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        return _refused(file, error.lineno or 1, max(error.offset or 1, 1), error.msg)
    except (MemoryError, RecursionError):
        return _refused(file, 1, 1, "the code is nested too deeply for Python's compiler")
    except ValueError as error:
        return _refused(file, 1, 1, str(error))
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return Source(file, tuple(text.split("\n")), tree)


def _refused(file: str, line: int, column: int, reason: str) -> Diagnostic:
    return Diagnostic(
        "syntax-error", file, line, column, reason, "Python refuses the file here; mend it first."
    )
