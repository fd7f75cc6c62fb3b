"""Headless Chromium, and a site of our own whose pages it shows and reports from."""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
SECONDS = 60
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--enable-logging=stderr",
]
_FLAGS += [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
]
_TYPES = {".js": "text/javascript", ".html": "text/html; charset=utf-8"}


class Site(ThreadingHTTPServer):
    """Serves `files`, by path, to every host name; `findings` are the JSON documents that its pages post."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Visit)
        self.files: dict[str, bytes] = {}
        self.findings: queue.SimpleQueue[Any] = queue.SimpleQueue()


class _Visit(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        body = self.server.files.get(self.path)
        self.answer(404 if body is None else 200, body or b"")

    def do_POST(self) -> None:
        self.server.findings.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.answer(200, b"{}")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("content-type", _TYPES.get(Path(self.path).suffix, _TYPES[".html"]))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """A running site, on a free port."""
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def findings(server: Site, url: str, profile: Path) -> Any:
    """What the page at `url` posts to the site; the browser has a new profile, and is ended with all its processes."""
    log = profile.with_name("chromium.log")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [str(CHROMIUM), *_FLAGS, f"--user-data-dir={profile}", url],
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )
    try:
        return server.findings.get(timeout=SECONDS)
    except queue.Empty:
        raise AssertionError(f"the page reported nothing:\n{log.read_text()}") from None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
