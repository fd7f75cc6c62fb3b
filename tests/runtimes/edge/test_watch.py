"""What modules do while they are imported, seen from outside: the modules are files, imported as an app's are."""

import asyncio
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runtimes.edge.watch import Seen, Sight, watching

type Watch = Callable[..., Seen]


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Import `route.py` of these files; `project` are those of the project, unless given all of them."""

    def watch_import(files: dict[str, str], project: set[str] | None = None) -> Seen:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        monkeypatch.setenv("SETTING", "set")
        monkeypatch.syspath_prepend(str(tmp_path))

        async def run() -> Seen:
            with watching(str(tmp_path), frozenset(files if project is None else project)) as seen:
                spec = importlib.util.spec_from_file_location("route", tmp_path / "route.py")
                assert spec
                assert spec.loader
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                if hasattr(module, "later"):
                    module.later()
            return seen

        return asyncio.run(run())

    return watch_import


READS = {
    "by name": ('os.environ["SETTING"]', "SETTING"),
    "get": ('os.environ.get("SETTING")', "SETTING"),
    "getenv": ('os.getenv("SETTING")', "SETTING"),
    "one that is not set": ('os.environ.get("NOT_SET_HERE", "1")', "NOT_SET_HERE"),
    "is it there": ('"SETTING" in os.environ', "SETTING"),
    "setdefault": ('os.environ.setdefault("SETTING", "2")', "SETTING"),
    "iteration": ("list(os.environ)", "*"),
    "copy": ("os.environ.copy()", "*"),
    "dict": ("dict(os.environ)", "*"),
    "items": ("sorted(os.environ.items())", "*"),
    "number": ("len(os.environ)", "*"),
    "truth": ("bool(os.environ)", "*"),
}


@pytest.mark.parametrize(("expression", "what"), READS.values(), ids=READS)
def test_a_read_is_noted_with_file_and_line(watch: Watch, expression: str, what: str) -> None:
    seen = watch({"route.py": f"import os\n\nVALUE = {expression}\n"})
    assert seen.reads[0] == Sight("route.py", 3, what)
    assert {(row.file, row.line) for row in seen.reads} == {("route.py", 3)}


def test_a_read_in_a_function_is_that_of_the_module_that_calls_it(watch: Watch) -> None:
    seen = watch(
        {"route.py": "import os\ndef setting():\n    return os.getenv('SETTING')\n\nVALUE = setting()\n"}
    )
    assert seen.reads == [Sight("route.py", 5, "SETTING")]


def test_a_read_of_a_name_bound_to_the_environment_is_one(watch: Watch) -> None:
    seen = watch(
        {"route.py": "from os import environ, getenv\nA = environ['SETTING']\nB = getenv('SETTING')\n"}
    )
    assert seen.reads == [Sight("route.py", 2, "SETTING"), Sight("route.py", 3, "SETTING")]


def test_the_module_that_reads_is_named_and_not_the_one_that_imports_it(watch: Watch) -> None:
    files = {
        "route.py": "from watched_lib.config import VALUE\n",
        "watched_lib/__init__.py": "",
        "watched_lib/config.py": "import os\nVALUE = os.environ['SETTING']\n",
    }
    assert watch(files).reads == [Sight("watched_lib/config.py", 2, "SETTING")]


def test_a_library_that_reads_for_the_project_is_told_by_the_projects_line(watch: Watch) -> None:
    files = {
        "route.py": "\nimport watched_settings\nVALUE = watched_settings.read('SETTING')\n",
        "watched_settings.py": "import os\n\ndef read(name):\n    return os.environ[name]\n",
    }
    assert watch(files, {"route.py"}).reads == [Sight("route.py", 3, "SETTING")]


def test_a_library_that_configures_itself_is_not_noted(watch: Watch) -> None:
    files = {
        "route.py": "import watched_own\nimport watched_package\n",
        "watched_own.py": "import os\nos.environ.get('WATCHED_OWN_DEBUG')\n",
        "watched_package/__init__.py": "from watched_package import inner\n",
        "watched_package/inner.py": "import os\nos.environ.get('WATCHED_PACKAGE_DEBUG')\n",
    }
    assert watch(files, {"route.py"}).reads == []


def test_a_module_of_the_project_is_noted_whatever_the_variables_name(watch: Watch) -> None:
    assert watch({"route.py": "import os\nos.environ.get('ROUTE_DEBUG')\n"}).reads != []


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "PYTHON_COLORS", "LC_ALL"])
def test_what_configures_the_interpreter_is_not_noted(watch: Watch, name: str) -> None:
    assert watch({"route.py": f"import os\nos.environ.get('{name}')\n"}).reads == []


def test_what_the_standard_library_reads_for_the_project_is_noted(watch: Watch) -> None:
    seen = watch({"route.py": "import os\nHERE = os.path.expanduser('~')\n"})
    assert set(seen.reads) == {Sight("route.py", 2, "HOME")}


def test_writing_is_no_read(watch: Watch) -> None:
    source = "import os\nos.environ['WATCHED_NEW'] = '1'\ndel os.environ['WATCHED_NEW']\n"
    assert watch({"route.py": source}).reads == []


def test_what_runs_after_the_imports_is_not_noted(watch: Watch) -> None:
    seen = watch({"route.py": "import os\n\ndef later():\n    return os.environ['SETTING']\n"})
    assert seen.reads == []


TASKS = {
    "create_task": "asyncio.get_event_loop().create_task(work())",
    "ensure_future": "asyncio.ensure_future(work(), loop=asyncio.get_event_loop())",
    "call_later": "asyncio.get_event_loop().call_later(60, print)",
    "call_soon": "asyncio.get_event_loop().call_soon(int)",
    "Task": "asyncio.Task(work(), loop=asyncio.get_event_loop())",
}


@pytest.mark.parametrize("expression", TASKS.values(), ids=TASKS)
def test_work_left_to_the_event_loop_is_noted_with_file_and_line(watch: Watch, expression: str) -> None:
    source = f"import asyncio\nasync def work():\n    pass\n\nKEPT = {expression}\n"
    assert {(row.file, row.line) for row in watch({"route.py": source}).tasks} == {("route.py", 5)}


def test_an_import_without_side_effects_leaves_nothing(watch: Watch) -> None:
    assert watch({"route.py": "import os, asyncio\nLOCK = asyncio.Lock()\n"}) == Seen()


def test_afterwards_the_environment_and_the_loop_are_as_before(watch: Watch) -> None:
    plain = type(os.environ)
    watch({"route.py": "import os\nos.environ['SETTING']\n"})
    assert type(os.environ) is plain

    async def names() -> list[str]:
        loop = asyncio.get_running_loop()
        with watching("/app", frozenset()):
            assert type(os.environ) is not plain
        return [name for name in ("create_task", "call_later", "call_soon") if name in vars(loop)]

    assert asyncio.run(names()) == []
