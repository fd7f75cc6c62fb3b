"""What the imports within distributions come to on edge: hand-made wheels, unpacked as the store unpacks them."""

import pytest

from packager import wheels
from packager.branches import EDGE
from packager.cache import cache_dir
from packager.edge_rules import distribution_findings
from packager.imports import reach
from packager.model import Distribution
from packager.project import load
from packager.site_packages import Absent, SitePackages

ROUTE = "app/a/route.py"


@pytest.fixture
def found_in(write, wheelhouse):
    """Findings of a route with this text, and these distributions: a mapping of name to files."""

    def find(text, distributions, absent=(), **files):
        names = {name.replace("__", "/") + ".py": value for name, value in files.items()}
        root = write(
            {ROUTE: text, "pyproject.toml": '[project]\nname = "x"\ndependencies = ["y"]\n', **names}
        )
        added = {wheel.name: wheel for wheel in wheelhouse.wheels}
        made = {
            name: added.get(name) or wheelhouse.add(name, files=rows) for name, rows in distributions.items()
        }
        folders = wheels.fetch(made.values(), lambda _line: None)
        rows = {
            name: Distribution(wheel, folders[wheel], wheels.top_level(folders[wheel]), ())
            for name, wheel in made.items()
        }
        site = SitePackages("edge", rows, {name: Absent(name, "1.0", (name,)) for name in absent})
        project = load(root)
        return list(distribution_findings(project, site, reach(project, [ROUTE], EDGE)))

    return find


def test_the_chain_goes_on_into_the_distributions(found_in):
    [found] = found_in(
        "import lib.one\n",
        {
            "one": {
                "one/__init__.py": "\nfrom .inner import x\n",
                "one/inner.py": "import json\nfrom two import y\n",
            },
            "two": {"two.py": "import os\n\nfrom socket import socket\n"},
        },
        lib__one="\nfrom one import x\n",
    )
    assert (found.rule, found.file, found.line, found.column) == ("banned-import", "lib/one.py", 2, 1)
    assert found.chain == (
        f"{ROUTE}:1 import lib.one",
        "lib/one.py:2 import one",
        "one/__init__.py:2 import one.inner",
        "one/inner.py:2 import two",
        "two.py:3 import socket",
    )
    assert found.message == "two 1.0 needs socket, which does not work on edge: edge has no sockets"
    assert 'runtime = "nodejs"' in found.hint


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        *(
            ("import subprocess", "banned-import"),
            ("import pwd", "banned-import"),
            ("import ctypes", "banned-import"),
        ),
        *(("from js import fetch", "banned-import"), ("class A:\n    import socket", "banned-import")),
        *(("import nowhere", "unresolved-import"), ("from nowhere.x import y", "unresolved-import")),
        ("import sys\nif sys.platform == 'emscripten':\n    import pyodide.ffi", "banned-import"),
        ("try:\n    x = 1\nexcept KeyError:\n    pass\nfinally:\n    import nowhere", "unresolved-import"),
    ],
)
def test_what_fails_when_a_distribution_is_imported(found_in, text, rule):
    found = found_in("def GET():\n    import one\n", {"one": {"one.py": text}})
    assert [(item.rule, item.file, item.line, item.column) for item in found] == [(rule, ROUTE, 2, 5)]
    assert found[0].chain[-1].startswith("one.py:")


@pytest.mark.parametrize(
    "text",
    [
        *("def f():\n    import socket, nowhere", "import multiprocessing, threading, ssl, http.client"),
        *("try:\n    import nowhere\nexcept ImportError:\n    nowhere = None",),
        *("try:\n    import tomllib\nexcept ImportError:\n    import tomli as tomllib",),
        *("try:\n    import socket\nexcept ImportError:\n    socket = None",),
        *("import sys\nif sys.platform == 'win32':\n    import winreg, nowhere",),
        *(
            "import os\nif os.name == 'nt':\n    import msvcrt",
            "from typing import TYPE_CHECKING as T\nif T:\n    import x",
        ),
        *(
            "if DEBUG:\n    import nowhere",
            "lambda: __import__('socket')",
            "import one.gone",
            "from one import gone",
        ),
        *(
            "import starlette.routing, anyio, typing_extensions, runtimes",
            "import native",
            "this is no Python",
        ),
        *("import lib.here", "import pkg_resources if False else 1"),
    ],
)
def test_what_is_no_error_in_a_distribution(found_in, text):
    assert found_in("import one\n", {"one": {"one.py": text}}, absent=["native"], lib__here="") == []


def test_what_the_runtime_itself_needs_is_exempt(found_in):
    text = "import starlette.routing\nimport anyio\n"
    rows = {
        "starlette": {
            "starlette/__init__.py": "",
            "starlette/routing.py": "import subprocess, socket, nowhere",
        }
    }
    assert found_in(text, {**rows, "anyio": {"anyio/__init__.py": "import socket"}}) == []


def test_only_what_is_reached_counts(found_in):
    files = {"one/__init__.py": "", "one/good.py": "", "one/bad.py": "import socket"}
    assert found_in("import one.good\nfrom one import good\n", {"one": files}) == []
    assert len(found_in("from one import bad\n", {"one": files})) == 1


def test_a_guarded_import_of_a_distribution_may_fail(found_in):
    text = "try:\n    import one\nexcept ImportError:\n    one = None\n"
    assert found_in(text, {"one": {"one.py": "import socket"}}) == []


@pytest.mark.parametrize(
    "name", ["_fast.so", "_fast.cpython-314-x86_64-linux-gnu.so", "_fast.pyd", "_fast.abi3.so"]
)
def test_a_compiled_module_that_is_not_for_edge(found_in, name):
    files = {"one/__init__.py": "from one._fast import x", f"one/{name}": "ELF"}
    [found] = found_in("import one\n", {"one": files})
    assert found.rule == "native-extension"
    assert f"one/{name}" in found.message
    assert found.chain[-1] == "one/__init__.py:1 import one._fast"


def test_a_compiled_module_for_edge_and_one_with_a_python_twin_are_fine(found_in):
    files = {
        "one/__init__.py": "from . import _fast, _twin",
        "one/_fast.cpython-314-wasm32-emscripten.so": "\0asm",
    }
    twin = {"one/_twin.py": "", "one/_twin.cpython-313-darwin.so": "MACH-O"}
    assert found_in("import one\n", {"one": {**files, **twin}}) == []


def test_namespaces_are_shared_by_distributions_and_circles_end(found_in):
    rows = {
        "one": {"space/one.py": "import space.two"},
        "two": {"space/two.py": "import space.one\nimport space.three"},
        "three": {"space/three/__init__.py": "from ..one import x\nimport socket"},
    }
    [found] = found_in("import space.one\n", rows)
    assert found.chain[-1] == "space/three/__init__.py:2 import socket"


def test_time_zones_need_tzdata(found_in):
    text = "from zoneinfo import ZoneInfo\ndef GET(): return ZoneInfo('Europe/Berlin')\n"
    [found] = found_in(text, {})
    assert (found.rule, found.line) == ("banned-import", 2)
    assert "tzdata" in found.hint
    assert found_in(text, {"tzdata": {"tzdata/__init__.py": ""}}) == []


def test_what_was_read_is_kept_and_a_damaged_cache_is_read_anew(found_in):
    rows = {"one": {"one.py": "import socket"}}
    assert len(found_in("import one\n", rows)) == 1
    [cache] = (cache_dir() / "imports").iterdir()
    assert "socket" in cache.read_text()
    cache.write_text(cache.read_text().replace("socket", "json"))
    assert found_in("import one\n", rows) == []
    for damage in ("", "[]", '{"one.py": [1]}', '{"one.py": 1}'):
        cache.write_text(damage)
        assert len(found_in("import one\n", rows)) == 1
