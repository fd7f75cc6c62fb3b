"""What a build freezes, what it leaves to the start, and what it refuses: each in real Pyodide, by whole builds."""

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from edge_artifact import Artifact, Served, build_artifact, served, write_project

from packager import snapshot, snapshot_cache
from packager.cache import cache_dir
from packager.errors import ProjectError

pytestmark = pytest.mark.long

OK = "def GET():\n    return {'ok': True}\n"
MARK = "a-constant-of-the-route"
HASH = f"MARK = '{MARK}'\n\n\ndef GET():\n    return [hash('abc'), hash('abd')]\n"
BUILDER = "a-value-of-the-builders-environment"
SECRET = "a-secret-of-the-developer"
VARIABLE = "a-value-of-one-deployment"


@dataclass(frozen=True, slots=True)
class Builds:
    """Two of equal sources, in two folders, and one of others."""

    one: Artifact
    two: Artifact
    other: Artifact


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    def make(name: str, source: str) -> Artifact:
        folder = tmp_path_factory.mktemp(name) / "shop"
        files = {
            "app/api/hash/route.py": source,
            ".env": f"PUBLIC_NAME={VARIABLE}\n",
            ".env.local": f"SESSION_KEY={SECRET}\n",
        }
        patch.setattr(snapshot_cache, "derived_dir", lambda: folder.parent)  # each is frozen itself
        return build_artifact(write_project(folder, files), check=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUILDER_SETTING", BUILDER)
        return Builds(make("one", HASH), make("two", HASH), make("other", f"{HASH}\n# another\n"))


def contents(artifact: Artifact) -> dict[str, str]:
    """The hash of each file of the folder but those of the snapshot."""
    assert artifact.function.snapshot
    return {
        path.relative_to(artifact.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in artifact.folder.rglob("*")
        if path.is_file()
        and path.relative_to(artifact.folder).as_posix() not in artifact.function.snapshot.files
    }


def test_the_manifest_names_the_files_of_the_snapshot_and_its_identity(builds: Builds) -> None:
    made = builds.one.function.snapshot
    assert made
    assert made.files == ("heap.bin", "code.bin")
    assert len(made.identity) == 64
    assert all((builds.one.folder / file).stat().st_size > 0 for file in made.files)


def test_the_same_inputs_give_the_same_identity_and_others_another(builds: Builds) -> None:
    one, two, other = (made.function.snapshot for made in (builds.one, builds.two, builds.other))
    assert one
    assert two
    assert other
    assert one.identity == two.identity
    assert one.identity != other.identity


def test_every_other_file_of_the_folder_has_the_same_bytes(builds: Builds) -> None:
    assert contents(builds.one) == contents(builds.two)
    assert len(contents(builds.one)) > 5


def test_hashes_are_equal_in_all_workers_of_equal_sources_and_no_others(
    builds: Builds, tmp_path: Path
) -> None:
    found = []
    for number, made in enumerate((builds.one, builds.one, builds.two, builds.other)):
        with served(made.folder, tmp_path / str(number)) as server:
            found.append(tuple(server.get("/api/hash").json()))
    assert len(set(found[:3])) == 1
    assert found[3] != found[0]


def test_nothing_of_the_builder_or_of_a_deployment_is_frozen(builds: Builds) -> None:
    project = builds.one.folder.parents[2]
    found = (builds.one.folder / "heap.bin").read_bytes()
    assert MARK.encode() in found
    places = (project, project.parents[1], cache_dir(), sys.prefix, Path(__file__).parents[2])
    for text in (BUILDER, SECRET, VARIABLE, *places):
        assert str(text).encode() not in found, text


LATE = {
    "middleware.py": "import os\n\nMODE = os.environ.get('MODE')\n\n\ndef middleware(request):\n    pass\n",
    "lib/__init__.py": "",
    "lib/config.py": "import os\n\nVALUE = os.environ['VALUE']\n",
    "lib/plain.py": "import os\n\n\ndef value():\n    return os.environ['VALUE']\n",
    "app/api/name/route.py": "import os\n\nVALUE = os.environ['VALUE']\n\n\ndef GET():\n    return {'value': VALUE}\n",
    "app/api/function/route.py": (
        "import os\n\n\ndef setting(name):\n    return os.getenv(name)\n\n\nVALUE = setting('VALUE')\n\n\n"
        "def GET():\n    return {'value': VALUE}\n"
    ),
    "app/api/module/route.py": "from lib.config import VALUE\n\n\ndef GET():\n    return {'value': VALUE}\n",
    "app/api/bound/route.py": (
        "from os import environ\n\nVALUE = environ.get('VALUE')\n\n\ndef GET():\n    return {'value': VALUE}\n"
    ),
    "app/api/all/route.py": "import os\n\nALL = dict(os.environ)\n\n\ndef GET():\n    return {'value': ALL['VALUE']}\n",
    "app/api/early/route.py": (
        "from lib.plain import value\n\nSTATE = object()\nPLACE = id(STATE)\n\n\n"
        "def GET():\n    return {'value': value(), 'place': PLACE}\n"
    ),
}
LATE_LINES = {
    "middleware.py": "middleware.py:3 reads MODE",
    "app/api/name/route.py": "app/api/name/route.py:3 reads VALUE",
    "app/api/function/route.py": "app/api/function/route.py:8 reads VALUE",
    "app/api/module/route.py": "lib/config.py:3 reads VALUE",
    "app/api/bound/route.py": "app/api/bound/route.py:3 reads VALUE",
    "app/api/all/route.py": "app/api/all/route.py:3 reads the environment",
}


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return build_artifact(write_project(tmp_path_factory.mktemp("late") / "shop", LATE), check=True)


def test_what_reads_the_environment_while_imported_is_told_with_the_line(late: Artifact) -> None:
    assert late.function.snapshot is not None
    assert late.function.snapshot.late == {
        file: f"{reason} while it is imported" for file, reason in LATE_LINES.items()
    }


def test_what_is_imported_late_sees_the_environment_of_its_process(late: Artifact, tmp_path: Path) -> None:
    for value in ("one", "two"):
        with served(late.folder, tmp_path / value, VALUE=value) as server:
            for name in ("name", "function", "module", "bound", "all", "early"):
                assert server.get(f"/api/{name}").json()["value"] == value
            assert server.log() == ""


def test_what_is_not_late_is_frozen(late: Artifact, tmp_path: Path) -> None:
    places = []
    for number in range(2):
        # other variables, so that nothing else is at the same place by chance
        with served(late.folder, tmp_path / str(number), VALUE="x" * (1 + number * 1000)) as server:
            places.append(server.get("/api/early").json()["place"])
    assert places[0] == places[1]


def test_a_late_module_that_fails_answers_500_and_the_others_serve(late: Artifact, tmp_path: Path) -> None:
    with served(late.folder, tmp_path / "log", MODE="x") as server:
        # no VALUE
        assert [server.get(f"/api/{name}").status_code for name in ("name", "module", "bound")] == [
            500,
            500,
            200,
        ]
        [line] = [
            line for line in server.log().splitlines() if line.startswith("app/api/name/route.py could")
        ]
    assert line == "app/api/name/route.py could not be imported: KeyError: 'VALUE' (app/api/name/route.py:3)"


def fails(folder: Path, files: dict[str, str]) -> ProjectError:
    project = write_project(folder / "shop", {"app/api/ok/route.py": OK, **files})
    with pytest.raises(ProjectError) as caught:
        build_artifact(project, check=True)
    assert not (project / ".packager" / "manifest.json").exists()
    assert caught.value.hint
    return caught.value


REFUSED = {
    "an exception": (
        {"app/api/x/route.py": f"import math\n\nmath.sqrt(-1)\n\n\n{OK}"},
        "app/api/x/route.py:3",
        "app/api/x/route.py cannot be imported on edge: ValueError: ",
    ),
    "an exception in a module": (
        {"lib/tax.py": "RATES = {}\nRATE = RATES['de']\n", "app/api/x/route.py": f"import lib.tax\n\n\n{OK}"},
        "lib/tax.py:2",
        "app/api/x/route.py cannot be imported on edge: KeyError: 'de'",
    ),
    "an exit": (
        {"app/api/x/route.py": f"import sys\n\nsys.exit('bye')\n\n\n{OK}"},
        "app/api/x/route.py:3",
        "app/api/x/route.py cannot be imported on edge: SystemExit: bye",
    ),
    "a middleware": (
        {"middleware.py": "TABLE = {}[1]\n\n\ndef middleware(request):\n    pass\n"},
        "middleware.py:1",
        "middleware.py cannot be imported on edge: KeyError: 1",
    ),
    "a task": (
        {
            "app/api/x/route.py": "import asyncio\n\n\nasync def refresh():\n    await asyncio.sleep(60)\n\n\n"
            f"TASK = asyncio.get_event_loop().create_task(refresh())\n\n\n{OK}"
        },
        "app/api/x/route.py:8",
        "app/api/x/route.py leaves work to the event loop while it is imported",
    ),
    "a timer": (
        {
            "lib/tick.py": "import asyncio\n\nasyncio.get_event_loop().call_at(1e9, print)\n",
            "app/api/x/route.py": f"import lib.tick\n\n\n{OK}",
        },
        "lib/tick.py:3",
        "lib/tick.py leaves work to the event loop while it is imported",
    ),
    "an open file": (
        {
            "app/api/x/route.py": f"HELD = open(__file__)  # packager: allow[filesystem-access] a test\n\n\n{OK}"
        },
        None,
        "/app/app/api/x/route.py is left open",
    ),
    "a file in /tmp": (
        {
            "app/api/x/route.py": f"from pathlib import Path\n\nPath('/tmp/list.txt').write_text('x')\n\n\n{OK}"
        },
        None,
        "/tmp/list.txt is left open, or was written",
    ),
}


@pytest.mark.parametrize(("files", "place", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_frozen_is_refused_with_its_place(
    tmp_path: Path, files: dict[str, str], place: str | None, message: str
) -> None:
    error = fails(tmp_path, files)
    assert error.message.startswith(message)
    assert error.place == place


def test_an_import_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "TIMEOUT_SECONDS", 4)
    error = fails(tmp_path, {"app/api/x/route.py": f"while True:\n    pass\n\n\n{OK}"})
    assert error.message == "importing the edge routes did not end within 4 seconds"
    assert "handler" in error.hint


def test_a_code_cache_that_is_not_made_in_time_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = tmp_path / "endless.mjs"
    endless.write_text("setInterval(() => undefined, 1000);\n")
    monkeypatch.setattr(snapshot, "_WARM", str(endless))
    monkeypatch.setattr(snapshot, "CODE_TIMEOUT_SECONDS", 1)
    made = build_artifact(write_project(tmp_path / "shop", {"app/api/x/route.py": OK}))
    assert made.function.snapshot
    assert made.function.snapshot.files == ("heap.bin",)
    expected = "no code cache, the worker will start more slowly: it did not end within 1 seconds"
    assert expected in made.lines


FAILING = {
    "app/api/raises/route.py": f"raise RuntimeError('broken-at-import')\n\n\n{OK}",
    "app/api/exits/route.py": f"import sys\n\nsys.exit(3)\n\n\n{OK}",
    "lib/broken.py": "X = 1\ndef (:\n",
    "app/api/syntax/route.py": f"import lib.broken\n\n\n{OK}",
    "app/api/banned/route.py": f"import js\n\n\n{OK}",
    "app/api/guarded/middleware.py": "import lib.missing\n\n\ndef middleware(request):\n    return None\n",
    "app/api/guarded/route.py": OK,
    "app/api/prints/route.py": f"print('printed-while-imported')\nprint('ä', flush=True)\n\n\n{OK}",
    "app/api/ok/route.py": OK,
}


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Built without checks."""
    return build_artifact(write_project(tmp_path_factory.mktemp("failing") / "shop", FAILING))


@pytest.fixture(scope="module")
def failing_server(failing: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(failing.folder, tmp_path_factory.mktemp("log") / "stderr") as server:
        yield server


def test_what_a_module_prints_is_reported(failing: Artifact) -> None:
    assert {"printed-while-imported", "ä"} <= set(failing.lines)


FAILURES = {
    "raises": "RuntimeError: broken-at-import (app/api/raises/route.py:1)",
    "exits": "SystemExit: 3 (app/api/exits/route.py:3)",
    "syntax": "SyntaxError: invalid syntax (lib/broken.py:2)",
    "banned": "banned-import: js does not work on edge",
}


@pytest.mark.parametrize(("name", "reason"), FAILURES.items())
def test_without_checks_a_route_that_cannot_be_imported_answers_500(
    failing_server: Served, name: str, reason: str
) -> None:
    assert failing_server.get(f"/api/{name}").status_code == 500
    start = f"app/api/{name}/route.py could not be imported: "
    [line] = [line for line in failing_server.log().splitlines() if line.startswith(start)]
    assert reason in line


def test_without_checks_a_failed_middleware_lets_nothing_pass(failing_server: Served) -> None:
    assert failing_server.get("/api/guarded").status_code == 500
    start = "app/api/guarded/middleware.py could not be imported: ModuleNotFoundError: "
    [line] = [line for line in failing_server.log().splitlines() if line.startswith(start)]
    assert line.endswith("(app/api/guarded/middleware.py:1)")


def test_without_checks_the_other_routes_serve(failing_server: Served) -> None:
    for name in ("ok", "prints"):
        assert failing_server.get(f"/api/{name}").json() == {"ok": True}
