"""`filesystem-access`: reading and writing files, of which an edge worker has none of its own but `/tmp`."""

import ast
from collections.abc import Iterator

from packager.branches import EDGE, walk
from packager.diagnostics import Diagnostic
from packager.edge_rules.names import PATH, Names, assigned, meaning, names_of
from packager.imports import Reach
from packager.model import Project
from packager.sources import Source, column, read

_CALLS = frozenset(
    (
        *(
            "builtins.open",
            "io.open",
            "io.open_code",
            "io.FileIO",
            "codecs.open",
            "os.open",
            "anyio.open_file",
        ),
        *("os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.mkdir", "os.makedirs", "os.chdir"),
        *("os.remove", "os.unlink", "os.rmdir", "os.removedirs", "os.truncate", "os.readlink", "os.utime"),
        *("os.chmod", "os.chown", "os.mkfifo", "glob.glob", "glob.iglob", "fileinput.input", "shelve.open"),
        *("shutil.rmtree", "shutil.unpack_archive", "shutil.make_archive", "sqlite3.connect"),
        *("logging.FileHandler", "logging.handlers.RotatingFileHandler", "aiofiles.open"),
        *("logging.handlers.TimedRotatingFileHandler", "starlette.responses.FileResponse"),
        "starlette.staticfiles.StaticFiles",
    )
)
_CALLS_OF_TWO = frozenset(
    (
        *("os.rename", "os.renames", "os.replace", "os.link", "os.symlink", "shutil.copy", "shutil.copy2"),
        *("shutil.copyfile", "shutil.copytree", "shutil.move"),
    )
)
_FILES_OR_PATHS = frozenset(
    ("gzip.open", "bz2.open", "lzma.open", "zipfile.ZipFile", "tarfile.open", "wave.open", "tomllib.open")
)
"""These take an open file or buffer as well, so only a name of a file counts."""

_METHODS = frozenset(
    f"{PATH}.{name}"
    for name in (
        *("open", "read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "glob", "rglob", "walk"),
        *("mkdir", "rmdir", "touch", "unlink", "rename", "replace", "symlink_to", "hardlink_to", "chmod"),
        *("readlink", "copy", "copy_into", "move", "move_into"),
    )
)
_MEMORY = ("", ":memory:")
_JOINS = frozenset(("os.path.join", "os.fspath", "pathlib.Path", "pathlib.PosixPath", "builtins.str"))
_MAX_DEPTH = 40
_HINT = (
    "Keep the data in a Python module, a secret or a service; /tmp can be written. A file of [tool.packager] "
    "include is there: say `# packager: allow[filesystem-access]` with the reason on this line. "
    'Or set runtime = "nodejs" in the route.'
)


def filesystem_access(project: Project, found: Reach) -> Iterator[Diagnostic]:
    """Calls in the project's own modules that open, list or change files outside `/tmp`."""
    for file in found.files:
        source = read(project.root, file)
        if isinstance(source, Source):
            for node, name in _accesses(source):
                yield Diagnostic(
                    "filesystem-access",
                    file,
                    node.lineno,
                    column(source, node),
                    f"{name} does not work on edge: a worker has no files but those of the build",
                    _HINT,
                    chain=found.chains[file],
                )


def _accesses(source: Source) -> Iterator[tuple[ast.Call, str]]:
    names = names_of(source)
    for node, _, _, _ in walk(source.tree, EDGE):
        if (
            isinstance(node, ast.Call)
            and (name := meaning(names, node.func))
            and _reaches_out(names, node, name)
        ):
            yield node, name.removeprefix("builtins.").replace(PATH, "Path")


def _reaches_out(names: Names, node: ast.Call, name: str) -> bool:
    given = [*node.args, *(item.value for item in node.keywords)]
    first = given[0] if given else None
    if name in _METHODS:
        return not (isinstance(node.func, ast.Attribute) and _is_temporary(names, node.func.value))
    if name in _CALLS_OF_TWO:
        return not (len(given) > 1 and all(_is_temporary(names, item) for item in given[:2]))
    if name in _FILES_OR_PATHS:
        return first is not None and _is_path(names, first) and not _is_temporary(names, first)
    if name == "sqlite3.connect" and _is_in_memory(names, first):
        return False
    return name in _CALLS and not (first is not None and _is_temporary(names, first))


def _is_in_memory(names: Names, node: ast.expr | None) -> bool:
    text = _text(names, node)
    return text is not None and (text in _MEMORY or (text.startswith("file:") and "memory" in text))


def _is_path(names: Names, node: ast.expr) -> bool:
    return _text(names, node) is not None or meaning(names, node) == PATH


def _text(names: Names, node: ast.expr | None) -> str | None:
    """The text that an expression begins with, if it is one."""
    for _ in range(_MAX_DEPTH):
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
                return text
            case ast.BinOp(op=ast.Add(), left=left):
                node = left
            case ast.Name():
                node = assigned(names, node)
            case _:
                return None
    return None


def _is_temporary(names: Names, node: ast.expr | None) -> bool:
    """True if a path begins with `/tmp`, or was made by `tempfile`."""
    for _ in range(_MAX_DEPTH):
        match node:
            case ast.Constant() | ast.JoinedStr():
                return f"{_text(names, node) or ''}/".startswith("/tmp/")  # noqa: S108
            case ast.BinOp(op=ast.Div() | ast.Add(), left=left):
                node = left
            case ast.Name():
                node = assigned(names, node)
            case ast.Call(func=called, args=arguments):
                name = meaning(names, called)
                if name and name.startswith("tempfile."):
                    return True
                if name in _JOINS and arguments:
                    node = arguments[0]
                elif isinstance(called, ast.Attribute) and name and name.startswith(PATH):
                    node = called.value
                else:
                    return False
            case ast.Attribute(value=value) | ast.Subscript(value=value):
                node = value
            case _:
                return False
    return False
