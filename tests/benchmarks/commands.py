"""Times of the commands, each in a new process: `python tests/benchmarks/commands.py PROJECT [RUNS]`.

Cold build: no output and no lock, but the wheels and Pyodide are in the caches. Edit: one route changed since.
No-op: nothing to do. The project is copied to a temporary folder first; the cases take turns, so that a busy
moment of the machine hits all of them. Seconds.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

type Prepare = Callable[[Path], None]


def forget(project: Path) -> None:
    shutil.rmtree(project / ".packager", ignore_errors=True)


def edit(project: Path) -> None:
    with min(project.rglob("route.py")).open("a") as file:
        file.write("\n# edited\n")


def keep(_project: Path) -> None:
    pass


CASES: dict[str, tuple[list[str], Prepare]] = {
    "packager --help": (["--help"], keep),
    "packager routes": (["routes", "."], keep),
    "packager check": (["check", "."], keep),
    "packager build, cold": (["build", "."], forget),
    "packager build, one edit": (["build", "."], edit),
    "packager build, no-op": (["build", "."], keep),
}


def seconds(project: Path, arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(
        [Path(sys.executable).with_name("packager"), *arguments],
        cwd=project,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def main() -> None:
    source = Path(sys.argv[1]).resolve()
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    times: dict[str, list[float]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / source.name
        shutil.copytree(source, project, ignore=shutil.ignore_patterns(".packager", ".venv"))
        seconds(project, ["build", "."])
        for _ in range(runs):
            for name, (arguments, prepare) in CASES.items():
                prepare(project)
                times[name].append(seconds(project, arguments))
    print(f"| {source.name}, {runs} runs | median | min | max |")
    print("|---|---|---|---|")
    for name, row in times.items():
        print(f"| `{name}` | {statistics.median(row):.3f} | {min(row):.3f} | {max(row):.3f} |")


if __name__ == "__main__":
    main()
