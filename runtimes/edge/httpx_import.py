"""Makes httpx work on edge from the moment a project imports it; a project that does not pays nothing."""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Watch(MetaPathFinder):
    """Stands before the other finders until httpx is imported."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "httpx":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _replace()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install_httpx() -> None:
    """Let httpx's async client send by the host, now if httpx is loaded, else once it is."""
    if "httpx" in sys.modules:
        _replace()
    else:
        sys.meta_path.insert(0, _Watch())


def _replace() -> None:
    from runtimes.httpx_transport import replace_default  # noqa: PLC0415 - imports httpx

    replace_default()
