import pytest

from packager.analyse import analyse
from packager.discover import discover
from packager.model import Distribution, Wheel
from packager.place import place
from packager.project import load
from packager.site_packages import Absent, SitePackages

GET = "def GET(): pass\n"
AUTO = f'runtime = "auto"\n{GET}'


def placed(write, files, edge=None):
    project = load(write({"app/keep.txt": "", **files}))
    return place(analyse(project, discover(project)[0])[0], edge)


def runtimes(placement):
    return {route.path: route.runtime for route in placement.app.routes}


def edge_with(*absent):
    return SitePackages("edge (Pyodide)", {}, {name: Absent(name, "1.0", (name,)) for name in absent})


@pytest.mark.parametrize(
    ("text", "runtime", "memory"),
    [
        ("", "edge", 256),
        ("import subprocess\n", "nodejs", 512),
        ("import subprocess\nmemory = 256\n", "nodejs", 256),
        ("import subprocess  # packager: allow[banned-import] never called there\n", "edge", 256),
        ("max_duration = 60\n", "nodejs", 512),
    ],
)
def test_auto_is_edge_if_nothing_speaks_against_it(write, text, runtime, memory):
    placement = placed(write, {"app/route.py": f"{text}{AUTO}"})
    (route,) = placement.app.routes
    assert (route.runtime, route.declared_runtime, route.memory) == (runtime, "auto", memory)
    assert bool(placement.against["app/route.py"]) == (runtime == "nodejs")


def test_auto_is_nodejs_behind_middleware_that_needs_it(write):
    files = {
        "middleware.py": "import socket\nconfig = {'matcher': '/a/:path*'}\ndef middleware(request): pass\n",
        "app/a/route.py": AUTO,
        "app/b/route.py": AUTO,
        "app/c/route.py": GET,
    }
    placement = placed(write, files)
    assert runtimes(placement) == {"/a": "nodejs", "/b": "edge", "/c": "nodejs"}
    assert [item.file for item in placement.against["app/a/route.py"]] == ["middleware.py"]


def test_with_rewrites_all_middleware_is_before_an_auto_route(write):
    files = {
        "pyproject.toml": "[tool.packager]\nrewrites = [{ source = '/v/:x', destination = '/:x' }]\n",
        "middleware.py": "import socket\nconfig = {'matcher': '/a/:path*'}\ndef middleware(request): pass\n",
        "app/b/route.py": AUTO,
        "app/c/route.py": GET,
    }
    assert runtimes(placed(write, files)) == {"/b": "nodejs", "/c": "nodejs"}


def test_a_distribution_without_a_wheel_puts_the_routes_that_import_it_on_nodejs(write):
    files = {"app/a/route.py": f"import fast\n{AUTO}", "app/b/route.py": AUTO}
    settings = '[project]\nname = "x"\ndependencies = ["fast"]\n'
    assert runtimes(placed(write, {"pyproject.toml": settings, **files})) == {"/a": "edge", "/b": "edge"}
    placement = placed(write, files, edge_with("fast"))
    assert runtimes(placement) == {"/a": "nodejs", "/b": "edge"}
    (finding,) = placement.against["app/a/route.py"]
    assert (finding.rule, finding.chain) == ("no-wasm-wheel", ("app/a/route.py:1 import fast",))


def test_a_guarded_import_of_what_lacks_a_wheel_leaves_the_route_on_edge(write):
    text = f"try:\n    import fast\nexcept ImportError:\n    fast = None\n{AUTO}"
    assert runtimes(placed(write, {"app/a/route.py": text}, edge_with("fast"))) == {"/a": "edge"}


def test_what_only_nodejs_provides_puts_a_route_there(write, tmp_path):
    wheel = Wheel("there", "1.0", "there-1.0-py3-none-any.whl", "", "")
    other = SitePackages("edge", {"there": Distribution(wheel, tmp_path, ("there",), ())}, {})
    files = {"app/a/route.py": f"import there\n{AUTO}", "app/b/route.py": f"import nowhere\n{AUTO}"}
    placement = placed(write, files, other)
    assert runtimes(placement) == {"/a": "edge", "/b": "nodejs"}
    assert [item.rule for item in placement.against["app/b/route.py"]] == ["unresolved-import"]
