import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from packager.candidates import versions_for_edge
from packager.lock import Source, sources
from packager.model import Project, Settings

if TYPE_CHECKING:
    from conftest import Wheelhouse

WASM = "cp314-cp314-pyemscripten_2026_0_wasm32"
NAMES = [
    f"fast-2.0-{WASM}.whl",
    f"fast-10.0-{WASM}.whl",
    f"fast-11.0rc1-{WASM}.whl",
    "fast-0.1-py3-none-any.whl",
    "fast-12.0-cp314-cp314-manylinux_2_28_aarch64.whl",
    f"other-3.0-{WASM}.whl",
    "fast-13.0.tar.gz",
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "project").mkdir()
    return Project(tmp_path / "project", "x", "app", "", (), Settings())


class Index(http.server.BaseHTTPRequestHandler):
    """A simple repository with one project, in JSON for who asks for it, else in HTML."""

    def do_GET(self) -> None:
        as_json = self.path.startswith("/json/") and "json" in (self.headers["accept"] or "")
        rows = [{"filename": name, "url": f"https://files.example/{name}"} for name in NAMES]
        html = "".join(f'<a href="https://files.example/{name}#sha256=0">{name}</a><br>' for name in NAMES)
        body = (json.dumps({"files": rows}) if as_json else html).encode()
        self.send_response(200 if self.path.endswith("/fast/") else 404)
        self.send_header("content-type", "application/json" if as_json else "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("form", ["json", "html"])
def test_an_index_tells_the_released_versions_with_a_wasm_wheel(
    project: Project, index: str, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index}/{form}")
    assert versions_for_edge(project, "Fast") == ("2.0", "10.0")
    assert versions_for_edge(project, "nothing") == ()


def test_a_folder_of_wheels_tells_them_too(project: Project, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("fast", "1.0", tag=WASM)
    wheelhouse.add("fast", "2.0")
    assert versions_for_edge(project, "fast") == ("1.0",)


def test_an_index_that_does_not_answer_tells_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert versions_for_edge(project, "fast") == ()


def test_the_sources_are_those_of_uvs_settings(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    (project.root / "wheels").mkdir()
    (project.root / "uv.toml").write_text(
        'find-links = ["wheels"]\n[[index]]\nurl = "https://own.example/simple"\ndefault = true\n'
    )
    found = sources(project)
    assert found[0] == Source("https://own.example/simple", flat=False)
    assert [(item.url.rpartition("/")[2], item.flat) for item in found[1:]] == [("wheels", True)]
