import pytest

from packager.check import check
from packager.examine import examine
from packager.model import Distribution, Wheel
from packager.site_packages import SitePackages

EDGE = 'runtime = "edge"\ndef GET(): pass\n'
NODEJS = "def GET(): pass\n"
ROUTE = "app/a/route.py"


def checked(write, text, **files):
    root = write({ROUTE: text, **{name.replace("__", "/") + ".py": value for name, value in files.items()}})
    return examine(root).diagnostics


def places(diagnostics):
    return [(item.rule, item.file, item.line, item.column) for item in diagnostics]


@pytest.mark.parametrize(
    "line",
    [
        *(
            "import subprocess",
            "import multiprocessing.pool",
            "from socket import socket as s",
            "import ctypes.util",
        ),
        *(
            "import js",
            "from pyodide.ffi import to_js",
            "import pwd",
            "import urllib.request",
            "import http.client",
        ),
        *("from asyncio import subprocess", "from os import system", "from concurrent import interpreters"),
        *(
            "from os import execvp as run",
            "from concurrent.futures import ProcessPoolExecutor",
            "from os import *",
        ),
        *("__import__('os')", "import importlib; importlib.import_module('subprocess')"),
        *("import os; os.system('x')", "import os as o; o.popen('x')", "import os; getattr(os, 'fork')()"),
        *("import os; x = os.spawnlp", "import os.path; os.execv('x', [])"),
        *("import asyncio; asyncio.create_subprocess_exec", "import asyncio as a; a.open_connection('x', 1)"),
        *(
            "import concurrent.futures; concurrent.futures.ProcessPoolExecutor()",
            "import threading; threading.Thread()",
        ),
        *("try:\n    import subprocess\nexcept ImportError: pass", "if x:\n    import socket"),
    ],
)
def test_what_edge_cannot_use(write, line):
    found = checked(write, f"{line}\n{EDGE}")
    assert {(item.rule, item.file) for item in found} == {("banned-import", ROUTE)}
    assert all(item.hint.endswith('set runtime = "nodejs" in the route.') for item in found)


@pytest.mark.parametrize(
    "line",
    [
        *("import os, sys, asyncio, threading, signal, sqlite3", "from concurrent.futures import Future"),
        *("import os; os.environ['X']; os.path.join('a', 'b')", "import threading; threading.Lock()"),
        *(
            "import urllib.parse",
            "from http import HTTPStatus",
            "try:\n    import pwd\nexcept ImportError: pass",
        ),
        *(
            "import sys\nif sys.platform != 'emscripten':\n    import subprocess",
            "class os:\n    system = 1\nos.system",
        ),
        *("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import socket",),
        *("if __name__ == '__main__':\n    import subprocess\n    subprocess.run(['x'])",),
        *("import subprocess  # packager: allow[banned-import] only the exception is used",),
    ],
)
def test_what_edge_can_use(write, line):
    assert checked(write, f"{line}\n{EDGE}") == ()


@pytest.mark.parametrize("line", ["import subprocess, socket", "import os; os.system('x')", "import pwd"])
def test_nodejs_can_use_everything(write, line):
    assert checked(write, f"{line}\n{NODEJS}") == ()


def test_a_finding_points_at_the_cause_and_tells_the_way_from_the_route(write):
    (item,) = checked(
        write,
        f"from lib.one import f\n{EDGE}",
        lib__one="from lib.two import f\n",
        lib__two="\ndef f():\n    import socket\n",
    )
    assert places([item]) == [("banned-import", "lib/two.py", 3, 5)]
    assert item.chain == (
        "app/a/route.py:1 import lib.one",
        "lib/one.py:1 import lib.two",
        "lib/two.py:3 import socket",
    )


def test_a_banned_attribute_in_a_module_has_the_way_to_the_module(write):
    (item,) = checked(write, f"import lib.one\n{EDGE}", lib__one="import os\nos.system('x')\n")
    assert places([item]) == [("banned-import", "lib/one.py", 2, 1)]
    assert item.chain == ("app/a/route.py:1 import lib.one",)


def test_code_of_several_routes_is_reported_once(write):
    files = {"app__b__route": f"import lib.one\n{EDGE}", "lib__one": "import socket\n"}
    assert len(checked(write, f"import lib.one\n{EDGE}", **files)) == 1


def test_an_allowance_needs_a_reason_and_the_right_rule(write):
    for comment in ("allow[banned-import]", "allow[no-handlers] reason", "allow banned-import reason"):
        assert len(checked(write, f"import subprocess  # packager: {comment}\n{EDGE}")) == 1


def test_middleware_before_an_edge_route_is_checked_as_edge_code(write):
    guard = "import socket\ndef middleware(request): pass\n"
    assert [item.file for item in checked(write, EDGE, middleware=guard)] == ["middleware.py"]


def test_middleware_that_meets_only_nodejs_routes_may_use_everything(write):
    guard = "import socket\nconfig = {'matcher': '/b'}\ndef middleware(request): pass\n"
    assert checked(write, EDGE, middleware=guard, app__b__route=NODEJS) == ()


def test_code_that_only_auto_routes_reach_is_no_error(write):
    assert (
        checked(write, 'import lib.one\nruntime = "auto"\ndef GET(): pass\n', lib__one="import socket\n")
        == ()
    )


@pytest.mark.parametrize(
    "line",
    [
        *(
            "import nothing_like_it",
            "from lib.nowhere import x",
            "from lib import nowhere",
            "from .near import x",
        ),
        *("from .... import above", "def f():\n    import nothing_like_it", "import cgi"),
    ],
)
@pytest.mark.parametrize("rest", [EDGE, NODEJS])
def test_imports_that_nothing_answers(write, line, rest):
    found = checked(write, f"{line}\n{rest}", lib__here="")
    assert [(item.rule, item.file) for item in found] == [("unresolved-import", ROUTE)]


@pytest.mark.parametrize(
    "line",
    [
        *(
            "import json, runtimes, starlette.routing",
            "import lib",
            "from lib import here",
            "import lib.here",
        ),
        *("try:\n    import nothing_like_it\nexcept ImportError: pass", "import __main__"),
        *("import sys\nif sys.platform == 'win32':\n    import win32api",),
    ],
)
@pytest.mark.parametrize("rest", [EDGE, NODEJS])
def test_imports_that_are_answered_or_need_no_answer(write, line, rest):
    assert checked(write, f"{line}\n{rest}", lib__here="") == ()


def test_with_dependencies_only_what_the_project_lacks_is_certain(write):
    write({"pyproject.toml": '[project]\nname = "x"\ndependencies = ["pyyaml"]\n'})
    assert checked(write, f"import yaml\n{NODEJS}") == ()
    assert len(checked(write, f"import lib.gone\n{NODEJS}", lib__here="")) == 1


def test_with_resolved_dependencies_every_name_is_certain(write):
    root = write(
        {
            "pyproject.toml": '[project]\nname = "x"\ndependencies = ["pyyaml"]\n',
            ROUTE: f"import yaml, toml\n{NODEJS}",
        }
    )
    wheel = Wheel("pyyaml", "1.0", "pyyaml-1.0-py3-none-any.whl", "", "")
    site = SitePackages("here", {"pyyaml": Distribution(wheel, root, ("yaml",), ())}, {})
    found = check(examine(root).app, {"nodejs": site})
    assert [item.message for item in found] == ["nothing provides the module toml"]


def test_a_new_module_of_python_is_there_on_edge_and_not_on_an_older_lambda(write):
    assert checked(write, f"import annotationlib\n{EDGE}") == ()
    assert len(checked(write, f"import annotationlib\n{NODEJS}")) == 1


def test_a_syntax_error_in_an_imported_module(write):
    assert places(checked(write, f"import lib.b\n{NODEJS}", lib__b="x = (\n")) == [
        ("syntax-error", "lib/b.py", 1, 5)
    ]


def test_a_handler_that_cloudfront_never_asks_is_a_warning(write):
    found = checked(write, "def GET(): pass\ndef QUERY(): pass\n")
    assert [(item.rule, item.line, item.severity) for item in found] == [("unforwarded-method", 2, "warning")]


@pytest.mark.parametrize("header", ['"Access-Control-Allow-Origin"', "b'access-control-allow-origin'"])
def test_the_header_for_other_origins_without_options_is_a_warning(write, header):
    found = checked(write, f"def GET():\n    return {{{header}: '*'}}\n")
    assert [(item.rule, item.line, item.severity) for item in found] == [("missing-preflight", 2, "warning")]


@pytest.mark.parametrize("extra", ["def OPTIONS(): pass\n", 'cors = {"origins": ["*"]}\n'])
def test_what_answers_the_preflight_ends_the_warning(write, extra):
    assert checked(write, f"{extra}def GET():\n    return {{'Access-Control-Allow-Origin': '*'}}\n") == ()
