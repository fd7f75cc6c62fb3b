"""A converted Chalice app answers as its source says."""

from pathlib import Path

import pytest

from packager.scaffold.from_chalice import from_chalice
from packager.scaffold.placing import place
from runtimes.testing import Client

BOOKS = Path(__file__).parents[2] / "fixtures" / "chalice_books"
DUNE = {"title": "Dune", "year": 1965}
EMMA = {"title": "Emma", "year": 1815}

ASKED = [
    ("GET", "/", {}, 200, {"hello": "books"}),
    ("GET", "/books", {}, 200, [DUNE]),
    ("GET", "/books?since=2000", {}, 200, []),
    ("POST", "/books", {"json": {"name": "emma", **EMMA}}, 201, EMMA),
    ("POST", "/books", {"json": {"name": "emma", **EMMA}}, 409, {"error": "emma is there already"}),
    ("POST", "/books", {"json": {}}, 400, {"error": "name is missing"}),
    ("GET", "/books/emma", {}, 200, EMMA),
    ("GET", "/books/none", {}, 404, {"error": "no book none"}),
    ("PUT", "/books/emma", {"json": {"year": 1816}}, 200, {**EMMA, "year": 1816}),
    ("DELETE", "/books/emma", {}, 410, {"error": "books stay"}),
    ("GET", "/books/dune/price", {}, 200, {"price": 9.5, "name": "dune"}),
    ("GET", "/nothing", {}, 200, None),
    ("GET", "/secret", {"headers": {"X-Key": "open"}}, 200, {"secret": True}),
    ("GET", "/secret", {}, 401, {"error": "no key"}),
    ("GET", "/admin/stats", {}, 200, {"books": 2}),
]


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    conversion = from_chalice(BOOKS / "app.py", "books")
    folder = tmp_path_factory.mktemp("converted") / "books"
    place(conversion.files, folder)
    return conversion, folder


def test_the_project_answers_as_the_source_says(books):
    with Client(books[1]) as client:
        for method, path, options, status, body in ASKED:
            answer = client.request(method, path, **options)
            assert (answer.status_code, answer.json()) == (status, body), (method, path)
            assert answer.headers["content-type"] == "application/json"
        echo = client.post("/echo", content=b"as it is")
        assert (echo.text, echo.headers["content-type"]) == ("as it is", "text/plain")
        assert client.get("/text").text == "not quoted"
        asked = {"Origin": "https://books.example", "Access-Control-Request-Method": "PUT"}
        preflight = client.options("/books/dune", headers=asked)
        assert preflight.headers["access-control-allow-origin"] == "https://books.example"
        assert "X-Special" in preflight.headers["access-control-allow-headers"]


def test_what_is_not_moved_is_told_with_its_line_and_reason(books):
    lines = (BOOKS / "app.py").read_text().splitlines()
    left = {lines[int(row.place.rpartition(":")[2]) - 1]: row.reason for row in books[0].left}
    assert set(left) == {
        "def authorizer(auth_request):",
        "def guarded():",
        "def context():",
        "def every_day(event):",
        "def on_upload(event):",
    }
    assert "protected by authorizer" in left["def guarded():"]
    assert (books[0].found, books[0].moved) == (12, 10)


def test_what_the_runtime_of_chalice_brings_is_named(books):
    assert '"boto3>=1.40"' in books[0].files["pyproject.toml"]
    assert "chalice" not in books[0].files["pyproject.toml"]
    assert "every_day" not in "".join(text for file, text in books[0].files.items() if file.endswith(".py"))
