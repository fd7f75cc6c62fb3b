"""Requests to a project's routes from its tests, in their process: `from runtimes.testing import Client`.

Nothing in here is part of an artifact.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtimes.testing.client import Client
    from runtimes.testing.project import ProjectFaultError

__all__ = ["Client", "ProjectFaultError"]


def __getattr__(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415 - what pytest loads with every run stays small

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "runtimes.testing.client" if name == "Client" else "runtimes.testing.project"
    value = globals()[name] = getattr(import_module(home), name)
    return value
