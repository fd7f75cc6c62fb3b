"""The life of a preview, as a process of its own that gets real signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra import manifest as manifests
from infra.manifest import Function
from packager.preview import run, server

type Make = Callable[..., Function]
type Built = Callable[..., Path]

SERVE = """
import sys
from pathlib import Path
from packager.preview import run, server

with server.listen(0) as listener:
    site = run.Site(Path(sys.argv[1]), {"API_KEY": "x"}, lambda function: ())
    ended = run.serve(
        site, run.Options(), listener,
        lambda event: print(event, file=sys.stderr, flush=True), lambda url: print(f"ready {url}", flush=True),
    )
print(ended.name)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def serving(out: Path, temporary: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().removeprefix("ready ").strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_every_process_and_removes_what_was_unpacked(
    edge: Make, nodejs: Make, built: Built, tmp_path: Path, number: signal.Signals
) -> None:
    with serving(built(nodejs(), edge()), tmp_path / "tmp") as (process, url):
        with httpx.Client(base_url=url, timeout=30) as client:
            pids = [client.get("/api/pid").json(), client.get("/edge/x").json()["pid"]]
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.read() == f"{number.name}\n"
        assert process.wait() == 0
    assert not [pid for pid in pids if alive(pid)]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_signal_ends_a_preview_with_requests_in_flight(nodejs: Make, built: Built, tmp_path: Path) -> None:
    with serving(built(nodejs()), tmp_path / "tmp") as (process, url), httpx.Client(base_url=url) as client:
        client.get("/api/pid")
        with pytest.raises(httpx.ReadTimeout):
            client.get("/api/spin", timeout=0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_no_process_outlives_a_preview_that_was_killed(
    edge: Make, nodejs: Make, built: Built, tmp_path: Path
) -> None:
    with serving(built(nodejs(), edge()), tmp_path / "tmp") as (process, url):
        with httpx.Client(base_url=url, timeout=30) as client:
            pids = [client.get("/api/pid").json(), client.get("/edge/x").json()["pid"]]
        process.kill()
        process.wait()
        while any(alive(pid) for pid in pids):
            time.sleep(0.01)


def test_missing_secret_is_one_line(nodejs: Make, built: Built) -> None:
    log: list[str] = []
    run.warn_of_missing_secrets(manifests.read(built(nodejs())), {"API_KEY": "x"}, log.append)
    assert log == ["warning: the secret MISSING has no value here; put MISSING=… into .env.local"]


def test_broken_output_is_refused_before_anything_starts(nodejs: Make, built: Built, tmp_path: Path) -> None:
    out = built(nodejs())
    (out / "manifest.json").write_text("{}")
    lines: list[Any] = []
    with server.listen(0) as listener, pytest.raises(manifests.ManifestError):
        run.serve(run.Site(out, {}, lambda function: ()), run.Options(), listener, lines.append, lines.append)
    assert lines == []
