"""How fast `packager preview` is: python tests/benchmarks/preview.py PROJECT NODEJS_PATH EDGE_PATH

Prints a table: time to the ready line of a built project, time to the first answer of each runtime (counted
from the start of the command; medians of several starts), requests a second at 1 and at 64 in flight (last
start). No thresholds.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence

import httpx

STARTS = 7
REQUESTS = 500


def main(arguments: Sequence[str]) -> None:
    project, *paths = arguments
    subprocess.run(
        [sys.executable, "-m", "packager", "build", project], check=True, stdout=subprocess.DEVNULL
    )
    times: defaultdict[str, list[float]] = defaultdict(list)
    rates: dict[str, float] = {}
    for start in range(STARTS):
        _run(project, paths, times, rates if start == STARTS - 1 else None)
    print(f"| {STARTS} starts | median | min | max |")
    print("|---|---|---|---|")
    for name, row in times.items():
        print(f"| {name} | {statistics.median(row):.2f} s | {min(row):.2f} s | {max(row):.2f} s |")
    for name, rate in rates.items():
        print(f"| {name} | {rate:.0f} req/s | | |")


def _run(
    project: str, paths: Sequence[str], times: defaultdict[str, list[float]], rates: dict[str, float] | None
) -> None:
    started = time.perf_counter()
    preview = subprocess.Popen(
        [sys.executable, "-m", "packager", "preview", project, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert preview.stdout is not None
        url = preview.stdout.readline().removeprefix("ready ").strip()
        times["ready"].append(time.perf_counter() - started)
        asyncio.run(_measure(url, paths, started, times, rates))
    finally:
        stopped = time.perf_counter()
        preview.terminate()
        preview.wait()
        times["end after SIGTERM"].append(time.perf_counter() - stopped)


async def _measure(
    url: str,
    paths: Sequence[str],
    started: float,
    times: defaultdict[str, list[float]],
    rates: dict[str, float] | None,
) -> None:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:

        async def first(path: str) -> None:
            (await client.get(path)).raise_for_status()
            times[f"first answer `{path}`"].append(time.perf_counter() - started)

        await asyncio.gather(*map(first, paths))
        for path in paths if rates is not None else ():
            for in_flight in (1, 64):
                # Once before, so that every process that this load needs is there.
                await _load(client, path, in_flight)
                rates[f"`{path}`, {in_flight} in flight"] = await _load(client, path, in_flight)


async def _load(client: httpx.AsyncClient, path: str, in_flight: int) -> float:
    left = iter(range(REQUESTS))

    async def worker() -> None:
        for _ in left:
            (await client.get(path)).raise_for_status()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return REQUESTS / (time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1:])
