import ast

import pytest

from packager.errors import ProjectError
from packager.scaffold.from_fastapi import from_fastapi


@pytest.fixture
def converted(tmp_path):
    """Convert the text of an app."""

    def convert(text, names="FastAPI, Depends, Header, HTTPException, APIRouter, Request, Query"):
        (tmp_path / "main.py").write_text(f"from fastapi import {names}\n\napp = FastAPI()\n{text}")
        return from_fastapi(tmp_path / "main.py", "x")

    return convert


def test_a_route_whose_guard_cannot_be_moved_is_left_out(converted):
    with pytest.raises(ProjectError, match="none of the 1 handlers"):
        converted(
            "guard = object()\n\n\n@app.get('/a', dependencies=[Depends(guard)])\ndef a():\n    return {}\n"
        )


def test_the_guard_of_a_router_goes_before_its_handlers(converted):
    made = converted(
        "def guard(x_key: str = Header()):\n    raise HTTPException(403)\n\n\n"
        "router = APIRouter(prefix='/in', dependencies=[Depends(guard)])\n\n\n"
        "@router.get('/a')\ndef a():\n    return {}\n\n\napp.include_router(router)\n"
    )
    assert "    guard(x_key=headers.x_key)\n    return {}" in made.files["app/in/a/route.py"]


def test_a_prefix_that_is_computed_leaves_its_routes(converted):
    made = converted(
        "import os\nrouter = APIRouter(prefix=os.environ['P'])\nV = '/v1'\n\n\n"
        "@router.get('/a')\ndef a():\n    return {}\n\n\n@app.get('/b')\ndef b():\n    return {}\n\n\n"
        "app.include_router(router)\n"
    )
    assert [row.reason for row in made.left] == ["its prefix is no text"]
    assert [file for file in made.files if file.startswith("app/")] == ["app/b/route.py"]


def test_cors_for_everything_asks_for_no_lists(converted):
    made = converted(
        "from fastapi.middleware.cors import CORSMiddleware\n"
        "app.add_middleware(CORSMiddleware, allow_origins=['https://a.example'], allow_credentials=True, "
        "allow_methods=['*'], allow_headers=['*'])\n\n\n@app.get('/a')\ndef a():\n    return {}\n"
    )
    assert 'cors = {"origins": ["https://a.example"], "credentials": True}' in made.files["app/a/route.py"]


def test_routes_of_one_url_share_a_file_and_a_second_of_one_method_is_told(converted):
    made = converted(
        "@app.get('/a/{id}')\ndef a(id: str):\n    return {'id': id}\n\n\n"
        "@app.post('/a/{key}')\ndef b(key: str):\n    return {'key': key}\n\n\n"
        "@app.get('/a/{id}')\ndef c(id: str):\n    return {}\n"
    )
    tree = ast.parse(made.files["app/a/[id]/route.py"])
    assert [row.name for row in tree.body if isinstance(row, ast.FunctionDef)] == ["GET", "POST"]
    assert 'key = params["id"]' in made.files["app/a/[id]/route.py"]
    assert [row.place for row in made.left] == ["main.py:15"]


def test_a_mounted_app_is_below_its_path_and_without_the_guards_around_it(converted):
    made = converted(
        "def guard():\n    raise HTTPException(403)\n\n\n"
        "inner = FastAPI()\nouter = FastAPI(dependencies=[Depends(guard)])\nouter.mount('/in', inner)\n\n\n"
        "@inner.get('/a')\ndef a():\n    return {}\n\n\n@outer.get('/b')\ndef b():\n    return {}\n"
    )
    routes = {file: text for file, text in made.files.items() if file.startswith("app/")}
    assert sorted(routes) == ["app/b/route.py", "app/in/a/route.py"]
    assert ["guard()" in routes[file] for file in sorted(routes)] == [True, False]
    assert not made.left


def test_a_function_on_one_line_becomes_one_on_two(converted):
    signature = "def a(a: int, bbbbbbbbbb: int = 1, *, cccccccccc: int = 2, dddddddddd: int = 3)"
    made = converted(f"@app.get('/a')\n{signature}: return [a, bbbbbbbbbb, cccccccccc, max(dddddddddd, 1)]\n")
    text = made.files["app/a/route.py"]
    assert "\n    return answer([a, bbbbbbbbbb, cccccccccc, max(dddddddddd, 1)])\n" in text
