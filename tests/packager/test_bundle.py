import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.manifest import Middleware
from packager import bundle, resolve, targets
from packager.archive import Entry
from packager.errors import ProjectError
from packager.functions import Function, functions
from packager.lock import lock
from packager.model import App, EdgeSettings, LambdaSettings, Project, Route, Settings
from packager.site_packages import SitePackages, without_wheel
from packager.snapshot import Entrypoint
from runtimes import table

if TYPE_CHECKING:
    from conftest import Wheelhouse

    from infra.manifest import Runtime

NODEJS = resolve.lambda_platform(LambdaSettings())
EDGE = resolve.edge_platform()
RUNTIME = ("starlette", "mangum", "python-multipart")


class Tree:
    """A project folder with routes at `/api/<name>`, one function for each runtime."""

    def __init__(self, root: Path, *dependencies: str, include: tuple[str, ...] = ()) -> None:
        self.project = Project(root, "x", "app", "", dependencies, Settings(include=include))
        self.routes: list[Route] = []
        self.middleware: list[Middleware] = []

    def file(self, name: str, text: str = "") -> str:
        path = self.project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    def route(self, name: str, text: str = "", runtime: "Runtime" = "nodejs", body: int = 100) -> Route:
        file = self.file(f"app/api/{name}/route.py", text)
        route = Route(file, f"/api/{name}", (), ("GET",), runtime, runtime, 30, 256, body)
        self.routes.append(route)
        return route

    def guard(self, scope: str, text: str = "") -> None:
        name = "middleware.py" if scope == "/" else f"app{scope}/middleware.py"
        self.middleware.append(Middleware(self.file(name, text), scope, None))

    def app(self) -> App:
        return App(self.project, tuple(self.routes), tuple(self.middleware))

    def part(self, runtime: "Runtime" = "nodejs", *, strict: bool = True) -> bundle.Part:
        app = self.app()
        target = targets.find({"nodejs": "lambda", "edge": "lambda-edge"}[runtime], runtime)
        return bundle.part(
            app, self.function(runtime), self.names(), self.site(runtime), target, strict=strict
        )

    def function(self, runtime: "Runtime") -> Function:
        return next(item for item in functions(self.app(), self.names()) if item.runtime == runtime)

    def names(self) -> dict[str, str]:
        return {route.path: route.runtime for route in self.routes}

    def site(self, runtime: "Runtime" = "nodejs") -> SitePackages:
        locked = lock(self.project, RUNTIME, self.project.root / ".packager/cache", lambda _: None)
        platform = EDGE if runtime == "edge" else NODEJS
        return resolve.site_packages(self.project, locked, platform, lambda _: None, naming=NODEJS)


@pytest.fixture
def root(tmp_path: Path, wheelhouse: "Wheelhouse") -> Path:
    wheelhouse.add("anyio")
    wheelhouse.add("starlette", "1.10.0", requires=("anyio",))
    wheelhouse.add("mangum", "0.22.0")
    wheelhouse.add("python-multipart", "0.0.30")
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def contents(part: bundle.Part) -> Mapping[str, Entry]:
    return {entry.name: entry for entry in part.contents.entries}


def names(part: bundle.Part) -> list[str]:
    return [row.wheel.name for row in part.distributions]


def test_an_artifact_holds_the_files_that_its_routes_reach_and_no_others(root: Path) -> None:
    tree = Tree(root)
    for name in ("lib/__init__.py", "lib/used.py", "lib/unused.py", ".env", "lib/secret.pem"):
        tree.file(name)
    tree.route("a", "from lib.used import x")
    tree.route("b", "", "edge")
    ours = {name for name in contents(tree.part()) if name.startswith(("app", "lib", "."))}
    assert ours == {"app/api/a/route.py", "lib/__init__.py", "lib/used.py"}


def test_each_runtime_gets_its_own_half_of_the_runtime_package(root: Path) -> None:
    tree = Tree(root)
    tree.route("a")
    tree.route("b", "", "edge")
    nodejs, edge = contents(tree.part()), contents(tree.part("edge"))
    assert {"runtimes/__init__.py", "runtimes/table.py", "runtimes/aws_lambda.py"} <= set(nodejs)
    assert {"runtimes/__init__.py", "runtimes/table.py", "runtimes/edge/bridge.py"} <= set(edge)
    assert "runtimes/edge/bridge.py" not in nodejs
    assert "runtimes/aws_lambda.py" not in edge
    assert not [name for name in (*nodejs, *edge) if "edge_worker" in name or "runtimes/testing" in name]


def test_the_distributions_are_those_reached_those_they_require_and_the_runtimes_own(
    root: Path, wheelhouse: "Wheelhouse"
) -> None:
    wheelhouse.add("direct", requires=("indirect",), files={"direct_module/__init__.py": ""})
    wheelhouse.add("indirect")
    wheelhouse.add("unused")
    tree = Tree(root, "direct", "unused")
    tree.route("a", "def GET():\n    import direct_module.inner")
    tree.route("b", "", "edge")
    assert names(tree.part()) == ["anyio", "direct", "indirect", "mangum", "python-multipart", "starlette"]
    assert names(tree.part("edge")) == ["anyio", "python-multipart", "starlette"]
    assert {"direct_module/__init__.py", "direct-1.0.dist-info/METADATA", "indirect.py"} <= set(
        contents(tree.part())
    )


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("from runtimes.middleware import compose, rate_limit, session", {"itsdangerous"}),
        ("from runtimes.middleware.dynamodb import DynamoDBStore", {"boto3"}),
        ("from runtimes import middleware", {"itsdangerous", "boto3"}),
        ("from runtimes.middleware import rate_limit, request_log", set()),
        ("from runtimes import Response", set()),
    ],
)
def test_a_declared_distribution_stays_if_the_ready_made_middleware_that_is_used_needs_it(
    root: Path, wheelhouse: "Wheelhouse", source: str, kept: set[str]
) -> None:
    wheelhouse.add("itsdangerous")
    wheelhouse.add("boto3")
    tree = Tree(root, "itsdangerous", "boto3")
    tree.guard("/", source)
    tree.route("a")
    assert set(names(tree.part())) & {"itsdangerous", "boto3"} == kept


def test_the_table_holds_all_routes_and_only_the_middleware_that_is_there(root: Path) -> None:
    tree = Tree(root)
    tree.guard("/api/a")
    tree.guard("/api/b")
    tree.route("a")
    tree.route("b", "", "edge")
    source = contents(tree.part("edge"))[table.PATH].source
    assert isinstance(source, bytes)
    read = table.from_json(source.decode())
    assert read.function == "edge"
    assert [(row.path, row.function) for row in read.routes] == [("/api/a", "nodejs"), ("/api/b", "edge")]
    assert [row.file for row in read.middleware] == ["app/api/b/middleware.py"]


def test_included_data_files_are_in_every_artifact(root: Path) -> None:
    tree = Tree(root, include=("data/*",))
    tree.file("data/words.txt", "one")
    tree.file("data/.env", "SECRET=1")
    tree.route("a")
    tree.route("b", "", "edge")
    for runtime in ("nodejs", "edge"):
        assert [name for name in contents(tree.part(runtime)) if name.startswith("data")] == [
            "data/words.txt"
        ]


def test_what_a_route_names_in_files_or_reads_by_a_literal_path_is_in_its_artifact_alone(root: Path) -> None:
    tree = Tree(root)
    for name in ("templates/a.html", "templates/b.txt", "data/x.json"):
        tree.file(name)
    tree.route("a", 'files = ["templates/*.html"]\nopen("data/x.json")')
    tree.routes[0] = replace(tree.routes[0], files=("templates/*.html",))
    tree.route("b", "", "edge")
    data = ("templates", "data")
    assert [name for name in contents(tree.part()) if name.startswith(data)] == [
        "data/x.json",
        "templates/a.html",
    ]
    assert not [name for name in contents(tree.part("edge")) if name.startswith(data)]


def test_a_pattern_of_a_route_that_matches_nothing_is_an_error_at_its_line(root: Path) -> None:
    tree = Tree(root)
    tree.route("a", '\nfiles = ["none/*"]')
    tree.routes[0] = replace(tree.routes[0], files=("none/*",))
    with pytest.raises(ProjectError, match=r"files 'none/\*' matches no file") as caught:
        tree.part()
    assert caught.value.place == "app/api/a/route.py:2"


def test_what_the_runtime_provides_is_left_out_with_what_only_it_needs(
    root: Path, wheelhouse: "Wheelhouse"
) -> None:
    wheelhouse.add("boto3", requires=("botocore", "shared"))
    wheelhouse.add("botocore", requires=("only-there",))
    wheelhouse.add("only-there")
    wheelhouse.add("shared")
    wheelhouse.add("mine", requires=("shared", "boto3"))
    tree = Tree(root, "boto3", "mine")
    tree.route("a", "import boto3, mine, botocore")
    assert {"boto3", "botocore", "only-there", "shared"} <= set(names(tree.part()))
    provided = LambdaSettings(provided=("boto3", "botocore"))
    tree.project = replace(tree.project, settings=Settings(nodejs=provided))
    part = tree.part()
    assert {"boto3", "botocore", "only-there", "shared", "mine"} & set(names(part)) == {"shared", "mine"}
    assert {"boto3", "botocore", "only-there"} <= {row.wheel.name for row in part.provided}


def test_one_path_from_two_sources_is_an_error_that_names_both(root: Path, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("first", files={"first.py": "", "tests/__init__.py": "", "README": "1"})
    wheelhouse.add("second", files={"second.py": "", "tests/__init__.py": "", "README": "2"})
    tree = Tree(root, "first", "second")
    tree.route("a", "import first, second")
    with pytest.raises(ProjectError, match=r"README comes from first 1\.0 and.*from second 1\.0"):
        tree.part()


def test_the_same_file_from_two_distributions_is_there_once(root: Path, wheelhouse: "Wheelhouse") -> None:
    wheelhouse.add("first", files={"first.py": "", "tests/__init__.py": ""})
    wheelhouse.add("second", files={"second.py": "", "tests/__init__.py": ""})
    tree = Tree(root, "first", "second")
    tree.route("a", "import first, second")
    assert "tests/__init__.py" in contents(tree.part())


def test_a_project_file_may_not_hide_the_runtime(root: Path) -> None:
    tree = Tree(root)
    tree.file("runtimes/__init__.py", "mine = 1")
    tree.route("a", "import runtimes")
    with pytest.raises(ProjectError, match=r"runtimes/__init__\.py comes from the project"):
        tree.part()


def test_the_key_follows_contents_and_limits_and_nothing_else(root: Path) -> None:
    tree = Tree(root)
    tree.file("lib.py", "x = 1")
    tree.route("a", "import lib")
    first = tree.part().key
    assert tree.part().key == first
    tree.file("unrelated.py")
    assert tree.part().key == first
    tree.file("lib.py", "x = 2")
    changed = tree.part().key
    assert changed != first
    tree.file("lib.py", "x = 1")
    tree.routes[0] = Route(**{**_fields(tree.routes[0]), "max_duration": 31})
    assert tree.part().key not in {first, changed}


def test_the_key_of_an_edge_artifact_follows_its_loader_and_what_failing_imports_mean(root: Path) -> None:
    tree = Tree(root)
    tree.route("a")
    tree.route("b", "", "edge")
    frozen, nodejs = tree.part("edge").key, tree.part().key
    lenient = tree.part("edge", strict=False).key
    assert tree.part(strict=False).key == nodejs
    tree.project = replace(tree.project, settings=Settings(edge=EdgeSettings(loader="stock")))
    assert len({frozen, lenient, tree.part("edge").key}) == 3
    assert tree.part().key == nodejs


def test_an_edge_artifact_knows_its_entrypoints_and_the_files_that_each_reaches(root: Path) -> None:
    tree = Tree(root)
    tree.file("lib.py")
    tree.guard("/api/b", "import lib")
    tree.route("a", "import lib")
    tree.route("b", "", "edge")
    assert tree.part("edge").contents.entrypoints == (
        Entrypoint("app/api/b/middleware.py", frozenset({"app/api/b/middleware.py", "lib.py"})),
        Entrypoint("app/api/b/route.py", frozenset({"app/api/b/route.py"})),
    )
    assert tree.part().contents.entrypoints == ()


def _fields(route: Route) -> dict[str, object]:
    return {name: getattr(route, name) for name in Route.__dataclass_fields__}


def test_an_edge_route_that_needs_a_native_package_is_told_which_and_by_which_way(
    root: Path, wheelhouse: "Wheelhouse"
) -> None:
    wheelhouse.add("fast", "3.1", tag="cp313-cp313-manylinux_2_28_aarch64", files={"fastmod/__init__.py": ""})
    wheelhouse.add("thing", requires=("fast",))
    tree = Tree(root, "fast", "thing")
    tree.file("lib.py", "import thing")
    tree.route("a", "\nimport lib\n", "edge")
    tree.route("b", "import fastmod")
    found = without_wheel(tree.site("edge"), tree.function("edge").reach.imports)
    assert [(row.rule, row.file, row.line) for row in found] == [("no-wasm-wheel", "lib.py", 1)]
    assert found[0].message == "fast 3.1 (required by thing) has no wheel for edge (Pyodide), only for Linux"
    assert found[0].chain == ("app/api/a/route.py:2 import lib", "lib.py:1 import thing")


def test_a_guarded_import_of_a_native_package_is_no_error_on_edge(
    root: Path, wheelhouse: "Wheelhouse"
) -> None:
    wheelhouse.add("fast", tag="cp313-cp313-manylinux_2_28_aarch64")
    tree = Tree(root, "fast")
    tree.route("a", "try:\n    import fast\nexcept ImportError:\n    fast = None\n", "edge")
    assert without_wheel(tree.site("edge"), tree.function("edge").reach.imports) == ()
    assert "fast" not in names(tree.part("edge"))


def test_the_lambda_target_writes_one_zip_that_unpacks_to_the_task_root(root: Path, tmp_path: Path) -> None:
    tree = Tree(root)
    tree.route("a", "x = 1")
    target = targets.find("lambda", "nodejs")
    first = target.bundle(tree.part().contents, tmp_path / "one", lambda _: None)
    second = target.bundle(tree.part().contents, tmp_path / "two", lambda _: None)
    assert first == second
    with zipfile.ZipFile(tmp_path / "one" / target.artifact("nodejs")) as file:
        assert file.read("app/api/a/route.py") == b"x = 1"
        assert file.testzip() is None
