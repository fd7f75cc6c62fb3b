"""The JavaScript of the edge worker as it is shipped: one file for each of its parts."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from packager import node, pyodide
from packager.cache import cache_dir
from packager.errors import ToolError

SCRIPTS = ("worker.mjs", "serve.mjs", "child.cjs")
"""What every worker's folder holds; beside them each target has an entry of its own."""
ENTRIES = ("lambda_edge.mjs", "regional.mjs", "web_function.mjs", "web_function_index.cjs")
_BUNDLE = "scripts.mjs"
_FILES = dict.fromkeys((*SCRIPTS, *ENTRIES))


def worker_scripts(source: Path) -> Path:
    """The cached folder with the scripts, made of the modules in `source`. Raises `ToolError` if that fails."""
    modules = sorted(source.glob("*.mjs"))
    digest = hashlib.sha256((pyodide.LOCK_FOLDER / _BUNDLE).read_bytes())
    digest.update((pyodide.LOCK_FOLDER / "package-lock.json").read_bytes())
    for module in modules:
        digest.update(module.name.encode() + module.read_bytes())
    folder = cache_dir() / f"worker-{digest.hexdigest()[:12]}"
    if not pyodide.complete(folder, _FILES):
        packages = pyodide.fetch() / "node_modules"
        with pyodide.scratch() as name:
            area = Path(os.path.realpath(name))
            (area / "scripts").mkdir()
            shutil.copyfile(pyodide.LOCK_FOLDER / _BUNDLE, area / _BUNDLE)
            # Node looks for packages beside the script that imports them.
            (area / "node_modules").symlink_to(packages, target_is_directory=True)
            _bundle(area, source)
            pyodide.publish(area / "scripts", folder, _FILES)
    return folder


def _bundle(area: Path, source: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own Node and our own script
        [str(node.node()), str(area / _BUNDLE), str(source), str(area / "scripts")],
        cwd=area,
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        reason = " ".join(done.stderr.split())[:500] or f"exit status {done.returncode}"
        raise ToolError(
            f"The worker's scripts could not be made: {reason}",
            hint=f"Remove {cache_dir()} and run the command again.",
        )
