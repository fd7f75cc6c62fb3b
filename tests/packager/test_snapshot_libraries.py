"""Compiled distributions in a snapshot: pydantic's own core, and what a handler imports later."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from edge_artifact import Artifact, Served, build_artifact, served, write_project

from packager.errors import ToolError

pytestmark = pytest.mark.long

FILES = {
    "app/api/model/route.py": """\
from pydantic import BaseModel, Field, ValidationError, field_validator


class Order(BaseModel):
    number: int = Field(gt=0)
    name: str
    tags: list[str] = []

    @field_validator("name")
    @classmethod
    def stripped(cls, value: str) -> str:
        return value.strip()


async def POST(request):
    try:
        return Order.model_validate_json(await request.body()).model_dump()
    except ValidationError as error:
        return {"errors": [[row["type"], *row["loc"]] for row in error.errors()]}
""",
    "app/api/schema/route.py": (
        "from app.api.model.route import Order\n\n\ndef GET():\n    return Order.model_json_schema()\n"
    ),
    "app/api/later/route.py": """\
import pydantic


def GET(request):
    class Made(pydantic.BaseModel):
        size: pydantic.PositiveInt

    made = pydantic.create_model("Other", value=(float, ...))
    try:
        return {"size": Made(size=request.query_params["size"]).size, "value": made(value="1.5").value}
    except pydantic.ValidationError as error:
        return {"errors": error.error_count(), "text": str(error)}
""",
    "app/api/limit/route.py": """\
import os

from pydantic import BaseModel, Field, ValidationError

LIMIT = int(os.environ["LIMIT"])


class Limited(BaseModel):
    value: int = Field(le=LIMIT)


def GET(request):
    try:
        return Limited.model_validate(dict(request.query_params)).model_dump()
    except ValidationError as error:
        return {"errors": [row["type"] for row in error.errors()]}
""",
    "app/api/second/route.py": """\
def GET():
    import msgspec

    class Point(msgspec.Struct):
        x: int

    try:
        msgspec.json.decode(b'{"x": "no"}', type=Point)
    except msgspec.ValidationError as error:
        wrong = str(error)
    return {"x": msgspec.json.decode(b'{"x": 7}', type=Point).x, "wrong": wrong}
""",
}


@pytest.fixture(scope="module", params=["snapshot", "stock"])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp(request.param) / "shop"
    project = write_project(folder, FILES, loader=request.param, dependencies=("pydantic", "msgspec"))
    try:
        return build_artifact(project, check=True)
    except ToolError as error:
        if re.search("cannot be reached|could not be downloaded", error.message):
            pytest.skip(f"pydantic and msgspec are neither cached nor to be had: {error.message}")
        raise


@pytest.fixture(scope="module")
def server(artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(artifact.folder, tmp_path_factory.mktemp("log") / "stderr", LIMIT="3") as running:
        yield running


def test_the_artifact_has_what_was_compiled_for_it(artifact: Artifact) -> None:
    names = {row.name: row.native for row in artifact.function.distributions}
    assert (names["pydantic-core"], names["msgspec"], names["pydantic"]) == (True, True, False)


def test_of_the_routes_only_the_one_that_reads_the_environment_is_late(artifact: Artifact) -> None:
    # pydantic reads variables too, but of its own name
    snapshot = artifact.function.snapshot
    assert snapshot is None or list(snapshot.late) == ["app/api/limit/route.py"]


def test_a_model_that_is_late_sees_the_environment(server: Served) -> None:
    assert server.get("/api/limit?value=3").json() == {"value": 3}
    assert server.get("/api/limit?value=4").json() == {"errors": ["less_than_equal"]}


def test_a_model_of_the_snapshot_validates(server: Served) -> None:
    answer = server.post("/api/model", {"number": "7", "name": " x ", "tags": ["a"]})
    assert answer == {"number": 7, "name": "x", "tags": ["a"]}


def test_what_is_wrong_is_a_validation_error(server: Served) -> None:
    assert server.post("/api/model", {"number": 0}) == {
        "errors": [["greater_than", "number"], ["missing", "name"]]
    }


def test_a_schema_of_the_snapshot_is_there(server: Served) -> None:
    assert server.get("/api/schema").json()["required"] == ["number", "name"]


def test_models_are_made_after_the_start(server: Served) -> None:
    assert server.get("/api/later?size=3").json() == {"size": 3, "value": 1.5}
    wrong = server.get("/api/later?size=-3").json()
    assert wrong["errors"] == 1
    assert "Input should be greater than 0" in wrong["text"]


def test_a_second_compiled_module_is_imported_in_a_handler(server: Served) -> None:
    for _ in range(2):
        answer = server.get("/api/second").json()
        assert answer == {"x": 7, "wrong": "Expected `int`, got `str` - at `$.x`"}


def test_the_log_stays_empty(artifact: Artifact, tmp_path: Path) -> None:
    with served(artifact.folder, tmp_path / "log", LIMIT="3") as server:
        assert server.post("/api/model", {"number": 1, "name": "x"})["number"] == 1
        assert server.get("/api/second").json()["x"] == 7
        assert server.log() == ""
