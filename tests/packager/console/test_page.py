"""The page as people use it, in a real browser: by keyboard, in the dark, on a small screen."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from chromium import CHROMIUM, Tab, chromium

STYLE = Path(__file__).parents[3] / "packager" / "console" / "page" / "base.css"
TEXTS = ("ink", "soft", "accent", "ok", "moved", "warn", "bad", "edge", "nodejs")
GROUNDS = ("page", "panel", "raised", "select")


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_on_every_ground(theme: str) -> None:
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", STYLE.read_text())
    colours = {name: light if theme == "light" else dark for name, light, dark in found}
    pairs = [(text, ground) for text in TEXTS for ground in GROUNDS] + [
        ("on-accent", "accent"),
        ("page", "bad"),
    ]
    for text, ground in pairs:
        high, low = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


def seen(tab: Tab, name: str) -> None:
    """Keep a picture of what is seen, if somebody wants to look (`CONSOLE_SCREENSHOTS`: a folder)."""
    if folder := os.environ.get("CONSOLE_SCREENSHOTS"):
        tab.screenshot(Path(folder) / f"{name}.png")


@pytest.mark.e2e
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (apt-get install chromium)")
def test_a_day_at_the_console(stand: Any, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as tab:
        tab.open(f"{stand.url}/_packager")
        tab.until("document.body.innerText.includes('No request yet.')")
        _routes(tab)
        _requests_appear(tab, stand)
        _by_keyboard(tab)
        _replayed_with_another_header(tab)
        _in_the_dark(tab)
        _many(tab, stand)
        _small(tab)
        assert tab.errors == []


def _routes(tab: Tab) -> None:
    tab.press("2")
    tab.until("document.querySelectorAll('tbody tr').length === 4")
    text = tab.run("document.querySelector('table').innerText")
    for part in (
        "/api/users/[id]",
        "imports psycopg, which has native code",
        "1.8 MB",
        "behind middleware.py",
    ):
        assert part in text
    seen(tab, "routes")
    tab.press("4")
    assert tab.run("document.querySelectorAll('.picture .box').length") == 3
    seen(tab, "deployment")
    tab.press("1")


def _requests_appear(tab: Tab, stand: Any) -> None:
    stand.ask("GET", "/api/hello")
    stand.ask("GET", "/api/orders?page=2", headers={"x-colour": "red", "authorization": "Bearer t"})
    stand.ask("GET", "/api/report")
    tab.until("document.querySelectorAll('[role=option]').length === 3")
    tab.until("document.querySelectorAll('.status.waiting').length === 0")
    labels = tab.run("[...document.querySelectorAll('[role=option]')].map((row) => row.ariaLabel)")
    assert [re.sub(r", [\d.]+ ms$", "", label) for label in sorted(labels)] == [
        "GET /api/hello, 200, edge cold",
        "GET /api/orders?page=2, 200, nodejs cold",
        "GET /api/report, 500, nodejs ",
    ]
    seen(tab, "requests")


def _by_keyboard(tab: Tab) -> None:
    tab.press("/")
    tab.until("document.activeElement.id === 'filter'")
    tab.type("orders")
    tab.until("document.querySelectorAll('[role=option]').length === 1")
    tab.press("Enter")
    tab.until("document.activeElement.getAttribute('role') === 'option'")
    outline = tab.run("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    tab.press("Enter")
    tab.until("document.querySelector('.timeline')")
    text = tab.run("document.querySelector('.detail').innerText")
    for part in (
        "cold start",
        "middleware",
        "handler",
        "INFO looking up the order",
        "‹SESSION_KEY›",
        "71 MB used",
    ):
        assert part in text
    assert "Bearer" not in text
    seen(tab, "detail")


def _replayed_with_another_header(tab: Tab) -> None:
    tab.press("e")
    tab.until("document.activeElement.ariaLabel === 'Path and query'")
    tab.run("document.querySelector('[aria-label=\"Value of x-colour\"]').focus()")
    tab.type("blue")
    seen(tab, "edit")
    tab.press("Enter")
    tab.until("location.hash === '#/requests/4' && document.querySelector('.detail .timeline')")
    tab.until("document.querySelector('.detail').innerText.includes('\"colour\": \"blue\"')")
    text = tab.run("document.querySelector('.detail').innerText")
    assert '"auth": 8' in text
    assert "again: request 2" in text
    tab.press("r")
    tab.until("location.hash === '#/requests/5'")
    tab.press("Escape")
    tab.until("!document.querySelector('.detail')")
    tab.until("document.activeElement.dataset.number === '5'")
    tab.run("document.getElementById('filter').focus()")
    tab.type("")
    tab.press("Escape")
    tab.press("Escape")


def _in_the_dark(tab: Tab) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    assert tab.run(ground) == "rgb(255, 255, 255)"
    tab.prefer("dark")
    assert tab.run(ground) == "rgb(17, 20, 25)"
    seen(tab, "dark")
    tab.press("t")
    assert tab.run(ground) == "rgb(255, 255, 255)"
    tab.press("t")
    assert tab.run(ground) == "rgb(17, 20, 25)"
    tab.press("?")
    tab.until("document.querySelector('[role=dialog]')")
    seen(tab, "help")
    tab.press("Escape")
    tab.until("!document.querySelector('[role=dialog]')")


def _many(tab: Tab, stand: Any) -> None:
    """Hundreds of requests: nothing jumps, and few rows are drawn."""
    tab.run(
        "window.jumps = 0; new PerformanceObserver((list) => {"
        " for (const entry of list.getEntries()) window.jumps += entry.value;"
        "}).observe({ type: 'layout-shift' })"
    )
    tab.run(
        "(async () => { for (let batch = 0; batch < 25; batch += 1) await Promise.all("
        " Array.from({ length: 20 }, (_, at) => fetch(`/api/orders?at=${batch}-${at}`))); })()"
    )
    tab.until("document.querySelector('.tools .soft').innerText === '500'")
    assert tab.run("window.jumps") < 0.05
    assert tab.run("document.querySelectorAll('[role=option]').length") < 60
    newest = tab.run("document.querySelector('[aria-posinset=\"1\"]').innerText")
    assert "/api/orders?at=24-" in newest
    tab.press("j", "j", "3")
    tab.until("document.querySelectorAll('circle').length >= 500")
    assert "cold starts" in tab.run("document.querySelector('.statistic').innerText")
    seen(tab, "statistics")


def _small(tab: Tab) -> None:
    tab.resize(400, 800)
    for view in ("requests", "routes", "statistics", "deployment", "problems"):
        tab.run(f"location.hash = '#/{view}'")
        tab.until(f"document.querySelector('nav [aria-current]').hash === '#/{view}'")
        assert tab.run("document.documentElement.scrollWidth") <= 400, view
        seen(tab, f"small-{view}")
