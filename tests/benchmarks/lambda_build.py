"""Builds of nodejs artifacts beside SAM's and Chalice's: `python tests/benchmarks/lambda_build.py [RUNS] [OUT]`.

Writes a table to standard output, and `lambda_build.md` and `lambda_build.svg` into OUT (default: the current folder).
Every case is a new process. Cold: no output of an earlier build; what was downloaded is in the caches of all tools.
The cases take turns, so that a busy moment of the machine hits all of them. Seconds, megabytes of 10^6 bytes.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import lambda_projects
import peers
import plot

ROUTES = 10
SCALES = (100, 300, 1000)


@dataclass
class Case:
    """What is run in `folder` after `prepare`. `seconds` are its times; None in `target`: it is a peer."""

    name: str
    folder: Path
    command: list[str]
    environment: dict[str, str]
    prepare: Callable[[Path], None]
    target: str = ""
    seconds: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Run it once and keep the time."""
        self.prepare(self.folder)
        started = time.perf_counter()
        done = subprocess.run(
            self.command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        self.seconds.append(time.perf_counter() - started)
        assert done.returncode == 0, f"{self.name}: {done.stdout}{done.stderr}"


def forget(*names: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        for name in names:
            shutil.rmtree(folder / name, ignore_errors=True)

    return prepare


def edit(folder: Path) -> None:
    with (folder / "app/api/r0/route.py").open("a", encoding="utf-8") as file:
        file.write("# edited\n")


def keep(_folder: Path) -> None:
    pass


def cases(root: Path) -> list[Case]:
    """Against the peers: one application of `ROUTES` routes."""
    lambda_projects.for_packager(root / "ours", ROUTES)
    lambda_projects.for_packager(root / "isolated", ROUTES, isolate=True)
    lambda_projects.for_sam(root / "sam", ROUTES)
    lambda_projects.for_chalice(root / "chalice", ROUTES)
    sam = [str(peers.command("sam")), "build", "--parallel", "--no-cached"]
    chalice = [str(peers.command("chalice")), "package", "out"]
    isolated = root / "isolated"
    return [
        *ours(root / "ours", f"{ROUTES} routes", ("≤ ⅛ of SAM, ≤ Chalice", "< 0.5", "< 1")),
        *ours(isolated, f"{ROUTES} routes, each a function", ("≤ ⅛ of SAM", "", "< 1")),
        Case("SAM: cold", root / "sam", sam, peers.environment("sam"), forget(".aws-sam")),
        Case(
            "Chalice: cold",
            root / "chalice",
            chalice,
            peers.environment("chalice"),
            forget("out", ".chalice/deployments"),
        ),
    ]


def ours(folder: Path, name: str, targets: tuple[str, str, str]) -> list[Case]:
    build = [sys.executable, "-m", "packager", "build", "."]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    steps = (("cold", forget(".packager")), ("no-op", keep), ("one file edited", edit))
    return [
        Case(f"packager, {name}: {step}", folder, build, environment, prepare, target)
        for (step, prepare), target in zip(steps, targets, strict=True)
    ]


def sizes(root: Path) -> list[str]:
    """The artifacts' sizes as rows; SAM's folder is zipped as `sam deploy` does."""
    rows = []
    ours_zip = root / "ours/.packager/functions/api.zip"
    sam_zip = Path(shutil.make_archive(str(root / "sam-zip"), "zip", root / "sam/.aws-sam/build/F0"))
    chalice_zip = root / "chalice/out/deployment.zip"
    base = sam_zip.stat().st_size
    for name, path in (("packager", ours_zip), ("SAM", sam_zip), ("Chalice", chalice_zip)):
        size = path.stat().st_size
        rows.append(
            f"| {name} | {size / 1e6:.2f} | {size / base:.2f} | {'≤ 1.25' if path is ours_zip else ''} |"
        )
    return rows


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    out = Path(sys.argv[2] if len(sys.argv) > 2 else ".")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        beside = cases(root)
        for _ in range(runs):
            for case in beside:
                case.run()
        weights = sizes(root)
        scaled = []
        for count in SCALES:
            lambda_projects.for_packager(root / f"n{count}", count)
            targets = ("< 20", "< 2", "") if count == SCALES[-1] else ("", "", "")
            scaled += ours(root / f"n{count}", f"{count} routes", targets)
        for _ in range(min(runs, 3)):
            for case in scaled:
                case.run()
    lines = [f"| seconds, {runs} runs | median | min | max | target |", "|---|---|---|---|---|"]
    for case in (*beside, *scaled):
        low, middle, high = min(case.seconds), statistics.median(case.seconds), max(case.seconds)
        lines.append(f"| {case.name} | {middle:.2f} | {low:.2f} | {high:.2f} | {case.target} |")
    lines += ["", "| zip, MB | size | of SAM's | target |", "|---|---|---|---|", *weights]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    (out / "lambda_build.md").write_text(text, encoding="utf-8")
    bars = [(case.name, statistics.median(case.seconds)) for case in (*beside, *scaled)]
    (out / "lambda_build.svg").write_text(plot.bars("Seconds of a build", bars), encoding="utf-8")


if __name__ == "__main__":
    main()
