"""How fast `packager preview` is: python tests/benchmarks/preview.py PROJECT NODEJS_PATH EDGE_PATH [--json FILE]

Prints a table: time to the ready line of a built project, time to the first answer of each runtime (counted
from the start of the command; medians of several starts), requests a second at 1 and at 64 in flight (last
start). With `--requests N` instead: N requests in all from 64 clients to each path, with p50 and p99 of one client
alone and of all, errors, and the memory of the tool and of the functions' processes when a tenth of the requests is
through and at the end, which tells whether something grows. No thresholds.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

STARTS = 7
REQUESTS = 500
CLIENTS = 64
ALONE = 2000


@dataclass
class Load:
    """A path under load: milliseconds, MB. Memory is that of the tool and of all the processes below it."""

    path: str
    requests: int
    errors: int
    per_second: float
    alone_p50: float
    alone_p99: float
    p50: float
    p99: float
    tool_early: float
    tool_late: float
    functions_early: float
    functions_late: float


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("project")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    command = [sys.executable, "-m", "packager", "build", given.project]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    rows = endurance(given.project, given.paths, given.requests) if given.requests else speed(given)
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


def speed(given: argparse.Namespace) -> object:
    """Starts, first answers, requests a second."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    rates: dict[str, float] = {}
    for start in range(STARTS):
        started = time.perf_counter()
        with _preview(given.project, times) as (url, _):
            times["ready"].append(time.perf_counter() - started)
            last = rates if start == STARTS - 1 else None
            asyncio.run(_measure(url, given.paths, started, times, last))
    print(f"| {STARTS} starts | median | min | max |")
    print("|---|---|---|---|")
    for name, row in times.items():
        print(f"| {name} | {statistics.median(row):.2f} s | {min(row):.2f} s | {max(row):.2f} s |")
    for name, rate in rates.items():
        print(f"| {name} | {rate:.0f} req/s | | |")
    return {"seconds": times, "per_second": rates}


def endurance(project: str, paths: Sequence[str], requests: int) -> object:
    """Many requests to each path, one after the other."""
    rows = []
    for path in paths:
        with _preview(project, defaultdict(list)) as (url, pid):
            rows.append(asyncio.run(_endure(url, path, requests, pid)))
    print("| path | requests | errors | req/s | p50 alone | p99 alone | p50 | p99 | tool MB | functions MB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.path} | {row.requests} | {row.errors} | {row.per_second:.0f} | {row.alone_p50:.2f} ms "
            f"| {row.alone_p99:.2f} ms | {row.p50:.1f} ms | {row.p99:.1f} ms "
            f"| {row.tool_early:.0f} → {row.tool_late:.0f} | {row.functions_early:.0f} → {row.functions_late:.0f} |"
        )
    return [asdict(row) for row in rows]


@contextmanager
def _preview(project: str, times: defaultdict[str, list[float]]) -> Iterator[tuple[str, int]]:
    preview = subprocess.Popen(
        [sys.executable, "-m", "packager", "preview", project, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert preview.stdout is not None
        yield preview.stdout.readline().removeprefix("ready ").strip(), preview.pid
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
    async with _client(url) as client:

        async def first(path: str) -> None:
            (await client.get(path)).raise_for_status()
            times[f"first answer `{path}`"].append(time.perf_counter() - started)

        await asyncio.gather(*map(first, paths))
        for path in paths if rates is not None else ():
            for in_flight in (1, CLIENTS):
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


async def _endure(url: str, path: str, requests: int, pid: int) -> Load:
    port = int(url.rpartition(":")[2])
    for _ in range(50):
        await _requests(port, path, iter(range(1)), [])
    alone: list[float] = []
    await _requests(port, path, iter(range(min(ALONE, requests))), alone)
    times: list[float] = []
    errors = seconds = 0.0
    memory = []
    for part in (requests // 10, requests - requests // 10):
        left = iter(range(part))
        started = time.perf_counter()
        errors += sum(await asyncio.gather(*(_requests(port, path, left, times) for _ in range(CLIENTS))))
        seconds += time.perf_counter() - started
        memory.append(_memory(pid))
    (tool, functions), late = memory
    return Load(
        path,
        requests,
        int(errors),
        requests / seconds,
        *_percentiles(alone),
        *_percentiles(times),
        *(tool, late[0], functions, late[1]),
    )


async def _requests(port: int, path: str, left: Iterator[int], times: list[float]) -> int:
    """Requests on one connection as long as there are some left; how many had no answer of 200."""
    errors = 0
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in left:
        started = time.perf_counter()
        writer.write(head)
        try:
            errors += not await _answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            errors += 1
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        times.append((time.perf_counter() - started) * 1000)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return errors


async def _answer(reader: asyncio.StreamReader) -> bool:
    """Read one response to its end; whether it is a 200."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    if length:
        await reader.readexactly(int(length))
    elif b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return head.startswith(b"http/1.1 200 ")


def _percentiles(times: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(times, n=100)
    return cuts[49], cuts[98]


def _memory(pid: int) -> tuple[float, float]:
    """MB that the tool holds, and all that it has started."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    below, found = {pid}, True
    while found:
        found = {child for child, parent in parents.items() if parent in below} - below
        below |= found
    return _resident(pid), sum(map(_resident, below - {pid}))


def _resident(pid: int) -> float:
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024


def _client(url: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    return httpx.AsyncClient(base_url=url, timeout=120, limits=limits)


if __name__ == "__main__":
    main(sys.argv[1:])
