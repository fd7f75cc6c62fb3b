"""One application of N routes, written down for packager, for SAM and for Chalice.

Every route answers with a pydantic model. packager has them in one function, or each in its own; SAM has a function
a route, as its templates are written; Chalice has one function for all, as it always does.
"""

from pathlib import Path

DEPENDENCIES = ("starlette", "pydantic")

_MODEL = """\
from pydantic import BaseModel


class Item(BaseModel):
    id: int
    name: str
"""
_ROUTE = """\
from runtimes import Request, Response

from lib.model import Item

isolate = {isolate}


async def GET(request: Request) -> Response:
    return Response.json(Item(id={number}, name="item").model_dump())
"""
_SAM_APP = """\
from mangum import Mangum
from model import Item
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def get(request):
    return JSONResponse(Item(id={number}, name="item").model_dump())


handler = Mangum(Starlette(routes=[Route("/api/r{number}", get)]), lifespan="off")
"""
_SAM_FUNCTION = """\
  F{number}:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: f{number}/
      Handler: app.handler
      Runtime: python3.13
      Architectures: [arm64]
"""
_CHALICE_ROUTE = """

@app.route("/api/r{number}")
def r{number}():
    return Item(id={number}, name="item").model_dump()
"""


def for_packager(folder: Path, count: int, *, isolate: bool = False) -> None:
    """A tree of `count` routes."""
    dependencies = ", ".join(f'"{name}"' for name in DEPENDENCIES)
    _write(folder / "pyproject.toml", f'[project]\nname = "bench"\ndependencies = [{dependencies}]\n')
    _write(folder / "lib/model.py", _MODEL)
    for number in range(count):
        _write(folder / f"app/api/r{number}/route.py", _ROUTE.format(number=number, isolate=isolate))


def for_sam(folder: Path, count: int) -> None:
    """A template of `count` functions."""
    functions = "".join(_SAM_FUNCTION.format(number=number) for number in range(count))
    _write(folder / "template.yaml", f"Transform: AWS::Serverless-2016-10-31\nResources:\n{functions}")
    for number in range(count):
        _write(folder / f"f{number}/app.py", _SAM_APP.format(number=number))
        _write(folder / f"f{number}/model.py", _MODEL)
        _write(folder / f"f{number}/requirements.txt", "\n".join((*DEPENDENCIES, "mangum")) + "\n")


def for_chalice(folder: Path, count: int) -> None:
    """An app of `count` routes."""
    routes = "".join(_CHALICE_ROUTE.format(number=number) for number in range(count))
    head = (
        'from chalice import Chalice\nfrom chalicelib.model import Item\n\napp = Chalice(app_name="bench")\n'
    )
    _write(folder / "app.py", head + routes)
    _write(folder / "chalicelib/__init__.py", "")
    _write(folder / "chalicelib/model.py", _MODEL)
    _write(folder / "requirements.txt", "\n".join(DEPENDENCIES) + "\n")
    _write(
        folder / ".chalice/config.json", '{"version": "2.0", "app_name": "bench", "stages": {"dev": {}}}\n'
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
