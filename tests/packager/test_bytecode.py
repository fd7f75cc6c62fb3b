import importlib.util
import marshal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import pytest

from packager import bytecode
from packager.build import build
from packager.errors import ToolError

if TYPE_CHECKING:
    from conftest import Wheelhouse, Write

PYTHON = ".".join(map(str, sys.version_info[:2]))
PYC = f"cpython-{PYTHON.replace('.', '')}.pyc"
UNKNOWN = "3.99"
GET = "def GET():\n    return {}\n"

type Build = Callable[..., dict[str, bytes]]


@pytest.fixture
def built(write: "Write", wheelhouse: "Wheelhouse", hollow_pyodide: Path) -> Build:
    """Builds a project of the given files for this Python; gives what is in the artifact of its nodejs function."""
    thing = {"thing/__init__.py": "value = 'from the wheel'\n", "thing/template.py": "{% not python %}\n"}
    wheelhouse.add("thing", files=thing)
    wheelhouse.add("starlette", "1.10.0", files={"starlette/__init__.py": ""})
    wheelhouse.add("mangum", "0.22.0")
    wheelhouse.add("python-multipart", "0.0.30")

    def make(
        files: dict[str, str], report: list[str] | None = None, *, python: str = PYTHON, cached: bool = True
    ) -> dict[str, bytes]:
        settings = f'[tool.packager.lambda]\npython = "{python}"\n[tool.packager.edge]\nloader = "stock"\n'
        project = f'[project]\nname = "x"\ndependencies = ["thing"]\n{settings}'
        root = write({"pyproject.toml": project, **files})
        lines: list[str] = [] if report is None else report
        result = build(root, check=False, cached=cached, report=lines.append)
        (function,) = (row for row in result.manifest.functions if row.runtime == "nodejs")
        with zipfile.ZipFile(result.out / function.artifact) as file:
            return {name: file.read(name) for name in file.namelist()}

    return make


def code_of(pyc: bytes) -> CodeType:
    code = marshal.loads(pyc[16:])
    assert isinstance(code, CodeType)
    return code


def test_every_module_of_a_nodejs_artifact_has_its_bytecode_beside_it(built: Build) -> None:
    found = built({"app/api/[id]/route.py": f"import thing\n{GET}"})
    sources = {name for name in found if name.endswith(".py") and found[name] and "template" not in name}
    assert {bytecode.place(name, PYTHON) for name in sources} <= set(found)
    pyc = found[f"app/api/[id]/__pycache__/route.{PYC}"]
    assert pyc[:4] == importlib.util.MAGIC_NUMBER
    assert pyc[4:8] == (1).to_bytes(4, "little")
    assert pyc[8:16] == importlib.util.source_hash(found["app/api/[id]/route.py"])
    assert code_of(pyc).co_filename == "/var/task/app/api/[id]/route.py"
    assert f"thing/__pycache__/__init__.{PYC}" in found


def test_the_import_takes_the_bytecode_and_never_looks_at_the_source(built: Build, tmp_path: Path) -> None:
    for name, content in built({"app/api/a/route.py": f"import thing\n{GET}"}).items():
        file = tmp_path / "task" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (tmp_path / "task/thing/__init__.py").write_text("value = 'changed'")
    command = [sys.executable, "-c", "import thing; print(thing.value)"]
    done = subprocess.run(command, cwd=tmp_path / "task", capture_output=True, text=True, check=True)
    assert done.stdout == "from the wheel\n"


def test_what_is_no_python_stays_a_source(built: Build) -> None:
    lines: list[str] = []
    found = built({"app/api/a/route.py": f"import thing\nimport thing.template\n{GET}"}, lines)
    assert f"thing/__pycache__/template.{PYC}" not in found
    assert not [line for line in lines if "warning" in line]


def test_edge_artifacts_have_none(built: Build, tmp_path: Path) -> None:
    built({"app/api/a/route.py": GET, "app/api/b/route.py": f'runtime = "edge"\n{GET}'})
    with zipfile.ZipFile(tmp_path / "project/.packager/edge/edge/app.zip") as file:
        assert not [name for name in file.namelist() if name.endswith(".pyc")]


def test_without_the_interpreter_there_are_sources_and_one_warning(
    built: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bytecode, "find", lambda _python: None)
    lines: list[str] = []
    found = built({"app/api/a/route.py": GET, "app/api/b/route.py": GET}, lines)
    assert not [name for name in found if name.endswith(".pyc")]
    (warning,) = (line for line in lines if line.startswith("warning"))
    assert f"no Python {PYTHON}" in warning
    assert f"uv python install {PYTHON}" in warning


def test_only_what_is_new_is_compiled(built: Build, tmp_path: Path) -> None:
    def kept() -> dict[Path, int]:
        files = (tmp_path / "cache/bytecode").rglob("*.pyc")
        return {file: file.stat().st_mtime_ns for file in files}

    built({"app/api/a/route.py": GET, "app/api/b/route.py": GET})
    first = kept()
    built({"app/api/b/route.py": f"{GET}# more"})
    second = kept()
    assert first.items() <= second.items()
    assert len(second) == len(first) + 1


def test_no_cache_compiles_anew_and_keeps_nothing(built: Build, tmp_path: Path) -> None:
    good = built({"app/api/a/route.py": GET})
    kept = [file for file in (tmp_path / "cache/bytecode").rglob("*.pyc") if file.stat().st_size]
    for file in kept:
        file.write_bytes(b"damaged")
    assert built({}, cached=False) == good
    assert {file.read_bytes() for file in kept} == {b"damaged"}


def test_the_bytes_depend_on_the_source_and_its_path_alone(
    built: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = "def member(v):\n    return v in {'a', 'b', 'c', 'd', 'e'}, 'os', (1.5, 'a b')\n"
    first = built({"app/api/a/route.py": f"import lib\n{GET}", "lib.py": sets})
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "other-cache"))
    monkeypatch.setenv("PYTHONHASHSEED", "5")
    second = built({f"app/api/{name}/route.py": f"import lib\n{GET}{sets}" for name in ("0", "a", "b")})
    name = f"__pycache__/lib.{PYC}"
    assert first[name] == second[name]


def test_a_program_of_that_name_that_is_no_such_python_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / f"python{UNKNOWN}"
    for text in ("exit 127", "echo cpython 3.98 final 30c00f0 /x", f"echo cpython {UNKNOWN} candidate 1 /x"):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert bytecode.find(UNKNOWN) is None


def test_an_interpreter_on_the_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / f"python{UNKNOWN}"
    program.write_text(f"#!/bin/sh\necho cpython {UNKNOWN} final 36300f0 /some/where\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bytecode.find(UNKNOWN) == bytecode.Interpreter("/some/where", UNKNOWN, "36300f0")


def test_this_interpreter_serves_its_own_version() -> None:
    found = bytecode.find(PYTHON)
    assert found is not None
    assert found.build == f"{sys.hexversion:x}"


def test_an_interpreter_that_fails_is_an_error_with_its_reason(
    built: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "broken"
    program.write_text("#!/bin/sh\ncat > /dev/null; echo 'no memory' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(bytecode, "find", lambda python: bytecode.Interpreter(str(program), python, "1"))
    with pytest.raises(ToolError, match="could not compile the modules: no memory"):
        built({"app/api/a/route.py": GET})
