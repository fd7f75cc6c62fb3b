"""Runs in full CPython on Lambda: files, threads, any wheel. The data file is in `include` of pyproject.toml."""

import json
import platform
from pathlib import Path

runtime = "nodejs"
memory = 1024

QUOTES = Path(__file__).parents[3] / "data" / "quotes.json"


def GET():
    return {
        "runtime": platform.python_implementation(),
        "quotes": json.loads(QUOTES.read_text(encoding="utf-8")),
    }
