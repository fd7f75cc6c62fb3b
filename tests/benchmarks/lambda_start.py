"""Cold start of a hello artifact beside the same app packaged by SAM: `python tests/benchmarks/lambda_start.py [RUNS]`.

Each run is a fresh interpreter that imports the handler from the unpacked artifact, read-only as on Lambda (`-B`),
with nothing else on the path; the time is that of the import alone, in milliseconds. Both are built for this machine,
so that it can import them. The cases take turns, so that a busy moment of the machine hits all of them. All files are
in the page cache: Lambda, which reads them from a network, adds to that by size.
"""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import lambda_projects
import peers

MACHINE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PROBE = """\
import sys, time
sys.path.insert(0, sys.argv[1])
started = time.perf_counter()
module = __import__(sys.argv[2], fromlist=["handler"])
assert callable(module.handler)
print((time.perf_counter() - started) * 1e3)
"""
SETTINGS = '[tool.packager.lambda]\npython = "{python}"\narchitecture = "{machine}"\n'


def built_by_packager(root: Path) -> Path:
    """The unpacked artifact of one route."""
    project = root / "ours"
    lambda_projects.for_packager(project, 1)
    with (project / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS.format(python=PYTHON, machine=MACHINE))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "packager", "build", str(project)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    with zipfile.ZipFile(project / ".packager/functions/api.zip") as archive:
        archive.extractall(root / "unpacked")
    return root / "unpacked"


def built_by_sam(root: Path) -> Path:
    """The folder that SAM zips for one function."""
    project = root / "sam"
    lambda_projects.for_sam(project, 1)
    template = project / "template.yaml"
    text = (
        template.read_text(encoding="utf-8")
        .replace("arm64", MACHINE)
        .replace("python3.13", f"python{PYTHON}")
    )
    template.write_text(text, encoding="utf-8")
    command = [str(peers.command("sam")), "build", "--no-cached"]
    subprocess.run(command, cwd=project, env=peers.environment("sam"), check=True, capture_output=True)
    return project / ".aws-sam/build/F0"


def without_bytecode(folder: Path, root: Path) -> Path:
    """A copy that holds sources alone."""
    return Path(
        shutil.copytree(folder, root / "sources", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    )


def milliseconds(folder: Path, module: str) -> float:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", PROBE, str(folder), module],
        env={"LAMBDA_TASK_ROOT": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ours, sam = built_by_packager(root), built_by_sam(root)
        cases = {
            "SAM": (sam, "app", ""),
            "packager": (ours, "runtimes.aws_lambda", "≤ 0.60"),
            "packager, its sources alone": (without_bytecode(ours, root), "runtimes.aws_lambda", ""),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(runs):
            for name, (path, module, _target) in cases.items():
                times[name].append(milliseconds(path, module))
    base = statistics.median(times["SAM"])
    print(f"| ms, {runs} fresh interpreters | median | min | of SAM's | target |")
    print("|---|---|---|---|---|")
    for name, row in times.items():
        middle = statistics.median(row)
        print(f"| {name} | {middle:.0f} | {min(row):.0f} | {middle / base:.2f} | {cases[name][2]} |")


if __name__ == "__main__":
    main()
