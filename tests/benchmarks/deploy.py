"""How long a deployment takes, and how much memory: `python tests/benchmarks/deploy.py [PROJECT] [RUNS]`.

`sample_app`, its edge routes in a regional function, goes to MiniStack on this machine: what is measured is the tool
and its calls, not AWS. Each command is a process of its own. Prints a table of medians in seconds, and the most memory
that all processes of one command had at a time: pages that they share counted once (PSS), and for each of them (RSS).
No thresholds.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ministack import MiniStack, running

SAMPLE = Path(__file__).parents[2] / "sample_app"
EDITED = Path("app/api/hello/route.py")
SAMPLING_SECONDS = 0.03
DEPLOY = ("deploy", ".", "--stage", "dev", "--yes")


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes: `shared` counts shared pages once, `resident` for each process that has them."""

    seconds: float
    shared: int
    resident: int


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        project = folder / source.name
        shutil.copytree(source, project, ignore=shutil.ignore_patterns(".packager", ".venv", ".env.local"))
        with (project / "pyproject.toml").open("a") as file:
            file.write('\n[tool.packager.edge]\ntarget = "regional"\n')
        (folder / "cloud").mkdir()
        with running(folder / "cloud") as cloud:
            rows = measured(project, cloud, runs)
    print(f"| {source.name}, {runs} runs | median | min | max | target | memory | resident |")
    print("|---|---|---|---|---|---|---|")
    for title, (target, found) in rows.items():
        times = [row.seconds for row in found]
        shared, resident = max(row.shared for row in found), max(row.resident for row in found)
        print(
            f"| {title} | {statistics.median(times):.2f} | {min(times):.2f} | {max(times):.2f} | {target} "
            f"| {shared / 1e6:.0f} MB | {resident / 1e6:.0f} MB |"
        )


def measured(project: Path, cloud: MiniStack, runs: int) -> dict[str, tuple[str, list[Measured]]]:
    """The cases take turns, so that a busy moment of the machine hits all of them."""
    first, noop, built, whole, after = ([] for _ in range(5))

    def packager(*words: str) -> Measured:
        return run(project, words, cloud.environment())

    for _ in range(runs):
        cloud.reset()
        edit(project)
        packager("build", ".")
        first.append(packager(*DEPLOY))
        noop.append(packager(*DEPLOY))
        edit(project)
        packager("build", ".")
        built.append(packager(*DEPLOY, "--fast"))
        edit(project)
        whole.append(packager(*DEPLOY, "--fast"))
        after.append(packager(*DEPLOY))
    return {
        "first deployment after the build, three stacks": ("≤ 8", first),
        "the same again": ("≤ 3", noop),
        "`--fast` after the build": ("≤ 2", built),
        "`--fast` from an edited line": ("", whole),
        "whole deployment that reconciles it": ("", after),
    }


def edit(project: Path) -> None:
    with (project / EDITED).open("a") as file:
        file.write("\n# edited\n")


def run(project: Path, words: tuple[str, ...], environment: dict[str, str]) -> Measured:
    """Run one command to its end, and watch its memory."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "packager", *words],
            cwd=project,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        ended = threading.Event()
        peaks: list[tuple[int, int]] = []
        watch = threading.Thread(target=lambda: peaks.append(peak(process.pid, ended.wait)))
        watch.start()
        status = process.wait()
        seconds = time.perf_counter() - began
        ended.set()
        watch.join()
        if status:
            said.seek(0)
            sys.exit(said.read().decode(errors="replace"))
    return Measured(seconds, *peaks[0])


def peak(process: int, wait: Callable[[float], bool]) -> tuple[int, int]:
    """The most bytes that a process and all below it had, until `wait` says that it has ended."""
    shared = resident = 0
    while not wait(SAMPLING_SECONDS):
        rows = list(memory(process))
        shared = max(shared, sum(row[0] for row in rows))
        resident = max(resident, sum(row[1] for row in rows))
    return shared, resident


def memory(process: int) -> Iterator[tuple[int, int]]:
    """Bytes of a process and of each below it: `Pss` and `Rss` of the kernel (proc(5), smaps_rollup)."""
    place = Path("/proc") / str(process)
    with suppress(OSError):  # it has ended meanwhile
        lines = (place / "smaps_rollup").read_text().splitlines()[1:]
        known = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines}
        yield known["Pss:"], known["Rss:"]
        for task in (place / "task").iterdir():
            for child in (task / "children").read_text().split():
                yield from memory(int(child))


if __name__ == "__main__":
    main()
