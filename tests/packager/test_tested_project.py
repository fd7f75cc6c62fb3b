"""What a test's client is told of a project: tables by runtime, values, and what keeps routes from the edge."""

import pytest

from packager.tested_project import read
from runtimes.testing import ProjectFaultError

GET = "def GET():\n    return {}\n"


def test_each_runtime_has_a_table_of_all_routes(write):
    root = write({"app/a/route.py": GET, "app/b/route.py": f'runtime = "auto"\n{GET}'})
    found = read(root, None)
    assert set(found.tables) == {"edge", "nodejs"}
    for table in found.tables.values():
        assert {row.path: row.function for row in table.routes} == {"/a": "nodejs", "/b": "edge"}


def test_a_chosen_runtime_has_all_routes_with_its_own_limits(write):
    root = write({"app/a/route.py": GET, "app/b/route.py": f'runtime = "edge"\n{GET}'})
    for runtime, size in (("edge", 2**20), ("nodejs", 6 * 2**20)):
        found = read(root, runtime)
        assert list(found.tables) == [runtime]
        assert {row.max_body_size for row in found.tables[runtime].routes} == {size}


def test_what_keeps_a_route_from_the_edge_is_told_with_its_place(write):
    root = write(
        {
            "app/a/route.py": f"import lib\n{GET}",
            "app/b/route.py": GET,
            "lib.py": "import subprocess\n",
        }
    )
    assert read(root, None).against_edge == {}
    [(file, text)] = read(root, "edge").against_edge.items()
    assert file == "app/a/route.py"
    assert text.startswith("lib.py:1: banned-import: ")


def test_values_of_tests_win_over_those_of_all_stages(write):
    settings = '[tool.packager.environment]\nvariables = { A = "1", B = "1", C = "1" }\n'
    names = settings.replace("A =", "AA =").replace("B =", "BB =").replace("C =", "CC =")
    root = write(
        {"app/a/route.py": GET, "pyproject.toml": names, ".env": "BB=2\nCC=2\n", ".env.test": "CC=3\n"}
    )
    assert read(root, None).variables == {"AA": "1", "BB": "2", "CC": "3"}


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("app/b/route.py", "def GET(:\n", "app/b/route.py:1: syntax-error"),
        (".env.test", "AWS_REGION=x\n", ".env.test:1: env-name"),
        ("pyproject.toml", "[tool.packager]\nnonsense = 1\n", "pyproject.toml:2: "),
    ],
)
def test_a_fault_is_told_with_its_place(write, file, text, told):
    root = write({"app/a/route.py": GET, file: text})
    with pytest.raises(ProjectFaultError) as raised:
        read(root, None)
    assert str(raised.value).startswith(told)
