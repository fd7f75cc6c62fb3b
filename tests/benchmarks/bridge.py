"""Time of one request inside a warm edge worker: `python tests/benchmarks/bridge.py [BATCHES]`.

Builds an artifact of three small handlers, boots its worker in one Node process and sends it requests one after the
other: `Exchange` in, `Reply` out, no socket. Microseconds a request; the first batches, in which V8 still
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
TARGETS = {"hello": "≤ 30"}
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
    script = Path(__file__).with_suffix(".mjs")
    words = [str(node()), str(script), str(folder), str(batches + WARM_UP), str(REQUESTS)]
    done = subprocess.run(words, env={}, stdout=subprocess.PIPE, text=True, check=True)
    times: dict[str, list[float]] = json.loads(done.stdout)
    return {name: row[WARM_UP:] for name, row in times.items()}


if __name__ == "__main__":
    main()
