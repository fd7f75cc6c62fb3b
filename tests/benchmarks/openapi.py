"""How long `packager types` of 100 typed routes takes: the first time, and when nothing has changed.

    python tests/benchmarks/openapi.py

The goal is 5 s for the first. The lock and the downloads are there before, as after a build.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUTES = 100
ROUTE = """\
from pydantic import BaseModel


class Item{number}(BaseModel):
    name: str
    tags: list[str] = []


def GET(*, query: Item{number}) -> list[Item{number}]:
    return [query]


def POST(*, body: Item{number}) -> Item{number}:
    return body
"""


def seconds(folder: Path) -> float:
    """What one run of the command takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "packager", "types", str(folder)], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the two times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["pydantic>=2.12"]\n')
        for number in range(ROUTES + 1):
            file = folder / "app" / "api" / f"item{number}" / "route.py"
            file.parent.mkdir(parents=True)
            file.write_text(ROUTE.format(number=number))
        seconds(folder)  # locks, and downloads what is missing
        (folder / "app" / "api" / f"item{ROUTES}" / "route.py").unlink()
        print(f"{ROUTES} routes: {seconds(folder):.2f} s, again: {seconds(folder):.2f} s")


if __name__ == "__main__":
    main()
