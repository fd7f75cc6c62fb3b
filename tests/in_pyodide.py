"""Python code in the Pyodide of edge artifacts, on the Node that runs them."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packager.node import node
from packager.pyodide import prepare

_DRIVER = Path(__file__).parent / "js" / "run_python.mjs"
_RUNTIME = ("starlette", "anyio", "idna", "python_multipart", "runtimes")


def run(folder: Path, script: str, files: Mapping[str, str], *, runtime: bool = False) -> Any:
    """What `script`, which may await, prints as JSON in its last line, after `files` were put below `/app`.

    `folder` is an empty one to work in. With `runtime`, `runtimes` and what it needs is there too.
    """
    app = folder / "app"
    app.mkdir(parents=True)
    for name, text in files.items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(text, encoding="utf-8")
    for package in _RUNTIME if runtime else ():
        source = Path(str(find_spec(package).origin)).parent  # type: ignore[union-attr]
        shutil.copytree(source, app / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "script.py").write_text(script, encoding="utf-8")
    words = [str(node()), str(_DRIVER), str(prepare(print)), str(folder / "script.py"), str(app)]
    done = subprocess.run(
        words, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
