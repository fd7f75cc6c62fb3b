"""A cloud on this machine: MiniStack, which answers as AWS does and really runs the functions deployed to it.

A pytest plugin. `ministack_server` is one server for all tests of a process; `ministack` is that server emptied,
with the variables of this process pointing at it, for one test. What MiniStack needs is installed once, into an
environment of its own in the user's cache: it pins another botocore than the product's.
"""

import hashlib
import http.client
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from serving import Answer
from uv import find_uv_bin

from packager import node
from packager.cache import cache_dir
from packager.preview.child_process import program

REQUIREMENTS = Path(__file__).parents[1] / "requirements" / "ministack.txt"
PYTHON = "3.13"
"""What Python functions run on: MiniStack's own interpreter, here the one that projects have by default."""
ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
"""That of the functions, which run on this machine."""
ACCOUNT = "123456789012"
REGION = "us-east-1"
"""A stage's default. MiniStack's `Fn::GetStackOutput` reads no other region, so elsewhere no edge stack is made."""
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class MiniStack:
    """A running server. `log` is what it and the functions wrote, `folder` where all its files are."""

    port: int
    folder: Path

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def environment(self, region: str = REGION) -> dict[str, str]:
        """The variables that make boto3, the AWS tools and `packager` talk to it, and to nothing else."""
        return {
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint,
            # Names such as `stream-127.0.0.1`, which some calls would go to, are nobody's.
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            **_without_settings(self.folder),
        }

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client, whatever the variables of this process say."""
        import boto3  # noqa: PLC0415 - half a second that only tests with a cloud need
        from botocore.config import Config  # noqa: PLC0415

        return boto3.Session(ACCOUNT, "secret", region_name=region).client(
            service, endpoint_url=self.endpoint, config=Config(inject_host_prefix=False)
        )

    def outputs(self, stack: str, region: str = REGION) -> dict[str, str]:
        """What a deployed stack gives."""
        described = self.client("cloudformation", region).describe_stacks(StackName=stack)["Stacks"][0]
        return {row["OutputKey"]: row["OutputValue"] for row in described.get("Outputs", [])}

    def ask(
        self,
        api: str,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request to the HTTP API with the id `api`, over a real socket."""
        host = {"host": f"{api}.execute-api.localhost:{self.port}"}
        return _ask(self.port, method, path, {**host, **(headers or {})}, body)

    def reset(self) -> None:
        """Forget everything: stacks, buckets, functions, logs."""
        assert _ask(self.port, "POST", "/_ministack/reset").status == 200, self.log


@pytest.fixture(scope="session")
def ministack_server() -> Iterator[MiniStack]:
    """The server of this process, with what earlier tests left in it."""
    with tempfile.TemporaryDirectory(prefix="ministack-") as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name).resolve()
        for variable in [key for key in os.environ if key.startswith("AWS_")]:
            patch.delenv(variable)
        for variable, value in _without_settings(folder).items():
            patch.setenv(variable, value)
        with running(folder) as server:
            yield server


@pytest.fixture
def ministack(ministack_server: MiniStack, monkeypatch: pytest.MonkeyPatch) -> MiniStack:
    """The server without anything in it; boto3 and commands started by the test use it."""
    ministack_server.reset()
    for variable, value in ministack_server.environment().items():
        monkeypatch.setenv(variable, value)
    return ministack_server


@contextmanager
def running(folder: Path) -> Iterator[MiniStack]:
    """A server on a free port of 127.0.0.1 that keeps its files in `folder`; it ends with the block or this process.

    Skips the test where there is no Python 3.13.
    """
    interpreter = _environment() / "bin" / "python"
    with socket.socket() as listener, (folder / "log").open("wb") as log:
        # Taken here and handed down: a port that is only looked up may be another's when the server starts.
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        bind = f"fd://{listener.fileno()}"
        # Not MiniStack's own command, which cannot take a port over; one process, so that it ends as a whole.
        serve = (
            "-m",
            "hypercorn",
            "--workers",
            "0",
            "--keep-alive",
            "75",
            "--bind",
            bind,
            "ministack.app:app",
        )
        process = subprocess.Popen(
            program("exec", str(interpreter), *serve),
            cwd=folder,
            env=_variables(folder, port),
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = MiniStack(port, folder)
    try:
        _wait_until_ready(process, server)
        yield server
    finally:
        # The processes of functions are in its group. All files are in `folder`: nothing is left to be cleaned up.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _variables(folder: Path, port: int) -> dict[str, str]:
    """The server's whole environment, which functions inherit: nothing of this checkout, Node as pip installed it."""
    return {
        "PATH": os.pathsep.join([str(node.node().parent), os.environ["PATH"]]),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "LAMBDA_EXECUTOR": "local",
        # What would listen on fixed ports besides.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }


def _without_settings(folder: Path) -> dict[str, str]:
    """Keep the AWS settings of the machine and of its user out."""
    nothing = str(folder / "no-aws-settings")
    return {
        "AWS_CONFIG_FILE": nothing,
        "AWS_SHARED_CREDENTIALS_FILE": nothing,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _wait_until_ready(process: subprocess.Popen[bytes], server: MiniStack) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            if _ask(server.port, "GET", "/_ministack/ready").status == 200:
                return
        time.sleep(0.02)
    raise AssertionError(f"MiniStack did not start:\n{server.log}")


def _ask(
    port: int, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def _environment() -> Path:
    """The environment with MiniStack in it; made if there is none yet."""
    key = REQUIREMENTS.read_bytes() + PYTHON.encode()
    folder = cache_dir() / f"ministack-{hashlib.sha256(key).hexdigest()[:12]}"
    if not folder.is_dir():
        cache_dir().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir(), prefix=".ministack-") as name:
            fresh = Path(name) / "environment"
            _install(fresh)
            # Where several processes make it at once, all make the same and the first one's stays.
            with suppress(OSError):
                fresh.rename(folder)
    return folder


def _install(folder: Path) -> None:
    uv = find_uv_bin()
    here = f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON
    made = _run(uv, "venv", "--relocatable", "--python", sys.executable if here else PYTHON, str(folder))
    if made.returncode:
        pytest.skip(f"MiniStack runs functions on Python {PYTHON}: {made.stderr}")
    pip = (uv, "pip", "install", "--require-hashes", "--python", str(folder / "bin" / "python"))
    installed = _run(*pip, "-r", str(REQUIREMENTS))
    assert installed.returncode == 0, installed.stderr


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
