"""Times of `packager build`, each in a new process: `python tests/benchmarks/build.py PROJECT [RUNS]`.

cold: no build output, but the wheels, Pyodide and the lock are in the caches. edit: one route changed since.
no-op: nothing to do. The project is copied to a temporary folder first. Medians, in seconds.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def seconds(project: Path) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "packager", "build", str(project)],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def forget(project: Path) -> None:
    for name in ("manifest.json", "functions", "edge", "cache/build.json"):
        path = project / ".packager" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def edit(project: Path) -> None:
    with next(project.rglob("route.py")).open("a") as file:
        file.write("\n# edited\n")


def keep(_project: Path) -> None:
    pass


def main() -> None:
    source = Path(sys.argv[1]).resolve()
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    cases: dict[str, Callable[[Path], None]] = {"cold": forget, "edit": edit, "no-op": keep}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / source.name
        shutil.copytree(source, project, ignore=shutil.ignore_patterns(".packager", ".venv"))
        seconds(project)
        print(f"{source.name}, {runs} runs")
        print(f"{'':6}  {'median':>7}  {'min':>7}  {'max':>7}")
        for name, prepare in cases.items():
            times = []
            for _ in range(runs):
                prepare(project)
                times.append(seconds(project))
            print(f"{name:6}  {statistics.median(times):7.3f}  {min(times):7.3f}  {max(times):7.3f}")


if __name__ == "__main__":
    main()
