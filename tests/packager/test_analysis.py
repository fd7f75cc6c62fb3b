"""The distributions are stand-ins that no artifact could run with: hence `check=False`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from packager import pyodide
from packager.analysis import Analysis, Node, analyse
from packager.build import build
from packager.examine import examine
from packager.weight import sum_of

if TYPE_CHECKING:
    from conftest import Wheelhouse, Write

GET = "def GET():\n    return {}\n"
FILES = {
    "pyproject.toml": '[project]\nname = "shop"\ndependencies = ["thing", "driver"]\n'
    '[tool.packager]\ninclude = ["data/*.json"]\n[tool.packager.edge]\nloader = "stock"\n',
    "data/prices.json": "{}\n",
    "lib/db.py": "import thing\n",
    "app/api/a/route.py": f"import lib.db\n{GET}",
    "app/api/b/route.py": f'runtime = "edge"\n{GET}',
}


@pytest.fixture
def analysis(write: "Write", wheelhouse: "Wheelhouse", hollow_pyodide: Path) -> Analysis:
    wheelhouse.add("anyio")
    wheelhouse.add("starlette", "1.10.0", requires=("anyio",))
    wheelhouse.add("mangum", "0.22.0")
    wheelhouse.add("python-multipart", "0.0.30")
    wheelhouse.add("driver", "3.0", files={"driver.py": "", "driver_data/rows.csv": "1,2\n"})
    files = {
        "thing/__init__.py": "import thing.big.one\nload('driver')\n",
        "thing/big/one.py": "# one\n" * 500,
    }
    wheelhouse.add("thing", "2.0", files=files)
    root = write(FILES)
    out = build(root, check=False, report=lambda _line: None).out
    return analyse(examine(root, resolving="everything"), out)


def tree(analysis: Analysis, function: str) -> Node:
    return next(row.tree for row in analysis.artifacts if row.function == function)


def part(node: Node, *names: str) -> Node:
    for name in names:
        node = next(child for child in node.children if child.name == name)
    return node


def every(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from every(child)


def test_the_tree_weighs_what_the_artifact_weighs(analysis: Analysis) -> None:
    for row in analysis.artifacts:
        assert row.tree.weight.zipped == row.zip_bytes
        for node in every(row.tree):
            assert not node.children or sum_of(child.weight for child in node.children) == node.weight
    api = next(row for row in analysis.artifacts if row.function == "api")
    assert (api.tree.weight.unpacked, api.routes, api.file) == (
        api.unpacked_bytes,
        ("/api/a",),
        "functions/api.zip",
    )


def test_the_heaviest_come_first(analysis: Analysis) -> None:
    for row in analysis.artifacts:
        for node in every(row.tree):
            shares = [child.weight.zipped for child in node.children]
            assert shares == sorted(shares, reverse=True)


def test_a_distribution_says_which_import_brought_it(analysis: Analysis) -> None:
    thing = part(tree(analysis, "api"), "thing")
    assert (thing.kind, thing.version) == ("distribution", "2.0")
    assert thing.why == ("app/api/a/route.py:1 import lib.db", "lib/db.py:1 import thing")
    assert part(tree(analysis, "api"), "anyio").why == (
        "packager's runtime needs starlette",
        "starlette requires anyio",
    )


def test_a_driver_that_is_imported_by_a_name_says_who_names_it(analysis: Analysis) -> None:
    driver = part(tree(analysis, "api"), "driver")
    assert driver.why[-1] == "thing names driver in its code"
    assert part(driver, "driver_data", "rows.csv").kind == "file"


def test_modules_lie_in_their_packages_with_their_bytecode(analysis: Analysis) -> None:
    one = part(tree(analysis, "api"), "thing", "thing", "big", "one.py")
    assert one.weight.unpacked >= len("# one\n" * 500)
    names = {node.name for node in every(tree(analysis, "api"))}
    assert not [name for name in names if name.endswith(".pyc") or name == "__pycache__"]


def test_files_of_the_project_say_how_they_were_reached(analysis: Analysis) -> None:
    project = part(tree(analysis, "api"), "shop")
    assert project.kind == "project"
    assert part(project, "lib", "db.py").why == ("app/api/a/route.py:1 import lib.db",)
    assert part(project, "app", "api", "a", "route.py").why == (
        "it is a route or middleware of the function",
    )
    assert "pattern" in part(project, "data", "prices.json").why[0]
    assert part(tree(analysis, "api"), "packager's runtime").kind == "runtime"


def test_an_edge_artifact_has_pyodide_its_worker_and_its_snapshot(analysis: Analysis) -> None:
    edge = tree(analysis, "edge")
    assert part(edge, "Pyodide").version == pyodide.VERSION
    assert part(edge, "memory snapshot", "heap.bin").weight.unpacked == 40_000
    assert part(edge, "worker", "worker.json").kind == "file"
    assert part(edge, "shop", "app", "api", "b", "route.py").kind == "file"
    assert part(edge, "starlette").kind == "distribution"
    assert not [child for child in edge.children if child.name in {"thing", "mangum"}]
