"""How fast stacks are made: python tests/benchmarks/synth.py

Prints a table of medians: a process of its own from its start to the last template, for many functions and for many
routes, and one more assembly in a process that has CDK running, as template tests have. No thresholds.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from manifests import manifest_of, route, written

from infra import assembly, manifest
from infra.manifest import Manifest
from infra.stage import Stage

STARTS = 5
STAGE = Stage("dev", region="eu-central-1")
PROCESS = """
import sys
from pathlib import Path
from infra import assembly, manifest
from infra.stage import Stage
build, out = map(Path, sys.argv[1:])
assembly.synth(manifest.read(build), Stage("dev", region="eu-central-1"), build, out)
"""


def main() -> None:
    cases = {
        "50 functions": app(50, 50),
        "300 routes in 30 functions": app(30, 300),
        "3 functions": app(3, 9),
    }
    print(f"| {STARTS} runs | median | min | max |")
    print("|---|---|---|---|")
    for name, built in cases.items():
        line(f"{name}, a process of its own", lambda out, built=built: process(built, out))
    for name, built in cases.items():
        line(f"{name}, CDK running", lambda out, built=built: here(built, out))


def app(functions: int, routes: int) -> Manifest:
    """Nodejs routes in as many functions, and one function of edge routes for CloudFront."""
    rows = [
        route(f"/api/g{index % functions}/r{index}", f"f{index % functions}") for index in range(routes - 1)
    ]
    return manifest_of(
        [*rows, route("/edge/hello", "edge", "edge")], values={"API_BASE": "https://example.com"}
    )


def line(name: str, run: Callable[[Path], float]) -> None:
    times = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            times.append(run(Path(folder)))
    print(
        f"| {name} | {statistics.median(times):.2f} s | {min(times):.2f} s | {max(times):.2f} s |", flush=True
    )


def process(plan: Manifest, folder: Path) -> float:
    built = written(plan, folder / "build")
    (folder / "build" / manifest.FILE_NAME).write_text(manifest.to_json(built), encoding="utf-8")
    started = time.perf_counter()
    command = [sys.executable, "-c", PROCESS, str(folder / "build"), str(folder / "out")]
    subprocess.run(command, check=True)
    return time.perf_counter() - started


def here(plan: Manifest, folder: Path) -> float:
    built = written(plan, folder / "build")
    started = time.perf_counter()
    assembly.synth(built, STAGE, folder / "build", folder / "out")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
