"""`pyodide-lock.json`: what an edge artifact holds, in the format of Pyodide's own tools."""

import json
from collections.abc import Iterable

from packager.model import Distribution
from packager.resolve import PYODIDE_PYTHON, PYODIDE_TAG

EMSCRIPTEN = "5.0.3"
"""What Pyodide 314 is compiled with, as its own lock file says."""

_ABI = PYODIDE_TAG.removeprefix("pyemscripten_").removesuffix("_wasm32")


def edge_lock(distributions: Iterable[Distribution]) -> bytes:
    """The lock file of an artifact with exactly these distributions. Equal distributions give equal bytes."""
    from pyodide_lock import InfoSpec, PackageSpec, PyodideLockSpec  # noqa: PLC0415 - 120 ms

    rows = sorted(distributions, key=lambda row: row.wheel.name)
    there = {row.wheel.name for row in rows}
    packages = {
        row.wheel.name: PackageSpec(
            name=row.wheel.name,
            version=row.wheel.version,
            file_name=row.wheel.filename,
            install_dir="site",
            sha256=row.wheel.sha256,
            imports=list(row.modules),
            depends=[name for name in row.requires if name in there],
        )
        for row in rows
    }
    info = InfoSpec(
        platform=f"emscripten_{EMSCRIPTEN.replace('.', '_')}", python=PYODIDE_PYTHON, abi_version=_ABI
    )
    document = PyodideLockSpec(info=info, packages=packages).to_dict()
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
