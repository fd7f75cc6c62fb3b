from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from packager.errors import UsageError
from packager.examine import Examination, examine
from packager.why import RouteAnswer, ThingAnswer, why

if TYPE_CHECKING:
    from conftest import Wheelhouse, Write

GET = "def GET(): return {}\n"
PYPROJECT = '[project]\nname = "x"\ndependencies = ["thing", "fast", "unused"]\n'
FILES = {
    "pyproject.toml": PYPROJECT,
    "lib/db.py": "import thing\n",
    "middleware.py": "config = {'matcher': '/api/users/:path*'}\ndef middleware(request): pass\n",
    "app/api/users/[id]/route.py": f'import lib.db\nruntime = "auto"\n{GET}',
    "app/api/plain/route.py": f'runtime = "edge"\n{GET}',
    "app/api/auto/route.py": f'runtime = "auto"\n{GET}',
    "app/api/own/route.py": f"isolate = True\n{GET}",
}


@pytest.fixture
def house(wheelhouse: "Wheelhouse") -> "Wheelhouse":
    """What the runtime needs."""
    wheelhouse.add("anyio")
    wheelhouse.add("starlette", "1.10.0", requires=("anyio",))
    wheelhouse.add("mangum", "0.22.0")
    wheelhouse.add("python-multipart", "0.0.30")
    return wheelhouse


@pytest.fixture
def examined(write: "Write", house: "Wheelhouse") -> Examination:
    house.add("fast", "3.0", tag="cp313-cp313-manylinux_2_28_aarch64", files={"fastmod.py": ""})
    house.add("thing", "2.0", requires=("fast",))
    house.add("unused")
    return examine(write(FILES), resolving="everything")


def route(examined: Examination, name: str) -> RouteAnswer:
    answer = why(examined, name)
    assert isinstance(answer, RouteAnswer)
    return answer


def thing(examined: Examination, name: str) -> ThingAnswer:
    answer = why(examined, name)
    assert isinstance(answer, ThingAnswer)
    return answer


@pytest.mark.parametrize(
    "name",
    ["/api/users/[id]", "/api/users/7", "/api/users/7?page=2", "app/api/users/[id]/route.py"],
)
def test_a_route_is_found_by_its_path_a_url_and_its_file(examined: Examination, name: str) -> None:
    assert route(examined, name).path == "/api/users/[id]"


def test_an_auto_route_on_nodejs_tells_the_decisive_chain(examined: Examination) -> None:
    answer = route(examined, "/api/users/[id]")
    assert (answer.runtime, answer.declared_runtime) == ("nodejs", "auto")
    assert answer.findings[0].rule == "no-wasm-wheel"
    assert answer.findings[0].chain == (
        "app/api/users/[id]/route.py:1 import lib.db",
        "lib/db.py:1 import thing",
    )


def test_an_auto_route_on_edge_has_nothing_against_it(examined: Examination) -> None:
    answer = route(examined, "/api/auto")
    assert (answer.runtime, answer.findings) == ("edge", ())
    assert answer.because == "nothing that it reaches speaks against edge"
    assert (answer.function, answer.shares_with) == ("edge", ("/api/plain",))


def test_a_route_names_its_middleware_and_what_its_imports_bring(examined: Examination) -> None:
    answer = route(examined, "/api/users/[id]")
    assert answer.middleware == ("middleware.py",)
    assert [(row.name, row.version, row.chain[-1]) for row in answer.distributions] == [
        ("fast", "3.0", "thing requires fast"),
        ("thing", "2.0", "lib/db.py:1 import thing"),
    ]
    assert route(examined, "/api/own").middleware == ()


def test_an_isolated_route_says_why_it_is_alone(examined: Examination) -> None:
    assert "isolate" in route(examined, "/api/own").grouped


@pytest.mark.parametrize("name", ["fast", "FAST", "fastmod"])
def test_a_distribution_is_found_by_its_name_and_its_import_name(examined: Examination, name: str) -> None:
    answer = thing(examined, name)
    assert (answer.name, answer.kind) == ("fast", "distribution")
    rows = {row.function: row for row in answer.artifacts}
    assert {name: row.present for name, row in rows.items()} == {
        "api": True,
        "api-own": False,
        "edge": False,
    }
    assert rows["api"].chain == (
        "app/api/users/[id]/route.py:1 import lib.db",
        "lib/db.py:1 import thing",
        "thing requires fast",
    )
    assert rows["api-own"].reason == "nothing in it imports it"
    assert rows["edge"].reason.startswith("fast 3.0 has no wheel for edge (Pyodide), only for ")


def test_what_the_runtime_needs_says_so(examined: Examination) -> None:
    chains = {row.function: row.chain for row in thing(examined, "anyio").artifacts}
    assert chains["edge"] == ("packager's runtime needs starlette", "starlette requires anyio")


@pytest.mark.parametrize("name", ["lib/db.py", "./lib/db.py", "lib.db"])
def test_a_file_is_found_by_path_and_by_module(examined: Examination, name: str) -> None:
    answer = thing(examined, name)
    assert (answer.name, answer.kind) == ("lib/db.py", "file")
    rows = {row.function: (row.present, row.chain) for row in answer.artifacts}
    assert rows["api"] == (True, ("app/api/users/[id]/route.py:1 import lib.db",))
    assert rows["edge"] == (False, ())


def test_a_data_file_is_where_a_pattern_or_a_literal_path_puts_it(
    write: "Write", house: "Wheelhouse", tmp_path: Path
) -> None:
    files = {
        "pyproject.toml": '[project]\nname = "x"\n[tool.packager]\ninclude = ["plugins/*.py"]\n',
        "app/api/reads/route.py": f"isolate = True\nX = open('data/words.txt')\n{GET}",
        "app/api/lists/route.py": f"files = ['data/more.json']\n{GET}",
        **dict.fromkeys(("data/words.txt", "data/more.json", "plugins/one.py", "data/other.txt", ".env"), ""),
    }
    root = write(files)
    examined = examine(root, resolving="everything")

    def places(name: str) -> dict[str, str]:
        answer = thing(examined, name)
        assert answer.kind == "file"
        return {row.function: row.reason for row in answer.artifacts if row.present}

    data = "it is a data file: a pattern or a literal path names it"
    assert places("data/words.txt") == places(str(root / "data/words.txt")) == {"api-reads": data}
    assert places("./data/more.json") == {"api": data}
    assert places("plugins/one.py") == {"api": data, "api-reads": data}
    assert places("data/other.txt") == places(".env") == {}
    reasons = {name: thing(examined, name).artifacts[0].reason for name in ("data/other.txt", ".env")}
    assert reasons == {
        "data/other.txt": "no pattern and no literal path names it",
        ".env": "a file of such a name is never put into an artifact",
    }
    (tmp_path / "outside.txt").touch()
    with pytest.raises(UsageError):
        why(examined, "../outside.txt")


def test_what_is_left_to_lambda_says_so(write: "Write", house: "Wheelhouse") -> None:
    house.add("core")
    house.add("sdk", requires=("core",))
    files = {
        "pyproject.toml": '[project]\nname = "x"\ndependencies = ["sdk"]\n'
        '[tool.packager.lambda]\nprovided = ["sdk"]\n',
        "app/api/a/route.py": f"import sdk\n{GET}",
    }
    examined = examine(write(files), resolving="everything")
    for name in ("sdk", "core"):
        [row] = thing(examined, name).artifacts
        assert not row.present
        assert "`provided`" in row.reason


def test_a_library_that_is_tried_for_and_that_no_dependency_brings_is_in_no_artifact(
    write: "Write", house: "Wheelhouse"
) -> None:
    tried = f"try:\n    import orjson\nexcept ImportError:\n    import json\n{GET}"
    files = {"pyproject.toml": '[project]\nname = "x"\n', "app/api/a/route.py": tried}
    examined = examine(write(files), resolving="everything")
    assert examined.sites
    [row] = thing(examined, "orjson").artifacts
    assert (row.present, row.chain) == (False, ("app/api/a/route.py:2 import orjson",))
    assert row.reason == "no dependency that is known provides it"


def test_a_url_has_the_base_path_or_another_one(write: "Write") -> None:
    base = '[project]\nname = "x"\n[tool.packager]\nbase_path = "/shop"\n'
    examined = examine(
        write({"pyproject.toml": base, "app/[...all]/route.py": GET, "app/api/a/route.py": GET})
    )
    assert route(examined, "/shop/api/a").path == route(examined, "/api/a").path == "/api/a"
    assert route(examined, "/shopping/api/a").path == "/[...all]"
    assert route(examined, "/shop/caf\u00e9").path == "/[...all]"
    with pytest.raises(UsageError):
        why(examined, "/shop/caf\udce9")


def test_a_declared_distribution_that_nothing_imports_is_in_no_artifact(examined: Examination) -> None:
    assert not any(row.present for row in thing(examined, "unused").artifacts)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("/api/user", "/api/auto"),
        ("thingy", "thing"),
        ("lib/bd.py", "lib/db.py"),
        ("/api/users/7/x", "/api/users"),
    ],
)
def test_an_unknown_name_is_wrong_usage_with_the_nearest_matches(
    examined: Examination, name: str, near: str
) -> None:
    with pytest.raises(UsageError) as caught:
        why(examined, name)
    assert near in caught.value.hint


def test_without_distributions_the_project_alone_is_explained(write: "Write", tmp_path: Path) -> None:
    examined = examine(write({**FILES, "app/api/clock/route.py": f"import math\n{GET}"}))
    assert route(examined, "/api/users/7").runtime == "edge"
    assert "as far as is known" in route(examined, "/api/users/7").because
    assert [row.present for row in thing(examined, "math").artifacts] == [True, False, False]
