"""Data files that a module reads by a path that its source spells out, so that nobody has to list them.

Paths count from the project's root, which is the artifact's root and the working folder on Lambda too, or from
`__file__`. A path that is computed (`folder / name`) is not known here: `files` in the route or `include` in the
project says what it may be.
"""

import ast
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from packager.branches import Platform, walk
from packager.diagnostics import Diagnostic, in_order
from packager.edge_rules.names import Names, assigned, lookup, meaning, names_of
from packager.imports import Reach, locate
from packager.include import below, is_secret
from packager.model import Project
from packager.sources import Source, column, read

_TASK_ROOT = "/var/task"
"""The artifact's root on Lambda; here it stands for the project's root, wherever that is."""

_MAX_DEPTH = 40
_READERS = frozenset(
    (
        *("builtins.open", "io.open", "io.open_code", "io.FileIO", "codecs.open", "os.open", "os.stat"),
        *(
            "aiofiles.open",
            "anyio.open_file",
            "gzip.open",
            "bz2.open",
            "lzma.open",
            "tarfile.open",
            "wave.open",
        ),
        *("zipfile.ZipFile", "sqlite3.connect", "linecache.getline", "linecache.getlines", "fileinput.input"),
        *(
            "os.path.exists",
            "os.path.isfile",
            "os.path.getsize",
            "logging.config.fileConfig",
            "runpy.run_path",
        ),
        *("starlette.responses.FileResponse", "numpy.load", "numpy.loadtxt", "numpy.genfromtxt"),
        *("pandas.read_csv", "pandas.read_excel", "pandas.read_json", "pandas.read_parquet"),
    )
)
"""Calls whose first argument is the name of a file that is read."""

_LISTERS = frozenset(
    (
        *("os.listdir", "os.scandir", "os.walk", "shutil.copytree", "starlette.staticfiles.StaticFiles"),
        *(
            "starlette.templating.Jinja2Templates",
            "jinja2.FileSystemLoader",
            "jinja2.loaders.FileSystemLoader",
        ),
    )
)
"""Calls whose first argument is a folder, of which any file may be read."""

_FIRST = frozenset(("database", "directory", "file", "filename", "filepath_or_buffer", "path", "searchpath"))
"""What the first argument is called where it is given by name."""

_LISTING_METHODS = frozenset(("glob", "iterdir", "rglob", "walk"))
_PATH_TYPES = frozenset(f"pathlib.{name}" for name in ("Path", "PosixPath", "PurePath", "PurePosixPath"))
_HERE = frozenset(("pathlib.Path.cwd", "os.getcwd"))
_SAME = frozenset(("builtins.str", "os.fspath", "os.path.abspath", "os.path.normpath", "os.path.realpath"))
_SAME_METHODS = frozenset(("absolute", "as_posix", "expanduser", "resolve"))
_RESOURCES = frozenset(
    (
        *("importlib.resources.open_binary", "importlib.resources.open_text", "importlib.resources.path"),
        *("importlib.resources.read_binary", "importlib.resources.read_text", "pkgutil.get_data"),
    )
)

_TABLES = (_READERS, _LISTERS, _PATH_TYPES, _HERE, _RESOURCES)
_WORDS = {"__file__", "files", "path", *(name.rpartition(".")[2] for table in _TABLES for name in table)}
_WORTH_READING = re.compile(rf"\b(?:{'|'.join(sorted(_WORDS))})\b")
"""A source without any of these words reads nothing by a literal path, and need not be walked."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What reached modules read. Names are relative to the project (POSIX), sorted.

    `files` are there; `watched` are those and the ones that are spelled out and not there (yet): if one comes
    or goes, the artifact changes. `refused` are warnings: files that are never put into an artifact.
    """

    files: tuple[str, ...]
    watched: tuple[str, ...]
    refused: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """One path in a source; with `folder`, all that is below it is read."""

    path: str
    node: ast.expr
    folder: bool


def traced(project: Project, found: Reach, platform: Platform) -> Traced:
    """The data files that the project's modules in `found` read by literal paths on the platform."""
    files: set[str] = set()
    watched: set[str] = set()
    refused: list[Diagnostic] = []
    for file in found.files:
        source = read(project.root, file)
        if not isinstance(source, Source) or not _WORTH_READING.search("\n".join(source.lines)):
            continue
        for item in _reads(source, platform, project.root, project.import_root):
            if is_secret(item.path):
                refused.append(_refusal(source, item))
            elif item.folder:
                listed = _listed(project, item.path)
                files |= listed
                watched |= listed
            elif not (project.root / item.path).is_dir():
                watched.add(item.path)
                if _is_ours(project, item.path):
                    files.add(item.path)
    return Traced(tuple(sorted(files)), tuple(sorted(watched)), in_order(refused))


def _is_ours(project: Project, path: str) -> bool:
    """True for a file of the project; a link may lead to another one that is no secret."""
    whole = project.root / path
    if not whole.is_file():
        return False
    real = whole.resolve()
    return real.is_relative_to(project.root) and not is_secret(real.relative_to(project.root).as_posix())


def _listed(project: Project, path: str) -> set[str]:
    """The data files in a folder; modules are reached by imports or not at all."""
    if path == project.import_root or not (project.root / path).is_dir():
        return set()
    names = (name for name in below(project.root, path) if not name.endswith(".py"))
    return {name for name in names if _is_ours(project, name)}


def _refusal(source: Source, item: _Read) -> Diagnostic:
    return Diagnostic(
        "secret-file",
        source.file,
        item.node.lineno,
        column(source, item.node),
        f"{item.path} is read here, and is never put into an artifact",
        "Declare variables and secrets under [tool.packager.environment] and read them from os.environ.",
        "warning",
    )


@lru_cache(maxsize=4096)
def _reads(source: Source, platform: Platform, root: Path, import_root: str) -> tuple[_Read, ...]:
    literals = _Literals(source.file, names_of(source), root, import_root)
    found: dict[tuple[str, bool], _Read] = {}
    for node, _, _, _ in walk(source.tree, platform):
        for text, folder in _paths(node, literals):
            path = posixpath.normpath(posixpath.join(_TASK_ROOT, text))
            relative = path.removeprefix(f"{_TASK_ROOT}/")
            if relative not in (path, source.file) and isinstance(node, ast.expr):
                found.setdefault((relative, folder), _Read(relative, node, folder))
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class _Literals:
    """What it takes to tell the path that an expression of one source means."""

    file: str
    names: Names
    root: Path
    import_root: str


def _paths(node: ast.AST, literals: _Literals) -> Iterator[tuple[str, bool]]:
    """The paths that a node itself reads, each with whether it is a folder to be listed.

    An expression that makes a path counts wherever it stands: who reads it may be far away.
    """
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        yield from ((text, False) for text in _known(node, literals))
    if not isinstance(node, ast.Call):
        return
    name = meaning(literals.names, node.func)
    if name in _READERS:
        yield from ((text, False) for text in _known(_first(node), literals) if not _writes(node))
    elif name in _LISTERS:
        yield from ((text, True) for text in _known(_first(node), literals))
    elif isinstance(node.func, ast.Attribute) and node.func.attr in _LISTING_METHODS:
        yield from ((text, True) for text in _known(node.func.value, literals))
    elif name not in _SAME:
        yield from ((text, False) for text in _known(node, literals))


def _known(node: ast.expr | None, literals: _Literals) -> tuple[str, ...]:
    text = None if node is None else _text(node, literals, 0)
    return () if text is None else (text,)


def _first(node: ast.Call) -> ast.expr | None:
    if node.args:
        return node.args[0]
    return next((item.value for item in node.keywords if item.arg in _FIRST), None)


def _writes(node: ast.Call) -> bool:
    modes = [*node.args[1:2], *(item.value for item in node.keywords if item.arg == "mode")]
    return any(isinstance(item, ast.Constant) and str(item.value)[:1] in {"w", "x", "a"} for item in modes)


def _text(node: ast.expr, literals: _Literals, depth: int) -> str | None:
    """The path that an expression means, from `_TASK_ROOT` on if it is absolute; None if it is not known."""
    if depth > _MAX_DEPTH:
        return None
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name():
            return _named(node, literals, depth)
        case ast.NamedExpr(value=value) | ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return _text(value, literals, depth + 1)
        case ast.JoinedStr(values=parts):
            return _concatenated(parts, literals, depth)
        case ast.BinOp(op=ast.Add() | ast.Div() as operator, left=left, right=right):
            combined = _concatenated if isinstance(operator, ast.Add) else _joined
            return combined([left, right], literals, depth)
        case ast.Attribute(value=value, attr="parent"):
            return _above(value, 1, literals, depth)
        case ast.Subscript(
            value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int(up))
        ):
            return _above(value, up + 1, literals, depth) if up >= 0 else None
        case ast.Call():
            return _called(node, literals, depth)
    return None


def _named(node: ast.Name, literals: _Literals, depth: int) -> str | None:
    if node.id == "__file__" and lookup(literals.names, node) is None:
        return f"{_TASK_ROOT}/{literals.file}"
    value = assigned(literals.names, node)
    return None if value is None else _text(value, literals, depth + 1)


def _concatenated(parts: Sequence[ast.expr], literals: _Literals, depth: int) -> str | None:
    texts = [_text(item, literals, depth + 1) for item in parts]
    known = [item for item in texts if item is not None]
    return "".join(known) if len(known) == len(texts) else None


def _called(node: ast.Call, literals: _Literals, depth: int) -> str | None:
    name = meaning(literals.names, node.func)
    if name in _HERE:
        return _TASK_ROOT
    if name in _PATH_TYPES or name == "os.path.join":
        return _joined(node.args, literals, depth)
    if name in _SAME and node.args:
        return _text(node.args[0], literals, depth + 1)
    if name == "os.path.dirname" and node.args:
        return _above(node.args[0], 1, literals, depth)
    if name == "importlib.resources.files":
        return _package(node.args[0] if node.args else None, literals)
    if name in _RESOURCES and len(node.args) > 1:
        folder, file = _package(node.args[0], literals), _text(node.args[1], literals, depth + 1)
        return None if folder is None or file is None else posixpath.join(folder, file)
    if isinstance(node.func, ast.Attribute):
        return _method(node.func, node.args, literals, depth)
    return None


def _method(
    function: ast.Attribute, given: Sequence[ast.expr], literals: _Literals, depth: int
) -> str | None:
    """What a method of a path gives."""
    if function.attr == "joinpath":
        return _joined([function.value, *given], literals, depth)
    path = _text(function.value, literals, depth + 1)
    if path is None or function.attr in _SAME_METHODS:
        return path
    changed = _text(given[0], literals, depth + 1) if given else None
    if changed is None:
        return None
    match function.attr:
        case "with_name":
            return posixpath.join(posixpath.dirname(path), changed)
        case "with_suffix":
            return posixpath.splitext(path)[0] + changed
        case "with_stem":
            return posixpath.join(posixpath.dirname(path), changed + posixpath.splitext(path)[1])
    return None


def _joined(parts: Sequence[ast.expr], literals: _Literals, depth: int) -> str | None:
    texts = [_text(item, literals, depth + 1) for item in parts]
    known = [item for item in texts if item is not None]
    return posixpath.join(*known) if known and len(known) == len(texts) else None


def _above(node: ast.expr, levels: int, literals: _Literals, depth: int) -> str | None:
    path = _text(node, literals, depth + 1)
    for _ in range(levels if path is not None else 0):
        path = posixpath.dirname(posixpath.normpath(path or ""))
    return path


def _package(node: ast.expr | None, literals: _Literals) -> str | None:
    """The folder of a package of the project, named in a text or by what was imported."""
    match node:
        case None | ast.Name(id="__name__" | "__package__"):
            return f"{_TASK_ROOT}/{posixpath.dirname(literals.file)}"
        case ast.Constant(value=str(name)):
            dotted: str | None = name
        case _:
            dotted = meaning(literals.names, node)
    if not dotted:
        return None
    found = locate(literals.root, literals.import_root, dotted.split("."))
    folder = posixpath.join(_TASK_ROOT, literals.import_root, *dotted.split("."))
    is_package = found.namespace or (found.files and found.files[-1].endswith("/__init__.py"))
    return folder if found.complete and is_package else None
