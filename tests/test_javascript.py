"""The worker's JavaScript: its own tests under `node --test`, its types under `tsc`."""

import hashlib
import subprocess
from pathlib import Path

from packager import node
from packager.cache import cache_dir

PROJECT = Path(__file__).parents[1]


def test_the_javascript_tests_pass() -> None:
    words = [str(node.node()), "--test", *map(str, sorted((PROJECT / "tests" / "js").glob("*.test.mjs")))]
    done = subprocess.run(words, cwd=PROJECT, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_javascript_types_hold(tmp_path: Path) -> None:
    tools = typescript() / "node_modules"
    words = [str(node.node()), str(tools / "typescript" / "bin" / "tsc"), "-p", str(PROJECT)]
    words += ["--typeRoots", str(tools / "@types")]
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
