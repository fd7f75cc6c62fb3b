"""What Lambda does around a function in Node, with a real Node."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from serving import alive

from packager.node import node
from packager.preview.lambda_outcome import Fault, FaultKind, Outcome, Result
from packager.preview.node_environment import NodeEnvironment
from packager.preview.node_program import NodeProgram, NodeScript
from packager.traffic import trace
from packager.traffic.trace import Trace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux freezes and measures")

HANDLER = """
import { spawn } from "node:child_process";
const app = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
const watcher = spawn("/bin/sh", ["-c", "read _"], { stdio: ["pipe", "ignore", "ignore"] });
export async function handler(event) {
  if (event.do === "wait") await new Promise((done) => setTimeout(done, event.ms));
  if (event.do === "fail") throw new Error("wrong");
  return [process.pid, app.pid, watcher.pid];
}
"""

type Use = Callable[[NodeEnvironment], Awaitable[Any]]


@pytest.fixture
def exercise_node(tmp_path: Path) -> Callable[..., list[str]]:
    """Gives an environment to a coroutine function; the log comes back."""
    (tmp_path / "index.mjs").write_text(HANDLER)

    def run_it(use: Use, concurrency: int | None = None) -> list[str]:
        log: list[str] = []

        async def run() -> None:
            script = NodeScript(node(), "lambda_function.mjs", ("index.mjs", "handler"), tmp_path, {})
            program = NodeProgram(script, log.append)
            made = NodeEnvironment(program, timeout=1, memory=256, concurrency=concurrency, log=log.append)
            try:
                await use(made)
            finally:
                await program.close()

        asyncio.run(run())
        return log

    return run_it


async def ask(environment: NodeEnvironment, **event: Any) -> Outcome:
    return await environment.run(json.dumps(event).encode())


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_node_and_its_app_are_frozen_between_events_and_their_watcher_is_not(exercise_node: Any) -> None:
    pids: list[int] = []

    async def use(environment: NodeEnvironment) -> None:
        for _ in range(2):
            outcome = await ask(environment)
            assert isinstance(outcome, Result)
            pids[:] = json.loads(outcome.payload)
            async with asyncio.timeout(10):
                while [state_of(pid) for pid in pids[:2]] != ["T", "T"]:  # noqa: ASYNC110 - other processes
                    await asyncio.sleep(0.005)
            assert state_of(pids[2]) == "S"

    log = exercise_node(use)
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [pid for pid in pids if alive(pid)]
    reports = [line for line in log if line.startswith("REPORT")]
    assert [line.split()[0] for line in log] == ["START", "END", "REPORT"] * 2
    assert ["\tInit Duration: " in line for line in reports] == [True, False]
    assert "\tMemory Size: 256 MB\tMax Memory Used: " in reports[0]


def test_events_past_time_or_limit_are_ended_or_refused(exercise_node: Any) -> None:
    traces = [Trace() for _ in range(4)]

    async def asked(number: int, environment: NodeEnvironment, **event: Any) -> Outcome:
        trace.begin(traces[number])
        return await ask(environment, **event)

    async def use(environment: NodeEnvironment) -> None:
        async with asyncio.TaskGroup() as group:
            late = group.create_task(asked(0, environment, do="wait", ms=60_000))
            await asyncio.sleep(0)
            refused = group.create_task(asked(1, environment))
        assert isinstance(refused.result(), Fault)
        assert refused.result().kind is FaultKind.THROTTLED
        assert late.result().kind is FaultKind.TIMEOUT
        assert isinstance(await asked(2, environment), Result)
        failed = await asked(3, environment, do="fail")
        assert isinstance(failed, Fault)
        assert failed.kind is FaultKind.HANDLER

    log = exercise_node(use, concurrency=1)
    assert [line for line in log if line.endswith(" Task timed out after 1.00 seconds")]
    assert [line for line in log if line.endswith("\tStatus: timeout")]
    assert [item.beginning for item in traces] == ["cold", None, "cold", None]
    assert None not in (traces[2].spawn_ms, traces[2].init_ms, traces[2].handler_ms, traces[2].memory_mb)
    assert traces[3].fault == "Error: wrong"
