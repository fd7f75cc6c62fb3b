"""Time of one request inside a warm edge worker: `python tests/benchmarks/bridge.py [BATCHES]`.

Builds an artifact of three small handlers, boots its worker in one Node process and sends it requests one after the
other: `Exchange` in, `Reply` out, no socket. Batch by batch the same requests go through the supervisor to a worker
in its sandboxed child process, as in production. Microseconds a request; the first batches, in which V8 still
compiles, are left out.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from packager.build import build
from packager.node import node

REQUESTS = 1000
WARM_UP = 5
TARGETS = {"hello": "≤ 30", "hello, how much more the child takes": "≤ 60"}
ROUTES = {
    "hello": """\
from runtimes import Request, Response

runtime = "edge"

async def GET(request: Request, params: dict) -> Response:
    return Response.json({"hello": "world"})

async def POST(request: Request) -> Response:
    return Response(await request.body())
""",
    "waits": """\
import asyncio

runtime = "edge"

async def GET():
    await asyncio.sleep(0)
    return {"hello": "world"}
""",
}


def main() -> None:
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    with tempfile.TemporaryDirectory() as folder:
        times = measured(artifact(Path(folder) / "project"), batches)
    print(f"| µs a request, {batches} batches of {REQUESTS} | best | median | target |")
    print("|---|---|---|---|")
    for name, row in times.items():
        print(f"| {name} | {min(row):.1f} | {statistics.median(row):.1f} | {TARGETS.get(name, '')} |")


def artifact(project: Path) -> Path:
    """The folder of the built worker."""
    files = {
        "pyproject.toml": '[project]\nname = "bridge"\nversion = "1"\nrequires-python = ">=3.12"\n',
        **{f"app/api/{name}/route.py": source for name, source in ROUTES.items()},
    }
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    built = build(project, report=lambda _line: None)
    (function,) = built.manifest.functions
    return built.out / "edge" / function.name


def measured(folder: Path, batches: int) -> dict[str, list[float]]:
    """Microseconds a request, a number for each batch."""
    script = Path(__file__).with_suffix(".mjs")
    words = [str(node()), str(script), str(folder), str(batches + WARM_UP), str(REQUESTS)]
    done = subprocess.run(words, env={}, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    rows: dict[str, list[float]] = {"two processes, a bare message and its answer": found["bare"][WARM_UP:]}
    for name, times in found["times"].items():
        here, child = times["here"][WARM_UP:], times["child"][WARM_UP:]
        rows[name] = here
        rows[f"{name}, in the child"] = child
        rows[f"{name}, how much more the child takes"] = [
            more - less for more, less in zip(child, here, strict=True)
        ]
    return rows


if __name__ == "__main__":
    main()
