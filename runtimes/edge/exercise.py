"""An app that does what most apps do, so that the code that does it can be compiled in advance."""

import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from runtimes.app import App
from runtimes.context import cookies, headers
from runtimes.navigation import not_found, redirect
from runtimes.requests import Request
from runtimes.responses import Response
from runtimes.table import RouteEntry, Table

_PATHS = ("/exercise", "/exercise/[id]", "/exercise/[id]/[...rest]")


async def _get(request: Request, params: dict[str, Any]) -> Response:
    found = {**request.query_params, **request.cookies, "agent": headers().get("user-agent"), **params}
    response = Response.json({"found": found, "url": str(request.url), "parts": [1, 2.5, None, True, "é"]})
    response.cookies.set("exercise", "1", path="/", max_age=60, httponly=True)
    return response


async def _post(request: Request, params: dict[str, Any]) -> dict[str, Any]:
    cookies().set("seen", "yes")
    return {**await request.json(), **params}


def _put() -> Response:
    redirect("/exercise")


async def _delete() -> Response:
    not_found()


def models() -> None:
    """Validate something with pydantic, if the app has it: no compiled package is in more apps."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None:
        return
    fields = {"id": (int, 1), "name": (str, "x"), "tags": (list[str], []), "ratio": (float | None, None)}
    kind = pydantic.create_model("Exercise", **fields)
    kind.model_validate({"id": "2", "name": "y", "tags": ["a"], "ratio": 0.5}).model_dump_json()
    with suppress(ValueError):
        kind.model_validate({"id": "two", "tags": 3})
    kind.model_validate_json('{"id": 3}').model_dump()


def app() -> App:
    """It answers GET, POST, PUT and DELETE below `/exercise`."""
    module = ModuleType("exercise")
    module.__dict__.update(GET=_get, POST=_post, PUT=_put, DELETE=_delete)
    routes = tuple(RouteEntry(path, f"{path}/route.py", "exercise", 2**20) for path in _PATHS)
    return App(Table("exercise", routes), Path("/"), lambda _root, _file: module)
