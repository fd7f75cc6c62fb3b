from collections.abc import Mapping
from pathlib import Path

import pytest

from packager.model import Distribution, Wheel
from packager.module_reach import ModuleReach, module_reach

PACKAGE = {
    "pkg/__init__.py": "from pkg.core import thing",
    "pkg/core.py": "def f():\n    from pkg import late",
    "pkg/late.py": "import json",
    "pkg/unused.py": "import pkg.only_by_unused",
    "pkg/only_by_unused.py": "",
    "pkg/sub/__init__.py": "",
    "pkg/sub/deep.py": "",
}


def distribution(store: Path, name: str, files: Mapping[str, str]) -> Distribution:
    folder = store / name
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    return Distribution(Wheel(name, "1.0", f"{name}.whl", "", ""), folder, (name,), ())


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    folder = tmp_path / "runtime"
    folder.mkdir()
    (folder / "x.py").write_text("import far")
    return folder


def reach(runtime: Path, source: str, *packages: Mapping[str, str], **more: set[str]) -> ModuleReach:
    rows = [
        distribution(runtime.parent, next(iter(files)).partition("/")[0], files)
        for files in packages or [PACKAGE]
    ]
    return module_reach(rows, runtime, {"app/route.py": source.encode()}, **more)


def test_modules_that_nothing_names_are_left_out(runtime: Path) -> None:
    found = reach(runtime, "import pkg")
    assert found.left_out == {
        "pkg/unused.py",
        "pkg/only_by_unused.py",
        "pkg/sub/__init__.py",
        "pkg/sub/deep.py",
    }


@pytest.mark.parametrize(
    "source",
    [
        "from pkg.sub import deep",
        "import pkg.sub.deep",
        "import pkg\nimport_module('pkg.sub.deep')",
        "import pkg\nload(f'pkg.sub.{name}')",
        "import pkg\nload('deep')",
        "import pkg\nSETTING = 'pkg.sub.deep.Class'",
        "import pkg\ndef f():\n    from pkg.sub import deep",
    ],
)
def test_a_module_that_the_project_names_in_any_way_stays_with_its_packages(
    runtime: Path, source: str
) -> None:
    assert reach(runtime, source).left_out == {"pkg/unused.py", "pkg/only_by_unused.py"}


def test_a_word_in_another_distribution_is_no_name_of_a_module_here(runtime: Path) -> None:
    other = {"other/__init__.py": "x = 'deep'", "other/deep.py": ""}
    assert "pkg/sub/deep.py" in reach(runtime, "import pkg, other", PACKAGE, other).left_out


def test_a_full_name_in_another_distribution_is(runtime: Path) -> None:
    other = {"other/__init__.py": "x = 'pkg.sub.deep'"}
    assert "pkg/sub/deep.py" not in reach(runtime, "import pkg, other", PACKAGE, other).left_out


def test_all_of_an_open_wheel_stays(runtime: Path) -> None:
    opened = {**PACKAGE, "pkg/core.py": "import_module(name)"}
    assert reach(runtime, "import pkg", opened).left_out == set()


@pytest.mark.parametrize("module", ["pickle", "joblib"])
def test_all_stays_where_the_project_reads_pickles(runtime: Path, module: str) -> None:
    assert reach(runtime, f"import pkg, {module}").left_out == set()


def test_what_the_settings_name_stays(runtime: Path) -> None:
    assert reach(runtime, "import pkg", keep={"pkg.sub"}).left_out == {
        "pkg/unused.py",
        "pkg/only_by_unused.py",
    }
    assert "pkg/sub/deep.py" in reach(runtime, "import pkg", keep={"pkg.su"}).left_out


def test_a_module_that_needs_what_is_not_there_is_left_out_with_what_it_alone_brings(runtime: Path) -> None:
    files = {
        "pkg/__init__.py": "def f(): from pkg import backend",
        "pkg/backend.py": "import absent\nimport pkg.helper",
        "pkg/helper.py": "",
    }
    assert reach(runtime, "import pkg", files).left_out == {"pkg/backend.py", "pkg/helper.py"}
    assert reach(runtime, "import pkg", files, known={"absent"}).left_out == set()


@pytest.mark.parametrize("module", ["sys", "boto3", "runtimes", "pkg"])
def test_what_is_there_on_lambda_is_no_want(runtime: Path, module: str) -> None:
    files = {"pkg/__init__.py": "import pkg.x", "pkg/x.py": f"import {module}"}
    assert reach(runtime, "import pkg", files).left_out == set()


def test_a_package_can_be_run_as_a_program(runtime: Path) -> None:
    files = {"pkg/__init__.py": "", "pkg/__main__.py": "import pkg.command", "pkg/command.py": ""}
    assert reach(runtime, "import pkg", files).left_out == set()


def test_early_is_what_the_imports_run_and_what_light_functions_import_later(runtime: Path) -> None:
    found = reach(runtime, "import pkg")
    assert found.early == {"pkg/__init__.py", "pkg/core.py", "pkg/late.py"}


def test_what_is_heavy_and_imported_by_a_function_is_not_early(runtime: Path) -> None:
    heavy = {**PACKAGE, "pkg/late.py": f"x = '{'y' * 140_000}'"}
    assert "pkg/late.py" not in reach(runtime, "import pkg", heavy).early
    assert "pkg/late.py" in reach(runtime, "import pkg.late", heavy).early


def test_another_distribution_that_a_function_imports_has_to_be_lighter(runtime: Path) -> None:
    files = {"pkg/__init__.py": "def f(): import other"}
    other = {"other/__init__.py": f"x = '{'y' * 70_000}'"}
    assert "other/__init__.py" not in reach(runtime, "import pkg", files, other).early


def test_what_the_projects_own_functions_import_may_be_as_heavy_as_a_part(runtime: Path) -> None:
    other = {"other/__init__.py": f"x = '{'y' * 70_000}'"}
    assert "other/__init__.py" in reach(runtime, "def f(): import other", other).early


def test_an_attribute_that_is_imported_when_asked_for_is_early(runtime: Path) -> None:
    files = {
        "pkg/__init__.py": "_lazy = {'Model': '.main', 'Other': '.other'}\ndef __getattr__(name): ...",
        "pkg/main.py": "from . import base",
        "pkg/base.py": "",
        "pkg/other.py": "",
    }
    found = reach(runtime, "from pkg import Model", files)
    assert found.early == {"pkg/__init__.py", "pkg/main.py", "pkg/base.py"}
    assert found.left_out == set()


def test_what_the_runtime_imports_stays(runtime: Path) -> None:
    files = {"far/__init__.py": "", "far/x.py": ""}
    found = reach(runtime, "", files)
    assert found == ModuleReach(left_out=frozenset({"far/x.py"}), early=frozenset({"far/__init__.py"}))
