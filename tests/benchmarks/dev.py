"""From a save to the first answer with it: `python tests/benchmarks/dev.py [ROUNDS]`.

Starts `packager dev` on a project with a nodejs and an edge route, each of which imports pydantic if `--pydantic` is
given, saves a module of one and asks until the answer has it. Prints the table of tests/benchmarks/README.md.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from serving import PACKAGER, Server, started

_ROUTE = """\
{imports}from lib.{name} import VALUE

runtime = "{runtime}"


def GET():
    return {{"value": VALUE}}
"""
_PAUSE = 1.5
"""Seconds between two saves: by then what is prepared in advance is ready, as with people."""
_ASK_EVERY = 0.002


def project(root: Path, *, pydantic: bool) -> None:
    """Write the project into `root`."""
    for runtime in ("nodejs", "edge"):
        route = root / "app" / "api" / runtime / "route.py"
        route.parent.mkdir(parents=True)
        imports = "import pydantic\n" if pydantic else ""
        route.write_text(_ROUTE.format(name=f"of_{runtime}", runtime=runtime, imports=imports))
        save(root, runtime, 0)
    if pydantic:
        (root / "pyproject.toml").write_text('[project]\nname = "bench"\ndependencies = ["pydantic"]\n')


def save(root: Path, runtime: str, value: int) -> None:
    """Save the module that only the route of `runtime` imports."""
    file = root / "lib" / f"of_{runtime}.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"VALUE = {value}\n")


def wait(server: Server, runtime: str, value: int) -> float:
    """Ask until the answer has the value; milliseconds."""
    began = time.perf_counter()
    while json.loads(server.ask("GET", f"/api/{runtime}").body).get("value") != value:
        time.sleep(_ASK_EVERY)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=15)
    parser.add_argument("--pydantic", action="store_true")
    options = parser.parse_args()
    print("| save → new answer | median | fastest | slowest |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve() / "project"
        project(root, pydantic=options.pydantic)
        with started([*PACKAGER, "dev", str(root), "--port", "0"]) as server:
            for runtime in ("nodejs", "edge"):
                wait(server, runtime, 0)
                times = []
                for value in range(1, options.rounds + 1):
                    time.sleep(_PAUSE)
                    save(root, runtime, value)
                    times.append(wait(server, runtime, value))
                row = (statistics.median(times), min(times), max(times))
                print(f"| {runtime} | {' | '.join(f'{value:.0f} ms' for value in row)} |", flush=True)


if __name__ == "__main__":
    main()
