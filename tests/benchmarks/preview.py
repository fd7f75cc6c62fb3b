"""How fast `packager preview` is: python tests/benchmarks/preview.py PROJECT NODEJS_PATH EDGE_PATH

Prints a table: time to the ready line of a built project, time to the first answer of each runtime (counted
from the start of the command), requests a second at 1 and at 64 in flight. No thresholds.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence

import httpx

REQUESTS = 500


def main(arguments: Sequence[str]) -> None:
    project, *paths = arguments
    command = [sys.executable, "-m", "packager"]
    subprocess.run([*command, "build", project], check=True, stdout=subprocess.DEVNULL)
    rows: list[tuple[str, str]] = []
    started = time.perf_counter()
    preview = subprocess.Popen(
        [*command, "preview", project, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert preview.stdout is not None
        url = preview.stdout.readline().removeprefix("ready ").strip()
        rows.append(("ready", _seconds(started)))
        asyncio.run(_measure(url, paths, started, rows))
    finally:
        stopped = time.perf_counter()
        preview.terminate()
        preview.wait()
        rows.append(("end after SIGTERM", _seconds(stopped)))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value:>12}")


async def _measure(url: str, paths: Sequence[str], started: float, rows: list[tuple[str, str]]) -> None:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        for path in paths:
            (await client.get(path)).raise_for_status()
            rows.append((f"first answer {path}", _seconds(started)))
        for path in paths:
            for in_flight in (1, 64):
                # Once before, so that every process that this load needs is there.
                await _load(client, path, in_flight)
                rate = await _load(client, path, in_flight)
                rows.append((f"{path}, {in_flight} in flight", f"{rate:.0f} req/s"))


async def _load(client: httpx.AsyncClient, path: str, in_flight: int) -> float:
    left = iter(range(REQUESTS))

    async def worker() -> None:
        for _ in left:
            (await client.get(path)).raise_for_status()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return REQUESTS / (time.perf_counter() - started)


def _seconds(since: float) -> str:
    return f"{time.perf_counter() - since:.2f} s"


if __name__ == "__main__":
    main(sys.argv[1:])
