"""What Lambda allows a function, held by real processes under the real awslambdaric."""

import asyncio
import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from serving import alive

from infra.manifest import Function
from packager.preview import child, lambda_image, lambda_memory
from packager.preview.child_process import spawn
from packager.preview.gateway import MAX_HEAD, Gateway
from packager.preview.http import Arrival
from packager.preview.lambda_image import Image
from packager.preview.lambda_outcome import Fault, FaultKind, Outcome, Result
from packager.preview.lambda_pool import Pool
from packager.preview.lambda_process import RuntimeProcess, State
from packager.traffic import trace
from packager.traffic.trace import Trace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux holds these limits")

HANDLER = """
import json, os, subprocess, sys, tempfile, threading, time

print("loaded")
done = 0

def work():
    global done
    while True:
        time.sleep(0.005)
        done += 1

def handler(event, context):
    if "version" in event:
        event = json.loads(event.get("body") or '{"do": "nothing"}')
    action = event["do"]
    if action == "leave":
        threading.Thread(target=work, daemon=True).start()
    if action == "sleep":
        time.sleep(event["seconds"])
    if action == "write":
        try:
            with open(event["path"], "ab") as file:
                for _ in range(event["megabytes"]):
                    file.write(bytes(2**20))
                    file.flush()
        except OSError as error:
            return error.errno
    if action == "list":
        return [tempfile.gettempdir(), sorted(os.listdir("/tmp"))]
    if action == "child":
        block = f"b'x' * {event['megabytes']} * 2**20"
        subprocess.run([sys.executable, "-I", "-S", "-c", f"block = {block}; input()"])
    return [os.getpid(), done]
"""

PID_MAX = 2**22 + 1
"""No process has this number (proc(5))."""

type Use = Callable[[Pool, list[str]], Awaitable[Any]]


@pytest.fixture
def image(nodejs: Callable[..., Function], tmp_path: Path) -> Callable[..., Image]:
    """The image of a function with that `source`, and `changed` fields of the image."""

    def make(source: str = HANDLER, **changed: Any) -> Image:
        root = tmp_path / "task"
        root.mkdir()
        (root / "app.py").write_text(source)
        prepared = lambda_image.prepare(nodejs(), root, (), {}, print)
        return dataclasses.replace(prepared, **changed)

    return make


def in_pool(image: Image, use: Use, **options: Any) -> list[str]:
    """The log of a pool that `use` used."""
    log: list[str] = []

    async def run() -> None:
        pool = Pool(image, log.append, **options)
        try:
            await use(pool, log)
        finally:
            await pool.close()

    asyncio.run(run())
    return log


async def ask(pool: Pool, action: str, **more: Any) -> Any:
    """What the handler returned."""
    outcome = await pool.invoke(json.dumps({"do": action, **more}).encode())
    assert isinstance(outcome, Result), outcome
    return json.loads(outcome.payload)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.005)


def is_here(path: str) -> bool:
    """Whether this process sees the file, which is removed."""
    try:
        Path(path).unlink()
    except FileNotFoundError:
        return False
    return True


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_process_is_frozen_between_invocations(image: Callable[..., Image]) -> None:
    async def use(pool: Pool, _log: list[str]) -> None:
        pid, _ = await ask(pool, "leave")
        await until(lambda: state_of(pid) == "T")
        before = (await ask(pool, "nothing"))[1]
        await until(lambda: state_of(pid) == "T")
        # What it left behind would come to 100, and is not let.
        await asyncio.sleep(0.5)
        assert (await ask(pool, "nothing"))[1] - before < 20
        await ask(pool, "sleep", seconds=0.3)
        assert (await ask(pool, "nothing"))[1] - before >= 20

    in_pool(image(), use)


def test_frozen_process_ends_with_the_pool(image: Callable[..., Image]) -> None:
    pids: list[int] = []

    async def use(pool: Pool, _log: list[str]) -> None:
        pids.append((await ask(pool, "nothing"))[0])
        await until(lambda: state_of(pids[0]) == "T")

    in_pool(image(), use)
    assert not alive(pids[0])


def test_tmp_is_empty_kept_of_its_size_and_of_each_process_alone(image: Callable[..., Image]) -> None:
    async def use(pool: Pool, log: list[str]) -> None:
        pool.start()
        await until(lambda: bool(log))
        if log[0].startswith("warning: /tmp"):
            pytest.skip(log[0])
        folder, names = await ask(pool, "list")
        # Only what the process itself is made of, which lies there in tests.
        assert folder == "/tmp"
        assert set(names) <= {"pytest-of-root", *(path.parts[2] for path in needed if path.parts[1] == "tmp")}
        assert (await ask(pool, "write", path="/tmp/packager-own", megabytes=3))[0]
        assert "packager-own" in (await ask(pool, "list"))[1]
        assert not is_here("/tmp/packager-own")
        assert await ask(pool, "write", path="/tmp/packager-own", megabytes=30) == 28  # ENOSPC
        async with asyncio.TaskGroup() as group:
            group.create_task(ask(pool, "sleep", seconds=1))
            other = group.create_task(ask(pool, "list"))
        assert "packager-own" not in other.result()[1]

    made = image(storage=8)
    needed = [Path(sys.prefix), Path(sys.base_prefix), made.client, made.root, *made.folders]
    in_pool(made, use)


@pytest.mark.skipif(not shutil.which("setpriv"), reason="takes rights away")
@pytest.mark.parametrize("possible", [True, False], ids=["without rights", "where nothing is allowed"])
def test_tmp_without_rights_is_ones_own_or_told_once(
    image: Callable[..., Image], tmp_path: Path, possible: bool
) -> None:
    less = f'exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin {sys.executable} "$@"'
    if not possible:
        inner = f"echo 0 > /proc/sys/user/max_user_namespaces; {less}"
        less = f"exec unshare -Ur sh -c '{inner}' sh \"$@\""
    wrapper = tmp_path / "python"
    wrapper.write_text(f"#!/bin/sh\n{less}\n")
    wrapper.chmod(0o755)

    async def use(pool: Pool, log: list[str]) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(ask(pool, "sleep", seconds=0.3))
        told = [line for line in log if line.startswith("warning: /tmp is this machine's own here")]
        assert len(told) == (0 if possible else 1)
        # A hidden folder or the real one: it can be written.
        path = f"/tmp/packager-{tmp_path.name}"
        assert (await ask(pool, "write", path=path, megabytes=1))[0]
        assert is_here(path) is not possible

    in_pool(image(interpreter=str(wrapper)), use)


def test_start_that_takes_too_long_is_made_again_within_the_invocation(image: Callable[..., Image]) -> None:
    async def use() -> list[str]:
        log: list[str] = []
        process = RuntimeProcess(image(f"import time\ntime.sleep(0.5)\n{HANDLER}"), log.append, print, 0.2)
        await until(lambda: process.state is State.IDLE)
        assert len(log) == 1
        assert log[0].startswith("INIT_REPORT Init Duration: ")
        assert log[0].endswith(" ms\tPhase: init\tStatus: timeout")
        assert isinstance(await process.invoke(b'{"do": "nothing"}'), Result)
        await until(lambda: process.state is State.IDLE)
        await process.shut_down()
        return log

    words = [line.split()[0] for line in asyncio.run(use())]
    assert words == ["INIT_REPORT", "loaded", "START", "END", "REPORT"]


def test_start_that_is_made_again_has_the_functions_own_time(image: Callable[..., Image]) -> None:
    async def use() -> tuple[Outcome, list[str]]:
        log: list[str] = []
        process = RuntimeProcess(image("import time\ntime.sleep(60)", max_duration=1), log.append, print, 0.2)
        await until(lambda: process.state is State.IDLE)
        outcome = await process.invoke(b"{}")
        await until(lambda: process.state is State.ENDED)
        return outcome, log

    outcome, log = asyncio.run(use())
    assert isinstance(outcome, Fault)
    assert outcome.kind is FaultKind.TIMEOUT
    assert log[1].endswith(" ms\tPhase: invoke\tStatus: timeout")
    assert log[2].startswith("START RequestId: ")
    assert log[3].endswith(" Task timed out after 1.00 seconds")
    assert "Init Duration" not in log[-1]
    assert log[-1].endswith("\tStatus: timeout")


def test_one_invocation_more_than_the_function_may_have_is_refused_at_once(
    image: Callable[..., Image],
) -> None:
    async def use(pool: Pool, log: list[str]) -> None:
        gateway = Gateway(pool, log.append)
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(ask(pool, "sleep", seconds=0.3))
            await asyncio.sleep(0)
            assert (await through(gateway))[0] == 503
            assert not slow.done()
        assert (await through(gateway))[0] == 200

    log = in_pool(image(), use, concurrency=1)
    assert [line for line in log if line.startswith("ERROR TooManyRequestsException: Rate Exceeded")]


def test_every_request_is_a_cold_start_if_asked_for(image: Callable[..., Image]) -> None:
    pids: list[int] = []

    async def use(pool: Pool, _log: list[str]) -> None:
        pool.start()
        pids.extend([(await ask(pool, "nothing"))[0] for _ in range(3)])

    log = in_pool(image(), use, cold=True)
    assert len(set(pids)) == 3
    assert not [pid for pid in pids if alive(pid)]
    assert len([line for line in log if line.startswith("REPORT") and "\tInit Duration: " in line]) == 3


def test_gateway_answers_503_when_it_has_waited_long_enough_and_the_function_goes_on(
    image: Callable[..., Image],
) -> None:
    async def use(pool: Pool, log: list[str]) -> None:
        gateway = Gateway(pool, log.append, timeout=0.2)
        status, body = await through(gateway, b'{"do": "sleep", "seconds": 1}')
        assert (status, body) == (503, b'{"message":"Service Unavailable"}')
        await until(lambda: any(line.startswith("REPORT") for line in log))

    in_pool(image(), use)


def test_head_above_the_gateways_limit_is_431(image: Callable[..., Image]) -> None:
    async def use(pool: Pool, log: list[str]) -> None:
        gateway = Gateway(pool, log.append)
        line = len("POST /api/x HTTP/1.1")
        assert (await through(gateway, long=MAX_HEAD - line))[0] == 200
        assert (await through(gateway, long=MAX_HEAD - line + 1))[0] == 431

    in_pool(image(), use)


def test_memory_of_children_counts(image: Callable[..., Image]) -> None:
    async def use(pool: Pool, _log: list[str]) -> None:
        outcome = await pool.invoke(json.dumps({"do": "child", "megabytes": 200}).encode())
        assert isinstance(outcome, Fault)
        assert outcome.kind is FaultKind.MEMORY

    in_pool(image(memory=128), use)


def test_kernel_ends_what_goes_far_beyond(tmp_path: Path) -> None:
    cap = lambda_memory.make_cap(64 * 2**20)
    if cap is None:
        pytest.skip("this user may make no control group")

    async def run(code: str) -> int:
        script = tmp_path / "script.py"
        script.write_text(code)
        command = [
            sys.executable,
            "-I",
            "-S",
            child.__file__,
            str(os.getpid()),
            "script",
            cap.members,
            str(script),
        ]
        process = await spawn(command, cwd=tmp_path, environment={}, line=print)
        return await process.wait()

    assert asyncio.run(run("block = b'x' * 10 * 2**20")) == 0
    assert not cap.has_killed
    assert asyncio.run(run("block = b'x' * 500 * 2**20")) == -9
    assert cap.has_killed
    left = cap.folder.rename(cap.folder.with_name(f"packager-{PID_MAX}-of-a-tool-that-was-killed"))
    other = lambda_memory.make_cap(64 * 2**20)
    assert other is not None
    assert not left.exists()
    other.remove()
    assert not other.folder.exists()


def test_trace_of_a_request_has_what_it_met(image: Callable[..., Image]) -> None:
    traces = [Trace(), Trace(), Trace()]

    async def use(pool: Pool, _log: list[str]) -> None:
        for item, action in zip(traces, ("nothing", "nothing", "unknown"), strict=True):
            token = trace.begin(item)
            await pool.invoke(json.dumps({"do" if action == "nothing" else "dont": action}).encode())
            trace.end(token)

    in_pool(image(), use)
    cold, warm, failed = traces
    assert (cold.beginning, warm.beginning) == ("cold", None)
    assert None not in (cold.spawn_ms, cold.init_ms, cold.handler_ms, cold.memory_mb)
    assert (warm.spawn_ms, warm.init_ms) == (None, None)
    assert cold.lines == ["loaded"]
    assert warm.lines == []
    assert failed.fault == "KeyError: 'do'"
    assert "[ERROR] KeyError: 'do'" in failed.lines


async def through(gateway: Gateway, body: bytes = b"", long: int = 0) -> tuple[int, bytes]:
    """Status and body of a request's answer; `long` is the length of one header."""
    sent: list[Any] = []
    headers = ((b"x-long", b"x" * long),) if long else ()
    arrival = Arrival("POST", b"/api/x", b"", headers, ("127.0.0.1", 1), "1.1", None, {})

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    await gateway.serve(arrival, receive, send)
    return sent[0]["status"], sent[1]["body"]
