import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from packager import wheel_modules
from packager.wheel_modules import Module, module_of, modules_of, name_of


def module(source: str, file: str = "pkg/inner/__init__.py", beside: frozenset[str] = frozenset()) -> Module:
    found = module_of(file, source.encode(), beside)
    assert found is not None
    return found


def wheel(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for file, content in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.mark.parametrize(("file", "name"), [("a.py", "a"), ("a/__init__.py", "a"), ("a/b/c.py", "a.b.c")])
def test_a_file_has_the_name_it_is_imported_by(file: str, name: str) -> None:
    assert name_of(file) == name


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("import a.b, c", ("a.b", "c")),
        ("from a import b, c", ("a", "a.b", "a.c")),
        ("from . import b", ("pkg.inner", "pkg.inner.b")),
        ("from .b import c", ("pkg.inner.b", "pkg.inner.b.c")),
        ("from ..b import c", ("pkg.b", "pkg.b.c")),
        ("try:\n    import a\nexcept ImportError:\n    import b", ("a", "b")),
        ("class A:\n    import a", ("a",)),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", ("b",)),
    ],
)
def test_imports_of_the_module_are_eager_and_absolute(statement: str, names: tuple[str, ...]) -> None:
    found = module(f"from typing import TYPE_CHECKING\n{statement}")
    assert found.eager[2:] == names
    assert found.lazy == ()


def test_imports_from_a_module_count_from_its_package() -> None:
    assert module("from . import b", "pkg/x.py").eager == ("pkg", "pkg.b")


def test_imports_of_functions_are_lazy_but_for_those_of_type_checkers() -> None:
    source = (
        "import a\n"
        "def f():\n    import a, b\n    if TYPE_CHECKING:\n        import c\n    else:\n        import d\n"
        "class A:\n    async def g(self):\n"
        "        try:\n            from .e import f\n        except E:\n            import g\n"
        "        match 1:\n            case _:\n                import h\n"
    )
    assert module(source).lazy == ("b", "d", "pkg.inner.e", "pkg.inner.e.f", "g", "h")


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("x = 'pkg.other:thing'", ("pkg.other",)),
        ("x = '.other'", ("pkg.inner.other",)),
        ("x = {'a': ('b', ['main'])}", ("main",)),
        ("x = 'main.py'", ("main",)),
        ("x = f'pkg.backends._{name}'", ("pkg.backends._",)),
        ("x = 'pkg.dialects.%s' % name", ("pkg.dialects.",)),
        ("x = 'pkg.' + name", ("pkg.",)),
        ("def f(): return {'main'}", ("main",)),
        ("'''of pkg.other and main'''", ()),
        ("def f():\n    'pkg.other'", ()),
        ("x = 'nothing of the kind, at all, 1.2.3'", ()),
    ],
)
def test_texts_that_could_name_modules_or_begin_their_names(source: str, texts: tuple[str, ...]) -> None:
    assert module(source, beside=frozenset({"main"})).texts == texts


def test_attributes_that_a_module_imports_when_they_are_asked_for() -> None:
    table = "_lazy = {'Model': (__spec__.parent, '.main'), 'Other': 'pkg.far', 'n': 1}\n"
    assert module(f"{table}def __getattr__(name): ...").attributes == {
        "Model": ("pkg.inner.main",),
        "Other": ("pkg.far",),
        "n": (),
    }
    assert module(table).attributes == {}


def test_what_a_module_cannot_do_without() -> None:
    source = "import a.b\nfrom c import d\nfrom . import e\ntry:\n    import f\nexcept X: ...\nif x:\n    import g\n"
    assert module(source).needs == ("a", "c")


@pytest.mark.parametrize("source", [b"{% not python %}", b"\0", b"x = " + b"(" * 3000])
def test_what_is_no_python_says_nothing(source: bytes) -> None:
    assert module_of("pkg/template.py", source, frozenset()) is None


def test_entry_points_and_names_in_compiled_modules_are_roots(tmp_path: Path) -> None:
    folder = wheel(
        tmp_path / "w",
        {
            "pkg/__init__.py": "",
            "pkg/plugin.py": "",
            "pkg/from_c.py": "",
            "pkg/by_name.py": "",
            "pkg/command.py": "",
            "pkg/_core.so": b"\x7fELF\0pkg.from_c\0by_name\0",
            "pkg-1.dist-info/entry_points.txt": (
                "[group]\nx = pkg.plugin:make [extra]\n[console_scripts]\ny = pkg.command:main\n"
            ),
        },
    )
    assert modules_of(folder).roots == ("pkg.by_name", "pkg.from_c", "pkg.plugin")


@pytest.mark.parametrize(
    ("source", "known"),
    [
        ("import_module('pkg.x')", True),
        ("import_module(f'pkg.backends._{name}')", True),
        ("__import__('pkg.dialects.%s' % name)", True),
        ("import_module(name)", False),
        ("import_module('.' + name, 'pkg')", False),
        ("import_module(f'{package}.x')", False),
        ("pkgutil.iter_modules(__path__)", False),
        ("runpy.run_path(path)", False),
        ("attach_stub(__name__, __file__)", False),
    ],
)
def test_a_wheel_is_open_if_it_imports_by_names_that_cannot_be_known(
    tmp_path: Path, source: str, known: bool
) -> None:
    folder = wheel(tmp_path / "w", {"pkg/__init__.py": source, "pkg/x.py": ""})
    assert modules_of(folder).open is not known


def test_a_wheel_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "cache"))
    folder = wheel(tmp_path / "cache/wheels/abc", {"pkg/__init__.py": "import a\nx = 'a.b'", "pkg/y.py": "'"})
    first = modules_of(folder)
    (kept,) = (tmp_path / "cache/modules").iterdir()
    assert set(json.loads(kept.read_text())["modules"]) == {"pkg/__init__.py"}
    modules_of.cache_clear()
    monkeypatch.setattr(wheel_modules, "_read", None)
    assert modules_of(folder) == first


def test_a_package_of_our_own_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    folder = wheel(tmp_path / "own", {"x.py": "import a"})
    assert modules_of(folder, "own").modules == {"own/x.py": Module(eager=("a",), needs=("a",))}
    modules_of.cache_clear()
    wheel(folder, {"x.py": "import b"})
    assert modules_of(folder, "own").modules["own/x.py"].eager == ("b",)
