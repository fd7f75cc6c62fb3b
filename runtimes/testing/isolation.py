"""What a client changes in the process of the tests, and undoes at its end: variables, import path, modules."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def variables(found: Mapping[str, str], given: Mapping[str, str]) -> Iterator[None]:
    """Have environment variables: those `found` in files where the process has none, and all that are `given`."""
    wanted = {**{name: value for name, value in found.items() if name not in os.environ}, **given}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def modules(root: Path, import_root: str) -> Iterator[None]:
    """Have the project's modules importable. Those imported meanwhile are forgotten; what was there before stays."""
    before = set(sys.modules)
    folders = list(dict.fromkeys((str(root / import_root), str(root))))
    sys.path[:0] = folders
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(folder)
        for name in set(sys.modules) - before:
            if _is_below(root, sys.modules[name]):
                _forget(name)


def _forget(name: str) -> None:
    module = sys.modules.pop(name)
    package, _, last = name.rpartition(".")
    # `from package import module` looks at the package first
    if package in sys.modules and getattr(sys.modules[package], last, None) is module:
        delattr(sys.modules[package], last)


def _is_below(root: Path, module: ModuleType) -> bool:
    """Whether a module is the project's own; an environment below the project's folder is not."""
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    return any(
        Path(place).is_relative_to(root) and "site-packages" not in Path(place).parts
        for place in places
        if place
    )
