import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from infra.manifest import Environment, Function
from packager import smoke
from packager.archive import Entry, write_zip
from packager.bundle import Contents, Part, runtimes_folder
from packager.diagnostics import Diagnostic
from packager.model import Distribution, LambdaSettings, Project, Settings, Wheel
from runtimes import table

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
NEEDED = ("starlette", "anyio", "idna", "mangum", "typing_extensions", "python-multipart")
GET = "def GET():\n    return {}\n"


@dataclass(frozen=True)
class Built:
    """A built artifact, as the build hands it on."""

    function: Function
    part: Part


@dataclass
class Bench:
    """A project at `root`, and the output `out` with the artifacts made of it."""

    root: Path
    out: Path
    lines: list[str]
    python: str = HERE

    def artifact(
        self,
        files: Mapping[str, str],
        *,
        paths: Mapping[str, str] | None = None,
        without: str = "",
        provided: tuple[Distribution, ...] = (),
        native: bool = False,
    ) -> Built:
        """Write `files` into the project and the artifact; `paths` are routes and their files."""
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        routes = paths or {f"/{name.split('/')[-2]}": name for name in files if name.endswith("/route.py")}
        rows = tuple(table.RouteEntry(path, file, "api", 100) for path, file in routes.items())
        entries = [Entry(name, text.encode()) for name, text in files.items()]
        entries.append(Entry(table.PATH, table.to_json(table.Table("api", rows)).encode()))
        entries += [entry for entry in _ours() if not without or not entry.name.startswith(without)]
        self.out.mkdir(exist_ok=True)
        write_zip(self.out / "api.zip", entries)
        distributions = (_distribution("fast", self.out, native=True),) if native else ()
        contents = Contents("api", tuple(entries), distributions, (), "snapshot", True, 100, 30, 512)
        handler = "runtimes.aws_lambda.handler"
        function = Function("api", "nodejs", "lambda", "api.zip", "", 0, 0, handler, (), 30, 512, python=HERE)
        return Built(function, Part(contents, "nodejs", distributions, "", provided))

    def test(self, *built: Built, environment: Environment | None = None) -> tuple[Diagnostic, ...]:
        settings = Settings(nodejs=LambdaSettings(python=self.python))
        project = Project(self.root, "x", "app", "", (), settings)
        return smoke.smoke_test(project, environment or Environment(), self.out, built, self.lines.append)


def _ours() -> list[Entry]:
    """Our runtime and the real distributions that it needs."""
    folder = runtimes_folder()
    found = [
        Entry(f"runtimes/{path.relative_to(folder).as_posix()}", path.read_bytes())
        for path in folder.rglob("*.py")
        if path.relative_to(folder).parts[0] not in {"edge", "edge_worker", "testing"}
    ]
    for name in NEEDED:
        files = (
            file for file in metadata.files(name) or () if file.suffix == ".py" and ".." not in file.parts
        )
        found += (Entry(file.as_posix(), Path(str(file.locate()))) for file in files)
    return found


def _distribution(name: str, folder: Path, *, native: bool = False) -> Distribution:
    return Distribution(Wheel(name, "1.0", f"{name}.whl", "", "", native=native), folder, (name,), ())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "project").mkdir()
    return Bench((tmp_path / "project").resolve(), tmp_path / "out", [])


def kinds(found: tuple[Diagnostic, ...]) -> list[tuple[str, str, str, int]]:
    return [(item.rule, item.severity, item.file, item.line) for item in found]


def test_an_artifact_with_all_that_it_needs_passes(bench: Bench) -> None:
    built = bench.artifact(
        {
            "app/a/route.py": f"from lib.x import y\n{GET}",
            "app/[id]/[[...rest]]/route.py": GET,
            "app/files/[...path]/route.py": GET,
            "lib/x.py": "y = 1",
        },
        paths={
            "/a": "app/a/route.py",
            "/[id]/[[...rest]]": "app/[id]/[[...rest]]/route.py",
            "/files/[...path]": "app/files/[...path]/route.py",
        },
    )
    assert bench.test(built) == ()
    assert bench.lines == []


def test_a_missing_module_is_an_error_with_the_imports_that_lead_to_it(bench: Bench) -> None:
    built = bench.artifact(
        {
            "app/a/route.py": f"\nfrom lib.x import y\n{GET}",
            "lib/x.py": "import sys\nimport requests.api\ny = 1",
        }
    )
    (found,) = bench.test(built)
    assert kinds((found,)) == [("unresolved-import", "error", "lib/x.py", 2)]
    assert found.message == "No module named 'requests' in the artifact of api"
    assert found.chain == ("app/a/route.py:2 import lib.x", "lib/x.py:2 import requests.api")
    assert "[project] dependencies" in found.hint


def test_a_module_of_the_project_that_only_a_computed_name_imports_is_pointed_to(bench: Bench) -> None:
    (bench.root / "lib").mkdir()
    (bench.root / "lib/hidden.py").write_text("")
    built = bench.artifact(
        {"app/a/route.py": f"import importlib\nimportlib.import_module('lib.' + 'hidden')\n{GET}"}
    )
    (found,) = bench.test(built)
    assert kinds((found,)) == [("unresolved-import", "error", "app/a/route.py", 2)]
    assert "lib is in the project" in found.hint


def test_every_route_is_tried_though_one_fails(bench: Bench) -> None:
    built = bench.artifact(
        {"app/a/route.py": "import gone_a", "app/b/route.py": "import gone_b", "app/c/route.py": GET}
    )
    assert [item.file for item in bench.test(built)] == ["app/a/route.py", "app/b/route.py"]


def test_an_annotation_that_cannot_be_resolved_is_an_error_at_its_handler(bench: Bench) -> None:
    (bench.root / "app/a").mkdir(parents=True)
    (bench.root / "app/a/route.py").touch()
    source = f"from __future__ import annotations\n\n{GET}\n\ndef POST(*, body: Missing): ...\n"
    (found,) = bench.test(bench.artifact({"app/a/route.py": source}))
    line = source.splitlines().index("def POST(*, body: Missing): ...") + 1
    assert kinds((found,)) == [("invalid-annotation", "error", "app/a/route.py", line)]
    assert found.message.startswith(
        "app/a/route.py POST: the annotation of body cannot be resolved (name 'Missing'"
    )


def test_what_our_own_handler_needs_is_tested_too(bench: Bench) -> None:
    (found,) = bench.test(bench.artifact({"app/a/route.py": GET}, without="mangum/"))
    assert (found.rule, found.severity) == ("unresolved-import", "error")
    assert "mangum" in found.message


@pytest.mark.parametrize(
    "source",
    [
        'os.environ["TOKEN"]',
        'assert os.environ.get("TOKEN"), "set TOKEN first"',
        'if os.getenv("TOKEN") is None: raise RuntimeError("not configured")',
        'raise ValueError("1 validation error: token: field required")',
    ],
)
def test_a_module_that_lacks_a_secret_is_a_warning_that_names_it(bench: Bench, source: str) -> None:
    built = bench.artifact({"app/a/route.py": f"import os\n{source}\n{GET}"})
    (found,) = bench.test(built, environment=Environment(secrets=("TOKEN",)))
    assert kinds((found,)) == [("import-needs-variable", "warning", "app/a/route.py", 2)]
    assert found.message.startswith("TOKEN is needed")


def test_plain_variables_are_set_and_the_builders_own_are_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_BUILDER", "1")
    built = bench.artifact(
        {
            "app/a/route.py": f'import os\nassert os.environ["GREETING"] == "hi"\n{GET}',
            "app/b/route.py": f'import os\nos.environ["OF_THE_BUILDER"]\n{GET}',
        }
    )
    found = bench.test(built, environment=Environment(("GREETING",), values={"GREETING": "hi"}))
    assert kinds(found) == [("import-needs-variable", "warning", "app/b/route.py", 2)]


def test_a_file_that_is_not_in_the_artifact_is_an_error_that_says_how_to_bring_it(bench: Bench) -> None:
    built = bench.artifact({"app/a/route.py": f'name = "x.json"\nopen("data/" + name)\n{GET}'})
    (found,) = bench.test(built)
    assert kinds((found,)) == [("missing-file", "error", "app/a/route.py", 2)]
    assert 'files = ["data/x.json"]' in found.hint


@pytest.mark.parametrize(
    ("source", "severity"),
    [
        ("1 / 0", "error"),
        ("raise SystemExit(3)", "error"),
        ('raise ConnectionError("no route to host")', "warning"),
        ('raise TimeoutError("too late")', "warning"),
    ],
)
def test_any_other_failure_of_an_import_is_told_apart_by_whether_lambda_would_fail_too(
    bench: Bench, source: str, severity: str
) -> None:
    found = bench.test(bench.artifact({"app/a/route.py": f"{source}\n{GET}"}))
    assert kinds(found) == [("import-failed", severity, "app/a/route.py", 1)]


def test_a_process_that_dies_is_an_error(bench: Bench) -> None:
    (found,) = bench.test(bench.artifact({"app/a/route.py": "import os\nos._exit(7)"}))
    assert (found.rule, found.severity, found.file) == ("import-failed", "error", "app/a/route.py")
    assert "status 7" in found.message


def test_an_import_that_does_not_end_is_stopped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "TIME_LIMIT", 1)
    (found,) = bench.test(bench.artifact({"app/a/route.py": "import time\ntime.sleep(60)"}))
    assert "not imported within 1 seconds" in found.message


def test_no_handler_and_no_start_up_function_is_run(bench: Bench) -> None:
    source = (
        "import os\nfrom runtimes import after_restore\n"
        "@after_restore\ndef connect():\n    os._exit(1)\n"
        "def GET():\n    os._exit(2)\n"
    )
    assert bench.test(bench.artifact({"app/a/route.py": source})) == ()


def test_what_the_runtime_provides_is_behind_the_artifact_on_the_path(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "layer"
    folder.mkdir()
    (folder / "of_a_layer.py").write_text("")
    (folder / "starlette.py").write_text("raise RuntimeError")
    source = {"app/a/route.py": f"import of_a_layer\n{GET}"}
    assert bench.test(bench.artifact(source, provided=(_distribution("of-a-layer", folder),))) == ()
    assert [item.rule for item in bench.test(bench.artifact(source))] == ["unresolved-import"]


def test_a_route_whose_url_leads_to_another_one_is_an_error(bench: Bench) -> None:
    files = {"app/a/route.py": GET, "app/b/route.py": GET}
    built = bench.artifact(files, paths={"/[one]": "app/a/route.py", "/packager-sample": "app/b/route.py"})
    (found,) = bench.test(built)
    assert found.file == "app/a/route.py"
    assert "/packager-sample does not lead to /[one]" in found.message


def test_another_python_than_the_targets_tests_what_is_pure_and_says_so(bench: Bench) -> None:
    bench.python = "3.99"
    found = bench.test(bench.artifact({"app/a/route.py": "import gone"}))
    assert [item.rule for item in found] == ["unresolved-import"]
    assert bench.lines == [
        f"the artifacts are tested with Python {HERE}: there is no Python 3.99 on this machine"
    ]
    bench.lines.clear()
    assert bench.test(bench.artifact({"app/a/route.py": "import gone"}, native=True)) == ()
    assert bench.lines[1:] == ["api.zip is not tested: fast is compiled for Python 3.99"]
