"""The page of the API in a real browser, beside `dev`, which keeps the types: read, tried, broken and mended."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from chromium import CHROMIUM, Tab, chromium
from serving import PACKAGER, Server, alive, started

pytestmark = pytest.mark.e2e

PYPROJECT = """[project]
name = "shop"
version = "1"
dependencies = ["pydantic>=2.9"]
[tool.packager.types]
out = "web/api"
"""
ROUTE = """from dataclasses import dataclass

@dataclass
class Order:
    item: str
    count: int = 1

def GET(*, query: Order) -> Order:
    return query
"""
ITEM = "tr[data-param-name=item] input"
ANSWER = ".live-responses-table .response"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    for name, text in {"pyproject.toml": PYPROJECT, "app/api/orders/route.py": ROUTE}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def seen(tab: Tab, name: str) -> None:
    """Keep a picture of what is seen, if somebody wants to look (`CONSOLE_SCREENSHOTS`: a folder)."""
    if folder := os.environ.get("CONSOLE_SCREENSHOTS"):
        tab.screenshot(Path(folder) / f"{name}.png")


def ends_at_once(server: Server) -> None:
    """Ctrl-C while the routes are imported: nothing is waited for."""
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(10) == 130


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (apt-get install chromium)")
def test_the_page_of_the_api_follows_what_is_saved(project: Path, tmp_path: Path) -> None:
    route = project / "app" / "api" / "orders" / "route.py"
    command = [*PACKAGER, "dev", str(project), "--port", "0"]
    with started(command) as server, chromium(tmp_path / "profile") as tab:
        _tried(server, tab)
        _written(server, project)
        route.write_text(f"raise ValueError('no stock')\n{ROUTE}")
        tab.until("document.querySelector('#fault').innerText.includes('app/api/orders/route.py:1')")
        tab.until("document.querySelector('#fault').innerText.includes('no stock')")
        seen(tab, "api-fault")
        _until(
            lambda: any("the types are not written: app/api/orders/route.py:1" in line for line in server.log)
        )
        route.write_text(ROUTE.replace("count", "amount"))
        tab.until("document.body.innerText.includes('amount') && document.querySelector('#fault').hidden")
        assert [error for error in tab.errors if "503" not in error] == []
        marker = project / "started"
        route.write_text(
            f"import os, pathlib, time\n"
            f"if 'PACKAGER_ORIGIN' not in os.environ:\n"
            f"    pathlib.Path({str(marker)!r}).write_text(str(os.getpid()))\n"
            f"    time.sleep(50)\n{ROUTE}"
        )
        _until(marker.exists)
        ends_at_once(server)
        _until(lambda: not alive(int(marker.read_text())))


def _tried(server: Server, tab: Tab) -> None:
    tab.prefer("light")
    tab.open(f"{server.url}/_packager")
    tab.until("document.querySelector('nav a[href=\"/_packager/api\"]')")
    tab.run("document.querySelector('nav a[href=\"/_packager/api\"]').click()")
    tab.until("document.querySelector('.opblock') !== null && document.title === 'API · shop'")
    for control in (".opblock-summary-control", ".try-out__btn"):
        _clicked(tab, control)
    tab.until(f"document.querySelector('{ITEM}')")
    tab.run(f"document.querySelector('{ITEM}').focus()")
    tab.type("tea")
    # Swagger UI takes what was typed a moment later, or when the field is left.
    tab.run("document.activeElement.blur()")
    tab.until(f"document.querySelector('{ITEM}').value === 'tea'")
    _clicked(tab, ".execute")
    tab.until(f"document.querySelector('{ANSWER}')")
    assert '"item": "tea"' in tab.run(f"document.querySelector('{ANSWER}').innerText")
    _until(lambda: any("GET /api/orders 200" in line for line in server.log))
    seen(tab, "api-light")
    tab.prefer("dark")
    tab.until("document.documentElement.classList.contains('dark-mode')")
    seen(tab, "api-dark")


def _clicked(tab: Tab, control: str) -> None:
    tab.until(f"document.querySelector('{control}')")
    tab.run(f"document.querySelector('{control}').click()")


def _written(server: Server, project: Path) -> None:
    """The types are there, and their being written reloads nothing."""
    out = project / "web" / "api"
    _until(lambda: any(line.startswith("wrote openapi.json") for line in server.log))
    assert "item" in json.dumps(json.loads((out / "openapi.json").read_text())["paths"])
    assert not any("reloading" in line for line in server.log)


def _until(happened: object) -> None:
    end = time.monotonic() + 30
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
