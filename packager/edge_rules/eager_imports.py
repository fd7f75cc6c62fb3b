"""The imports that surely run when a file of a distribution is imported, read once for each wheel and kept.

A wheel's files never change, so what was read of them is kept under the wheel's hash; the version below tells
how it was read.
"""

import ast
import json
import os
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from packager.branches import EDGE, walk
from packager.cache import cache_dir
from packager.imports import imported
from packager.model import Distribution

_VERSION = 1
"""Of the format, and of what counts as an import that surely runs."""

type Eager = tuple[str, int, tuple[str, ...], int]
"""Module, leading dots, names, line."""


@dataclass(slots=True)
class EagerImports:
    """The eager imports of one distribution's files, by path relative to its folder, as far as they were asked for."""

    folder: Path
    cache: Path
    known: dict[str, list[Eager]]
    changed: bool = field(default=False)


def opened(distribution: Distribution) -> EagerImports:
    """What is known of a distribution's files so far; a damaged cache counts as none."""
    cache = cache_dir() / "imports" / f"{distribution.wheel.sha256}-{_VERSION}.json"
    try:
        rows = json.loads(cache.read_bytes())
        known = {
            file: [(row[0], row[1], tuple(row[2]), row[3]) for row in imports]
            for file, imports in rows.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        known = {}
    return EagerImports(distribution.folder, cache, known)


def eager_imports(found: EagerImports, file: str) -> list[Eager]:
    """The imports of one file; none if Python refuses it, as files that are only templates."""
    if file not in found.known:
        found.known[file] = _read(found.folder / file)
        found.changed = True
    return found.known[file]


def keep(found: EagerImports) -> None:
    """Write what was read to the cache; another process may do so at the same time, and one of them wins."""
    if not found.changed:
        return
    try:
        found.cache.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=found.cache.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(found.known, file, separators=(",", ":"))
        Path(name).replace(found.cache)
    except OSError:
        return  # a cache that cannot be written only costs time


def _read(path: Path) -> list[Eager]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, MemoryError, RecursionError, OSError):
        return []
    return [
        (module, level, names, place.lineno)
        for node, _, guarded, cause in walk(tree, EDGE, functions=False)
        if not guarded and cause is None
        for place, module, level, names, _ in imported(node)
    ]
