"""The JavaScript of the edge worker as it is shipped: one file for each of its parts."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from packager import node, pyodide
from packager.cache import cache_dir

SCRIPTS = ("worker.mjs", "serve.mjs", "child.cjs")
"""What every worker's folder holds; beside them each target has an entry of its own."""
ENTRIES = ("lambda_edge.mjs", "regional.mjs", "web_function.mjs", "web_function_index.cjs")
_BUNDLE = "scripts.mjs"
_FILES = dict.fromkeys((*SCRIPTS, *ENTRIES))
_TIMEOUT_SECONDS = 120


def worker_scripts(source: Path, report: Callable[[str], None]) -> Path:
    """The cached folder with the scripts, made of the modules in `source`.

    `report` is as in `pyodide.fetch`. Raises `ToolError` if that fails.
    """
    modules = sorted(source.glob("*.mjs"))
    digest = hashlib.sha256((pyodide.LOCK_FOLDER / _BUNDLE).read_bytes())
    digest.update((pyodide.LOCK_FOLDER / "package-lock.json").read_bytes())
    for module in modules:
        digest.update(module.name.encode() + module.read_bytes())
    folder = cache_dir() / f"worker-{digest.hexdigest()[:12]}"
    if not pyodide.complete(folder, _FILES):
        packages = pyodide.fetch(report) / "node_modules"
        with pyodide.scratch() as name:
            area = Path(name)
            (area / "scripts").mkdir()
            shutil.copyfile(pyodide.LOCK_FOLDER / _BUNDLE, area / _BUNDLE)
            # Node looks for packages beside the script that imports them.
            (area / "node_modules").symlink_to(packages, target_is_directory=True)
            _bundle(area, source)
            pyodide.publish(area / "scripts", folder, _FILES)
    return folder


def _bundle(area: Path, source: Path) -> None:
    node.run(
        area / _BUNDLE,
        [source, area / "scripts"],
        access=None,  # esbuild is a program of its own, and one that may start programs may do anything
        timeout=_TIMEOUT_SECONDS,
        failure="The worker's scripts could not be made",
        hint=f"Remove {cache_dir()} and run the command again.",
    )
