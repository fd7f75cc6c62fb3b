"""What the modules of a wheel say of other modules: their imports, and every text that could be a module's name.

A wheel in the store never changes, so what was read of it is kept.
"""

import ast
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

from packager.branches import walk
from packager.cache import cache_dir, derived_dir

_TOKEN = re.compile(r"[\w.]+")
_NAME = re.compile(r"\.*[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_BEGINNING = re.compile(r"[^\W\d]\w*(?:\.\w*)*\.\w*(?<=[._])")
_NATIVE_TOKEN = re.compile(rb"[A-Za-z_][\w.]{2,}")
# It goes through folders, leaves its imports to stubs, or imports by a name that is not spelled out.
_OPEN = re.compile(
    rb"\b(?:iter_modules|walk_packages|attach_stub|spec_from_file_location|run_path|run_module)\b"
    rb"""|\b(?:import_module|__import__)\s*\((?!\s*(?:[rf]?["'][A-Za-z_][\w.]*\.|r?["'][\w.]+["']\s*[,)]))"""
)


@dataclass(frozen=True, slots=True)
class Module:
    """One module, its names of others absolute and dotted.

    `eager` are what it imports while it is imported, `lazy` what its functions do; `from a import b` gives `a` and
    `a.b`, of which one may be no module. `texts` could name modules or, with a dot or underscore at the end, begin
    such a name. `attributes` are what a `__getattr__` of the module may import for a name (PEP 562). Without the
    top-level modules `needs` it cannot be imported.
    """

    eager: tuple[str, ...] = ()
    lazy: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WheelModules:
    """The modules of a wheel by file, relative to its folder.

    `roots` may be imported though no code says so: entry points, and what compiled modules name. `open`: code of the
    wheel imports modules by names that cannot be known, so any of its own may be meant.
    """

    modules: dict[str, Module]
    roots: tuple[str, ...] = ()
    open: bool = False


def name_of(file: str) -> str:
    """The dotted name of a module's file.

    >>> name_of("pkg/__init__.py"), name_of("pkg/x.py")
    ('pkg', 'pkg.x')
    """
    parts = file.removesuffix(".py").split("/")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@lru_cache(maxsize=1024)
def modules_of(folder: Path, package: str = "") -> WheelModules:
    """The modules of the unpacked wheel `folder`, or of the folder of a `package`."""
    files = {f"{package}/{name}".lstrip("/"): path for name, path in _sources(folder).items()}
    key = folder.name if folder.parent == cache_dir() / "wheels" else _hash(files)
    kept = derived_dir() / "modules" / f"{key}-{_reader()}.json"
    try:
        return _from_json(kept.read_text(encoding="utf-8"))
    except FileNotFoundError:
        found = _read(folder, files)
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        # by renaming: another process may read it at this moment
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(asdict(found)), encoding="utf-8")
        fresh.replace(kept)
    return found


def module_of(file: str, source: bytes, beside: frozenset[str]) -> Module | None:
    """What the source of the module `file` says; None if it is no Python.

    `beside` are the last parts of the names of modules that a text without a dot may mean.
    """
    try:
        tree = ast.parse(source)
        # Optimised so far that no docstrings are left, which name much and import nothing.
        code = compile(tree, file, "exec", dont_inherit=True, optimize=2)
    except (SyntaxError, ValueError, RecursionError):
        return None
    name = name_of(file)
    package = name if file.endswith("__init__.py") else name.rpartition(".")[0]
    statements = walk(tree, None, functions=False)
    eager = dict.fromkeys(row for node, *_ in statements for row in _imported(node, package))
    lazy = dict.fromkeys(row for node in _within_functions(tree.body) for row in _imported(node, package))
    return Module(
        eager=tuple(eager),
        lazy=tuple(row for row in lazy if row not in eager),
        texts=tuple(sorted(_names_in(_texts(code), package, beside))),
        attributes=_attributes(tree, package),
        needs=tuple(sorted(set(_needs(tree)))),
    )


@lru_cache(maxsize=1)
def _reader() -> str:
    """What the kept files depend on beside the wheel."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]


def _sources(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.py"))}


def _hash(files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256()
    for file, path in files.items():
        digest.update(f"{file}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _read(folder: Path, files: Mapping[str, Path]) -> WheelModules:
    names = frozenset(map(name_of, files))
    beside = frozenset(name.rpartition(".")[2] for name in names)
    modules: dict[str, Module] = {}
    is_open = False
    for file, path in files.items():
        source = path.read_bytes()
        is_open = is_open or _OPEN.search(source) is not None
        found = module_of(file, source, beside)
        if found is not None:
            modules[file] = found
    roots = {*_entry_points(folder), *_named_by_compiled(folder, names)}
    return WheelModules(modules, tuple(sorted(roots)), is_open)


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (item.name for item in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            parts = package.split(".")[: package.count(".") + 2 - level] if level else []
            base = ".".join(filter(None, (*parts, module)))
            yield from (base, *(f"{base}.{item.name}" for item in names))


def _within_functions(body: Sequence[ast.stmt], *, inside: bool = False) -> Iterator[ast.stmt]:
    """The statements that run later than the module, but for those that only type checkers read."""
    for node in body:
        if inside:
            yield node
        later = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for name in () if typing else ("body", "handlers", "cases", "finalbody"):
            for item in getattr(node, name, ()):
                inner = item.body if isinstance(item, ast.ExceptHandler | ast.match_case) else [item]
                yield from _within_functions(inner, inside=later)
        yield from _within_functions(getattr(node, "orelse", ()), inside=later)


def _texts(code: CodeType) -> Iterator[str]:
    waiting: list[Any] = [code]
    while waiting:
        item = waiting.pop()
        if isinstance(item, CodeType):
            waiting += item.co_consts
        elif isinstance(item, tuple | frozenset):
            waiting += item
        elif isinstance(item, str):
            yield item


def _names_in(texts: Iterator[str], package: str, beside: frozenset[str]) -> Iterator[str]:
    tokens = {token for text in texts for token in _TOKEN.findall(text)}
    for token in tokens:
        word = token.removesuffix(".py")
        if word.startswith("."):
            if _NAME.fullmatch(word):
                yield f"{package}.{word.lstrip('.')}"
        elif "." in word:
            if _NAME.fullmatch(word) or _BEGINNING.fullmatch(word):
                yield word
        elif word in beside:
            yield word


def _attributes(tree: ast.Module, package: str) -> dict[str, tuple[str, ...]]:
    """By name, what the dictionaries of a module with a `__getattr__` say of it."""
    if not any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body):
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Dict):
            continue
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                continue
            texts = (getattr(part, "value", None) for part in ast.walk(value))
            names = [text for text in texts if isinstance(text, str) and _NAME.fullmatch(text)]
            found[key.value] = tuple(
                f"{package}.{text.lstrip('.')}" if text.startswith(".") else text for text in names
            )
    return found


def _needs(tree: ast.Module) -> Iterator[str]:
    """The top-level modules that the module imports whatever else happens."""
    for node in tree.body:
        match node:
            case ast.Import(names=names):
                yield from (item.name.partition(".")[0] for item in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]


def _entry_points(folder: Path) -> Iterator[str]:
    """The modules that a distribution offers to others, which ask for them by the name of a group."""
    import configparser  # noqa: PLC0415 - most wheels have none

    for path in folder.glob("*.dist-info/entry_points.txt"):
        reader = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
        with suppress(configparser.Error, UnicodeDecodeError):
            reader.read_string(path.read_text(encoding="utf-8"))
        for group in reader.sections():
            if group not in {"console_scripts", "gui_scripts"}:
                yield from (value.partition(":")[0].strip() for _, value in reader.items(group))


def _named_by_compiled(folder: Path, names: frozenset[str]) -> set[str]:
    """The modules of a wheel that its compiled ones may import, by their full names or the last part of them."""
    found: set[str] = set()
    for path in (*folder.rglob("*.so"), *folder.rglob("*.so.*")):
        tokens = {token.decode() for token in _NATIVE_TOKEN.findall(path.read_bytes())}
        found.update(name for name in names if name in tokens or name.rpartition(".")[2] in tokens)
    return found


def _from_json(text: str) -> WheelModules:
    document = json.loads(text)
    return WheelModules(
        modules={file: _module(**row) for file, row in document["modules"].items()},
        roots=tuple(document["roots"]),
        open=document["open"],
    )


def _module(attributes: dict[str, list[str]], **names: list[str]) -> Module:
    return Module(
        attributes={name: tuple(values) for name, values in attributes.items()},
        **{key: tuple(map(sys.intern, values)) for key, values in names.items()},
    )
