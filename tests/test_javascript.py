"""The worker's JavaScript: its own tests under `node --test`, its types under `tsc`."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from packager import node, pyodide
from packager.cache import cache_dir

pytestmark = pytest.mark.long

PROJECT = Path(__file__).parents[1]


def test_the_javascript_tests_pass() -> None:
    words = [str(node.node()), "--test", *map(str, sorted((PROJECT / "tests" / "js").glob("*.test.mjs")))]
    done = subprocess.run(words, cwd=PROJECT, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_javascript_types_hold(tmp_path: Path) -> None:
    tools = typescript() / "node_modules"
    packages = pyodide.fetch(print) / "node_modules"
    # Where the packages are is known to nobody but the caches.
    types = {
        "acorn": "dist/acorn.d.mts",
        "aws4fetch": "dist/main.d.ts",
        "esbuild": "lib/main.d.ts",
        "terser": "tools/terser.d.ts",
    }
    paths = {name: [str(packages / name / file)] for name, file in types.items()}
    settings = json.loads((PROJECT / "tsconfig.json").read_text())
    settings["include"] = [str(PROJECT / pattern) for pattern in settings["include"]]
    settings["compilerOptions"] |= {"typeRoots": [str(tools / "@types")], "paths": paths}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    words = [str(node.node()), str(tools / "typescript" / "bin" / "tsc"), "-p", str(tmp_path)]
    done = subprocess.run(words, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def typescript() -> Path:
    """The folder with the packages of the project's own lock; downloaded once, as Pyodide is."""
    lock = (PROJECT / "package-lock.json").read_bytes()
    folder = cache_dir() / f"development-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.is_dir():
        cache_dir().mkdir(parents=True, exist_ok=True)
        node.install(PROJECT, folder)
    return folder
