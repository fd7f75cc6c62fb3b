import pytest

from packager.branches import EDGE
from packager.imports import reach
from packager.project import load

ROUTE = "app/a/route.py"


def reached(write, files, entries=(ROUTE,), platform=None):
    return reach(load(write(files)), entries, platform)


def modules(found):
    return [item.module for item in found.imports]


def test_modules_packages_and_folders_are_followed(write):
    found = reached(
        write,
        {
            ROUTE: "import lib.one\nfrom lib.pack import two, value\nfrom top import x\n",
            "lib/one.py": "from lib.three import y\n",
            "lib/three.py": "y = 1\n",
            "lib/pack/__init__.py": "value = 1\n",
            "lib/pack/two.py": "",
            "lib/pack/unused.py": "",
            "top.py": "x = 1\n",
        },
    )
    assert found.files == (
        ROUTE,
        "lib/one.py",
        "lib/pack/__init__.py",
        "lib/pack/two.py",
        "lib/three.py",
        "top.py",
    )
    assert found.imports == ()


def test_every_package_on_the_way_is_reached(write):
    found = reached(
        write, {ROUTE: "import a.b.c\n", "a/__init__.py": "", "a/b/__init__.py": "", "a/b/c.py": ""}
    )
    assert found.files == ("a/__init__.py", "a/b/__init__.py", "a/b/c.py", ROUTE)


def test_relative_imports(write):
    found = reached(
        write,
        {
            ROUTE: "from .near import x\nfrom . import other\nfrom ..shared import y\n",
            "app/a/near.py": "x = 1\n",
            "app/a/other.py": "",
            "app/shared.py": "from .gone import z\nfrom .... import above\n",
        },
    )
    assert found.files == ("app/a/near.py", "app/a/other.py", ROUTE, "app/shared.py")
    assert modules(found) == ["app.gone", "...."]


def test_imports_start_in_src(write):
    route = "src/app/a/route.py"
    found = reached(write, {route: "import lib.x\nimport out\n", "src/lib/x.py": "", "out.py": ""}, (route,))
    assert found.files == (route, "src/lib/x.py")
    assert modules(found) == ["out"]


def test_imports_that_leave_the_project_have_place_names_and_chain(write):
    found = reached(
        write, {ROUTE: "from lib.one import f\n", "lib/one.py": "x = 1\nfrom yaml.nodes import Node, Tag\n"}
    )
    (item,) = found.imports
    assert (item.module, item.names, item.file, item.line, item.column) == (
        "yaml.nodes",
        ("Node", "Tag"),
        "lib/one.py",
        2,
        1,
    )
    assert item.chain == ("app/a/route.py:1 import lib.one", "lib/one.py:2 import yaml.nodes")
    assert found.chains["lib/one.py"] == ("app/a/route.py:1 import lib.one",)


def test_a_module_that_is_missing_in_a_project_folder_leaves_it(write):
    found = reached(write, {ROUTE: "from lib import gone\nimport lib.gone2\nimport lib\n", "lib/x.py": ""})
    assert modules(found) == ["lib.gone", "lib.gone2", "lib"]


def test_a_data_folder_does_not_hide_a_module_of_python(write):
    found = reached(
        write, {ROUTE: "import json\nfrom json import decoder\n", "json/data.txt": "", "json/decoder.py": ""}
    )
    assert modules(found) == ["json", "json"]
    assert found.files == (ROUTE,)


def test_lazy_and_guarded_imports_are_told_apart(write):
    text = "import a\ntry:\n    import b\nexcept ImportError:\n    b = None\ndef f():\n    import c\n"
    found = reached(write, {ROUTE: text})
    assert [(item.module, item.guarded, item.lazy) for item in found.imports] == [
        ("a", False, False),
        ("b", True, False),
        ("c", False, True),
    ]


def test_what_a_guarded_import_reaches_is_guarded_unless_another_way_is_not(write):
    text = "try:\n    import lib.x\nexcept ImportError:\n    pass\nimport lib.y\n"
    files = {
        ROUTE: text,
        "lib/x.py": "import a\nimport lib.z\n",
        "lib/y.py": "import lib.z\n",
        "lib/z.py": "import b\n",
    }
    found = reached(write, files)
    assert {item.module: item.guarded for item in found.imports} == {"a": True, "b": False}


def test_literal_dynamic_imports_count(write):
    text = (
        "import importlib\nfrom importlib import import_module\nname = 'x'\n"
        "importlib.import_module('lib.one')\nimport_module('yaml')\n__import__('lib.two')\n"
        "import_module('.three', __package__)\nimport_module(name)\nimport_module('../secret')\nimport_module('')\n"
    )
    found = reached(write, {ROUTE: text, "lib/one.py": "", "lib/two.py": "", "app/a/three.py": ""})
    assert found.files == ("app/a/route.py", "app/a/three.py", "lib/one.py", "lib/two.py")
    assert [(item.module, item.dynamic) for item in found.imports if item.dynamic] == [("yaml", True)]


def test_imports_for_type_checkers_are_not_followed(write):
    found = reached(
        write, {ROUTE: "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\n"}
    )
    assert modules(found) == ["typing"]


def test_a_platform_leaves_out_what_it_never_runs(write):
    text = "import sys\nif sys.platform == 'emscripten':\n    import a\nelse:\n    import b\n"
    assert modules(reached(write, {ROUTE: text})) == ["sys", "a", "b"]
    assert modules(reached(write, {ROUTE: text}, platform=EDGE)) == ["sys", "a"]


def test_imports_in_circles_end(write):
    found = reached(write, {ROUTE: "import a\n", "a.py": "import b\n", "b.py": "import a\n"})
    assert found.files == ("a.py", ROUTE, "b.py")


def test_a_syntax_error_in_a_reached_module_is_there_with_its_chain(write):
    found = reached(write, {ROUTE: "import lib.b\n", "lib/b.py": "def f(\n"})
    assert [(item.rule, item.file, item.chain) for item in found.diagnostics] == [
        ("syntax-error", "lib/b.py", ("app/a/route.py:1 import lib.b",))
    ]


@pytest.mark.parametrize("text", ["import lib\n", "from lib import *\n"])
def test_a_regular_package_is_its_init(write, text):
    found = reached(write, {ROUTE: text, "lib/__init__.py": "", "lib/x.py": ""})
    assert found.files == (ROUTE, "lib/__init__.py")
    assert found.imports == ()
