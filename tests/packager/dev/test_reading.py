"""Tests of what dev knows of a project as it is saved."""

import pytest

from packager.dev import reading
from packager.dev.reading import Distributions
from packager.errors import ProjectError

NOTHING = Distributions((), None)
NODEJS = "from lib.shared import x\n\ndef GET(): return {}\n"
EDGE = 'runtime = "edge"\n\ndef GET(): return {}\n'


def test_a_function_has_the_files_that_its_routes_reach(write):
    root = write({"app/n/route.py": NODEJS, "app/e/route.py": EDGE, "lib/shared.py": "x = 1\n"})
    found = reading.read(root, NOTHING)
    assert {name: sorted(item.files) for name, item in found.served.items()} == {
        "api": ["app/n/route.py", "lib/shared.py"],
        "edge": ["app/e/route.py"],
    }


def test_the_route_table_asks_for_details_of_faults(write):
    found = reading.read(write({"app/n/route.py": EDGE}), NOTHING)
    assert '"development":true' in reading.table_text(found.served["edge"])


def test_variables_are_those_of_this_machine_too(write):
    root = write({"app/n/route.py": EDGE, ".env": "ONE=1\nTWO=2\n", ".env.local": "TWO=3\n"})
    assert reading.read(root, NOTHING).values == {"ONE": "1", "TWO": "3"}


@pytest.mark.parametrize(("before", "runtime"), [(EDGE, "edge"), (None, "nodejs")])
def test_a_route_that_python_refuses_stays_where_it_was(before, runtime, write):
    earlier = reading.read(write({"app/r/route.py": before}), NOTHING) if before else None
    found = reading.read(write({"app/r/route.py": "def GET(:\n"}), NOTHING, earlier)
    assert [(route.path, route.runtime) for route in found.app.routes] == [("/r", runtime)]
    assert [item.rule for item in found.diagnostics] == ["syntax-error"]


def test_of_two_routes_for_one_url_one_is_served(write):
    root = write({"app/(a)/r/route.py": EDGE, "app/(b)/r/route.py": EDGE})
    found = reading.read(root, NOTHING)
    assert [route.path for route in found.app.routes] == ["/r"]
    assert found.diagnostics


def test_settings_that_cannot_be_read_are_an_error(write):
    root = write({"app/r/route.py": EDGE, "pyproject.toml": "[tool.packager]\nnonsense = 1\n"})
    with pytest.raises(ProjectError, match="nonsense"):
        reading.read(root, NOTHING)


def test_the_distributions_are_this_machines(write, wheelhouse):
    versions = {"starlette": "1.10", "mangum": "0.22", "python-multipart": "0.0.20", "pure": "1.0"}
    for name, version in versions.items():
        wheelhouse.add(name, version)
    root = write({"app/r/route.py": NODEJS, "pyproject.toml": '[project]\nname="x"\ndependencies=["pure"]\n'})
    found = reading.distributions(root, lambda _line: None)
    assert {row.wheel.name for row in found.nodejs} >= {"pure", "starlette", "mangum"}
    assert found.edge is None
