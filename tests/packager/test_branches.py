import ast

import pytest

from packager.branches import EDGE, Platform, walk

LAMBDA = Platform("linux", (3, 13))


def names(text, platform=EDGE):
    """The names that are called, each with its state."""
    return {
        node.func.id: (lazy, guarded)
        for node, lazy, guarded, _ in walk(ast.parse(text), platform)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


@pytest.mark.parametrize(
    ("condition", "edge", "nodejs"),
    [
        ("TYPE_CHECKING", False, False),
        ("typing.TYPE_CHECKING", False, False),
        ("not TYPE_CHECKING", True, True),
        ("__name__ == '__main__'", False, False),
        ("0", False, False),
        ("sys.platform == 'emscripten'", True, False),
        ("'emscripten' == sys.platform", True, False),
        ("sys.platform != 'win32'", True, True),
        ("sys.platform in ('linux', 'darwin')", False, True),
        ("sys.platform not in {'emscripten'}", False, True),
        ("sys.platform.startswith('win')", False, False),
        ("sys.platform.startswith(('lin', 'em'))", True, True),
        ("sys.version_info >= (3, 14)", True, False),
        ("sys.version_info < (3, 8)", False, False),
        ("sys.version_info[:2] >= (3, 12)", True, True),
        ("sys.version_info[0] == 2", False, False),
        ("sys.version_info.minor < 14", False, True),
        ("sys.platform == 'emscripten' and TYPE_CHECKING", False, False),
        ("sys.platform == 'emscripten' or debug", True, None),
        ("debug and sys.version_info > (3, 0)", None, None),
        ("sys.version_info >= (3, 14, 2)", None, False),
        ("sys.version_info >= 'x'", None, None),
        ("debug", None, None),
    ],
)
def test_only_the_branches_that_can_run_are_walked(condition, edge, nodejs):
    text = f"if {condition}:\n    yes()\nelse:\n    no()\n"
    branches = {True: {"yes"}, False: {"no"}, None: {"yes", "no"}}
    assert set(names(text, EDGE)) == branches[edge]
    assert set(names(text, LAMBDA)) == branches[nodejs]


def test_without_a_platform_both_sides_of_its_comparisons_are_walked():
    assert set(
        names("if sys.platform == 'x':\n    a()\nelse:\n    b()\nif TYPE_CHECKING:\n    c()", None)
    ) == {"a", "b"}


def test_elif_is_walked_where_it_can_run():
    text = "if sys.platform == 'win32':\n    a()\nelif sys.platform == 'emscripten':\n    b()\nelse:\n    c()"
    assert set(names(text)) == {"b"}


@pytest.mark.parametrize(
    "caught", ["ImportError", "ModuleNotFoundError", "(KeyError, ImportError)", "Exception", ""]
)
def test_what_runs_where_a_failing_import_is_caught_is_guarded(caught):
    text = f"try:\n    a()\nexcept {caught}:\n    b()\nelse:\n    c()\nfinally:\n    d()"
    assert {name for name, (_, guarded) in names(text).items() if guarded} == {"a"}


def test_other_handlers_guard_nothing():
    assert names("try:\n    a()\nexcept KeyError:\n    pass") == {"a": (False, False)}


def test_suppress_guards():
    assert names("with contextlib.suppress(ImportError):\n    a()")["a"] == (False, True)


def test_bodies_of_functions_run_later_and_are_not_guarded_by_what_is_around_them():
    text = "try:\n    def f(x=a()):\n        b()\n    g = lambda: c()\nexcept ImportError:\n    pass"
    assert names(text) == {"a": (False, True), "b": (True, False), "c": (True, False)}


def test_bodies_of_classes_run_at_once():
    assert names("class C:\n    a()") == {"a": (False, False)}


@pytest.mark.parametrize(
    "text",
    [
        "if os.name == 'nt':\n    a()",
        "import os as o\nif o.name != 'posix':\n    a()",
        "from sys import platform as p\nif p == 'win32':\n    a()",
        "WINDOWS = sys.platform == 'win32'\nif WINDOWS and debug:\n    a()",
        "WINDOWS = sys.platform.startswith('win')\nLINUX = not WINDOWS\nif not LINUX:\n    a()",
        "if platform.system() in {'Windows', 'Darwin'}:\n    a()",
        "if platform.python_implementation() == 'PyPy' or sys.implementation.name == 'pypy':\n    a()",
        "from typing import TYPE_CHECKING as T\nif T:\n    a()",
        "x = a() if sys.platform == 'win32' else 1",
        "match sys.platform:\n    case 'win32' | 'cygwin':\n        a()\n    case _:\n        pass",
        "def f():\n    if sys.platform == 'emscripten':\n        return 1\n    a()",
        "if sys.platform == 'emscripten':\n    raise ImportError\na()",
        "def f(x: a()) -> a(): pass\ny: a() = 1",
    ],
)
def test_what_never_runs_on_edge(text):
    assert "a" not in names(text)


@pytest.mark.parametrize(
    "text",
    [
        "A = A\nif A:\n    a()",
        "B = A == 1\nA = B == 1\nif A:\n    a()",
        "W = sys.platform == 'win32'\nW = not W\nif W:\n    a()",
        "match sys.platform:\n    case 'win32':\n        pass\n    case other:\n        a()",
        "match x:\n    case 'win32':\n        a()",
        "def f():\n    if sys.platform == 'win32':\n        return 1\n    a()",
        "def f(x=a()): pass",
    ],
)
def test_what_may_run_on_edge(text):
    assert "a" in names(text)


@pytest.mark.parametrize("test", ["importlib.util.find_spec('a')", "hasattr(os, 'a') and x"])
def test_what_is_asked_for_first_is_guarded(test):
    assert names(f"if {test}:\n    a()\nb()") | {"hasattr": None} == {
        "a": (False, True),
        "b": (False, False),
        "hasattr": None,
    }


def test_what_waits_for_something_says_for_what():
    text = (
        "try:\n    import one, two.x\nexcept ImportError:\n    a()\nelse:\n    b()\nif debug:\n    c()\nd()"
    )
    causes = {
        node.func.id: cause
        for node, _, _, cause in walk(ast.parse(text), EDGE)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert causes == {"a": ("one", "two.x"), "b": (), "c": (), "d": None}


def test_without_functions_neither_their_bodies_nor_expressions_are_walked():
    text = "import a\ndef f():\n    import b\nclass C:\n    import c\n    x = [y for y in z]"
    nodes = [node for node, _, _, _ in walk(ast.parse(text), EDGE, functions=False)]
    assert [node.names[0].name for node in nodes if isinstance(node, ast.Import)] == ["a", "c"]
    assert not any(isinstance(node, ast.expr) for node in nodes)
