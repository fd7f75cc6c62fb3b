from collections.abc import Mapping
from pathlib import Path

import pytest

from packager.model import Distribution, Wheel
from packager.wheel_files import carried_files


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path


def distribution(store: Path, name: str, files: Mapping[str, str]) -> Distribution:
    folder = store / name
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    modules = tuple(sorted({file.split("/")[0] for file in files if ".dist-info" not in file}))
    return Distribution(Wheel(name, "1.0", f"{name}.whl", "", ""), folder, modules, ())


def carried(*rows: Distribution, ours: bytes = b"", left_out: frozenset[str] = frozenset()) -> set[str]:
    return {entry.name for _, entry in carried_files(rows, [ours], left_out)}


def test_what_only_type_checkers_authors_and_installers_need_stays_out(store: Path) -> None:
    row = distribution(
        store,
        "pkg",
        {
            "pkg/__init__.py": "from pkg import inner",
            "pkg/inner.py": "",
            "pkg/inner.pyi": "",
            "pkg/py.typed": "",
            "pkg/__pycache__/inner.cpython-313.pyc": "",
            "pkg/tests/test_inner.py": "from pkg.tests import data",
            "pkg/deep/test/data.json": "",
            "pkg/data.json": "",
        },
    )
    assert carried(row) == {"pkg/__init__.py", "pkg/inner.py", "pkg/data.json"}


def test_metadata_entry_points_and_licences_stay_and_installer_records_go(store: Path) -> None:
    names = {"METADATA", "entry_points.txt", "licenses/LICENSE"}
    files = {f"pkg-1.0.dist-info/{name}": "" for name in names}
    more = {f"pkg-1.0.dist-info/{name}": "" for name in ("WHEEL", "sboms/pkg.cyclonedx.json")}
    assert carried(distribution(store, "pkg", files | more)) == set(files)


def test_of_the_metadata_the_description_goes(store: Path) -> None:
    text = "Metadata-Version: 2.4\r\nName: pkg\r\nRequires-Dist: other\r\n\r\n# pkg\r\n\r\nLong.\r\n"
    row = distribution(store, "pkg", {"pkg-1.0.dist-info/METADATA": text})
    ((_, entry),) = carried_files([row], [], ())
    assert entry.source == b"Metadata-Version: 2.4\nName: pkg\nRequires-Dist: other\n\n"


def test_modules_that_are_left_out_are_not_there(store: Path) -> None:
    row = distribution(store, "pkg", {"pkg/__init__.py": "", "pkg/unused.py": ""})
    assert carried(row, left_out=frozenset({"pkg/unused.py"})) == {"pkg/__init__.py"}


@pytest.mark.parametrize(
    "source",
    [
        "from pkg.tests import x",
        "from .tests.x import y",
        "from . import tests",
        "from pkg import (\n    a,\n    tests,\n)",
        "    import pkg.tests.x as y",
        'import_module("pkg.tests")',
        'open(HERE + "/tests/data.json")',
    ],
)
def test_tests_stay_where_the_distributions_own_code_names_them(store: Path, source: str) -> None:
    row = distribution(store, "pkg", {"pkg/__init__.py": source, "pkg/tests/__init__.py": ""})
    assert "pkg/tests/__init__.py" in carried(row)


def test_tests_stay_where_other_code_imports_them(store: Path) -> None:
    row = distribution(store, "pkg", {"pkg/__init__.py": "", "pkg/tests/__init__.py": ""})
    other = distribution(store, "other", {"other/__init__.py": "from pkg.tests import x"})
    assert "pkg/tests/__init__.py" not in carried(row)
    assert "pkg/tests/__init__.py" in carried(row, other)
    assert "pkg/tests/__init__.py" in carried(row, ours=b"import json\nimport pkg.tests\n")


@pytest.mark.parametrize(
    "source", ["# see the tests", '"""Run the tests."""', "import json", "from pkg import testing"]
)
def test_a_word_in_a_comment_is_no_reason_to_keep_tests(store: Path, source: str) -> None:
    row = distribution(store, "pkg", {"pkg/__init__.py": source, "pkg/tests/__init__.py": ""})
    assert carried(row) == {"pkg/__init__.py"}


def test_a_package_that_is_called_tests_stays(store: Path) -> None:
    row = distribution(store, "pkg", {"pkg/__init__.py": "", "tests/__init__.py": ""})
    assert carried(row) == {"pkg/__init__.py", "tests/__init__.py"}


def test_stubs_stay_where_they_are_read_at_run_time(store: Path) -> None:
    source = "import lazy_loader\nlazy_loader.attach_stub(__name__, __file__)"
    row = distribution(store, "pkg", {"pkg/__init__.py": source, "pkg/__init__.pyi": ""})
    assert "pkg/__init__.pyi" in carried(row)


def test_executables_stay_executable(store: Path) -> None:
    row = distribution(store, "pkg", {"pkg/run": ""})
    (store / "pkg/pkg/run").chmod(0o755)
    ((_, entry),) = carried_files([row], [], ())
    assert entry.executable
