"""From nothing to the first answer: `python tests/benchmarks/init.py [ROUNDS]`.

`packager init DIR`, then `packager dev DIR`, then a request, with the caches of wheels filled and no lock of the
project. Prints the table of tests/benchmarks/README.md.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from serving import PACKAGER, started


def first_answer(folder: Path, template: str) -> tuple[float, float]:
    """Seconds that `init` took, and from its start until `/api/hello` has answered."""
    began = time.perf_counter()
    command = [*PACKAGER, "init", str(folder), "--template", template]
    subprocess.run(command, check=True, capture_output=True)
    made = time.perf_counter() - began
    with started([*PACKAGER, "dev", str(folder), "--port", "0"]) as server:
        answer = server.ask("GET", "/api/hello")
        assert answer.status == 200, answer.body
        return made, time.perf_counter() - began


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=5)
    rounds = parser.parse_args().rounds
    print("| template | init | first answer, median | slowest |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for template in ("minimal", "full"):
            rows = [first_answer(Path(name) / f"{template}-{number}", template) for number in range(rounds)]
            made, answered = (list(column) for column in zip(*rows, strict=True))
            median = statistics.median(answered)
            print(
                f"| {template} | {statistics.median(made):.2f} s | {median:.1f} s | {max(answered):.1f} s |"
            )


if __name__ == "__main__":
    main()
