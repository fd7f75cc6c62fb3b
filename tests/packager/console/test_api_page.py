"""The page of the API over HTTP, from a project that is read while it is served."""

from pathlib import Path
from typing import Any

import pytest

from packager.console.api import Api
from packager.console.console import Page
from packager.openapi import page

PYPROJECT = '[project]\nname = "x"\n[tool.packager]\nbase_path = "/v1"\npublic_url = "https://example.com"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app" / "x").mkdir(parents=True)
    (tmp_path / "app" / "x" / "route.py").write_text("def GET(): ...\n")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    return tmp_path


@pytest.fixture
def pages(root: Path) -> tuple[Page, ...]:
    return (Api(root, print).page,)


def test_the_page_is_served_whole_and_asks_its_own_server(stand: Any) -> None:
    shown = stand.ask("GET", page.MOUNT)
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    loaded = [part.split('"')[0] for part in shown.text.split('src="')[1:]]
    for path in (*loaded, *(f"{page.MOUNT}/{name}" for name in page.SWAGGER)):
        assert stand.ask("GET", path).status_code == 200, path
    assert stand.ask("GET", f"{page.MOUNT}/openapi.json").json()["servers"] == [{"url": "/v1"}]
    assert {"path": "/api", "title": "API"} in stand.ask("GET", "/_packager/data/project").json()["pages"]


@pytest.mark.parametrize(
    "name", ["%2e%2e/x", "%2e%2e%2f%2e%2e%2fpyproject.toml", "swagger-ui.js", "api_page.html", "/etc/passwd"]
)
def test_what_is_no_file_of_the_page_is_not_served(stand: Any, name: str) -> None:
    assert stand.ask("GET", f"{page.MOUNT}/{name}").status_code == 404


def test_the_document_is_for_the_page_itself_and_nothing_is_changed(stand: Any) -> None:
    document = f"{page.MOUNT}/openapi.json"
    assert stand.ask("GET", document, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert stand.ask("GET", page.MOUNT, headers={"host": "example.com"}).status_code == 403
    assert stand.ask("POST", document).status_code == 405


def test_what_keeps_the_api_from_being_described_is_told_with_its_place(stand: Any, root: Path) -> None:
    (root / "app" / "x" / "route.py").write_text("def GET(:\n")
    answer = stand.ask("GET", f"{page.MOUNT}/openapi.json")
    assert answer.status_code == 503
    [problem] = answer.json()["problems"]
    assert problem["place"] == "app/x/route.py:1"
