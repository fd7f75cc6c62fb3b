"""The front end of the sample: its packages from npm, got once, and its TypeScript compiler."""

import hashlib
import subprocess
from pathlib import Path

from packager import node
from packager.cache import cache_dir

WEB = Path(__file__).parents[1] / "sample_app" / "web"


def packages(web):
    """Put the front end's own packages into `web`, downloaded once into the cache, as Pyodide is."""
    lock = (WEB / "package-lock.json").read_bytes()
    folder = cache_dir() / f"web-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not folder.is_dir():
        cache_dir().mkdir(parents=True, exist_ok=True)
        node.install(WEB, folder)
    (web / "node_modules").symlink_to(folder / "node_modules")


def tsc(web):
    words = [str(node.node()), "node_modules/typescript/bin/tsc", "--noEmit"]
    return subprocess.run(words, cwd=web, env={}, capture_output=True, text=True, check=False)
