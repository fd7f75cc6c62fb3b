"""`native-extension`: imports of compiled modules that Pyodide cannot load."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from packager.diagnostics import Diagnostic
from packager.imports import Import, Reach
from packager.model import Project

LOADED = (".cpython-314-wasm32-emscripten.so", ".abi3.so", ".so")
"""`importlib.machinery.EXTENSION_SUFFIXES` of Pyodide 314, in the order in which Python tries them."""

_WASM = b"\0asm"
HINT = 'Use a package that is pure Python or has a wheel for Pyodide, or set runtime = "nodejs" in the route.'


def native_extensions(project: Project, found: Reach) -> Iterator[Diagnostic]:
    """Imports of compiled modules in the project's own tree."""
    for item in found.imports:
        file = compiled(project.root / project.import_root, item.module.split("."))
        if file and not item.guarded:
            name = file.relative_to(project.root).as_posix()
            yield at(item, f"{name} is compiled, and edge runs WebAssembly alone")


def is_compiled(project: Project, module: str) -> bool:
    """Whether a module of the project is a compiled one."""
    return compiled(project.root / project.import_root, module.split(".")) is not None


def compiled(folder: Path, parts: Sequence[str]) -> Path | None:
    """The compiled file below `folder` that importing a module, or a package around it, fails at on edge."""
    for count in range(1, len(parts) + 1):
        if not all(parts):
            return None
        path = folder.joinpath(*parts[:count])
        if (path / "__init__.py").is_file():
            continue
        loaded = next((file for end in LOADED if (file := path.with_name(path.name + end)).is_file()), None)
        if loaded:
            return None if is_loaded(loaded) else loaded
        if path.with_name(f"{path.name}.py").is_file():
            return None
        if not path.is_dir():
            return next(
                iter(sorted([*path.parent.glob(f"{path.name}.*so"), *path.parent.glob(f"{path.name}.*pyd")])),
                None,
            )
    return None


def at(item: Import, message: str, chain: tuple[str, ...] = ()) -> Diagnostic:
    """The finding at the project's import that leads to a compiled module."""
    return Diagnostic(
        "native-extension", item.file, item.line, item.column, message, HINT, chain=chain or item.chain
    )


def is_loaded(file: Path) -> bool:
    """Whether Pyodide loads a compiled module: the name has an ending that it knows, the contents are WebAssembly."""
    with file.open("rb") as opened:
        return file.name.endswith(LOADED) and opened.read(4) == _WASM
