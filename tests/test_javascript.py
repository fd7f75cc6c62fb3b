"""The worker's JavaScript: its own tests under `node --test`, its types under `tsc`."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from packager import node, pyodide
from packager.cache import cache_dir
from packager.console import library

pytestmark = pytest.mark.long

PROJECT = Path(__file__).parents[1]


def test_the_javascript_tests_pass() -> None:
    words = [str(node.node()), "--test", *map(str, sorted((PROJECT / "tests" / "js").glob("*.test.mjs")))]
    done = subprocess.run(words, cwd=PROJECT, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_javascript_types_hold(tmp_path: Path) -> None:
    # Where the packages are is known to nobody but the caches.
    types = {
        "acorn": "dist/acorn.d.mts",
        "aws4fetch": "dist/main.d.ts",
        "esbuild": "lib/main.d.ts",
        "terser": "tools/terser.d.ts",
    }
    packages = pyodide.fetch(print) / "node_modules"
    paths = {name: packages / name / file for name, file in types.items()}
    check_types(tmp_path, paths)


def test_the_types_of_the_console_hold(tmp_path: Path) -> None:
    packages = library.fetch()
    paths = {
        "preact": packages / "preact/src/index.d.ts",
        "preact/hooks": packages / "preact/hooks/src/index.d.ts",
        "htm": packages / "htm/dist/htm.d.ts",
    }
    check_types(
        tmp_path,
        paths,
        include=["packager/console/page/*.mjs", "packager/data/*.mjs"],
        lib=["ES2024", "DOM", "DOM.Iterable"],
    )


def check_types(
    folder: Path, paths: Mapping[str, Path], include: list[str] | None = None, lib: list[str] | None = None
) -> None:
    """Run `tsc` with the project's settings, or other files and surroundings, and with these packages."""
    tools = typescript() / "node_modules"
    settings = json.loads((PROJECT / "tsconfig.json").read_text())
    settings["include"] = [str(PROJECT / pattern) for pattern in include or settings["include"]]
    options = settings["compilerOptions"]
    options |= {"typeRoots": [str(tools / "@types")], "lib": lib or options["lib"]}
    options["paths"] = {name: [str(path)] for name, path in paths.items()}
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    words = [str(node.node()), str(tools / "typescript" / "bin" / "tsc"), "-p", str(folder)]
    done = subprocess.run(words, cwd=folder, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def typescript() -> Path:
    """The folder with the packages of the project's own lock; downloaded once, as Pyodide is."""
    lock = (PROJECT / "package-lock.json").read_bytes()
    folder = cache_dir() / f"development-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.is_dir():
        cache_dir().mkdir(parents=True, exist_ok=True)
        node.install(PROJECT, folder)
    return folder
