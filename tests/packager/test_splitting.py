from collections.abc import Mapping
from pathlib import Path

import pytest

from packager import bundle, targets
from packager.errors import DiagnosticsError
from packager.functions import functions
from packager.grouping import Grouping, group, reason, rows
from packager.model import App, Distribution, Project, Route, Settings, Wheel
from packager.site_packages import SitePackages
from packager.splitting import fitted, unpacked

KB = 1000


class Tree:
    """A project whose routes import distributions of given weights in kB; the tool's own parts weigh little."""

    def __init__(self, folder: Path, **weights: int) -> None:
        self.root = folder / "project"
        self.routes: list[Route] = []
        found = {}
        for name in ("starlette", "mangum", "python-multipart", *weights):
            place = folder / "store" / name
            place.mkdir(parents=True)
            (place / f"{name}.bin").write_bytes(bytes(weights.get(name, 0) * KB))
            found[name] = Distribution(Wheel(name, "1", f"{name}.whl", "", name), place, (name,), ())
        self.site = SitePackages("Lambda", found, {})

    def route(self, name: str, *imports: str, files: tuple[str, ...] = ()) -> None:
        file = self.root / f"app/{name}/route.py"
        file.parent.mkdir(parents=True)
        file.write_text(f"files = {list(files)}\n" + "".join(f"import {item}\n" for item in imports))
        self.routes.append(
            Route(
                f"app/{name}/route.py",
                f"/{name}",
                (),
                ("GET",),
                "nodejs",
                "nodejs",
                30,
                512,
                100,
                files=files,
            )
        )

    def app(self) -> App:
        return App(Project(self.root, "x", "app", "", (), Settings()), tuple(self.routes), ())

    def fitted(self, limit: int) -> tuple[Grouping, dict[str, int]]:
        app = self.app()
        target = targets.find("lambda", "nodejs")

        def gather(names: Mapping[str, str]) -> list[bundle.Part]:
            return [
                bundle.part(app, item, names, self.site, target, strict=True)
                for item in functions(app, names)
            ]

        own = sum(path.stat().st_size for path in bundle.runtimes_folder().rglob("*.py"))
        grouping, parts = fitted(
            app, Grouping(group(app.routes)), {"nodejs": self.site}, gather, own + limit * KB
        )
        return grouping, {part.contents.name: unpacked(part) // KB for part in parts}


def test_functions_within_the_limit_stay_as_they_are(tmp_path: Path) -> None:
    tree = Tree(tmp_path, torch=400, pandas=500)
    tree.route("a", "torch")
    tree.route("b", "pandas")
    grouping, _ = tree.fitted(1000)
    assert grouping == Grouping({"/a": "api", "/b": "api"})


def test_routes_with_the_heaviest_distributions_move_out_and_share_a_function(tmp_path: Path) -> None:
    tree = Tree(tmp_path, torch=1800, pandas=500)
    tree.route("plain")
    tree.route("table", "pandas")
    tree.route("model", "torch")
    tree.route("other", "torch")
    grouping, weights = tree.fitted(2000)
    assert grouping.names == {
        "/plain": "api",
        "/table": "api",
        "/model": "api-torch",
        "/other": "api-torch",
    }
    assert set(weights) == {"api", "api-torch"}
    assert "routes that need torch" in grouping.moved["/model"]
    assert set(grouping.moved) == {"/model", "/other"}


def test_as_many_functions_are_made_as_it_takes(tmp_path: Path) -> None:
    tree = Tree(tmp_path, torch=1500, pandas=1400, scipy=1300)
    tree.route("a", "torch")
    tree.route("b", "pandas")
    tree.route("c", "scipy")
    grouping, _ = tree.fitted(2000)
    assert grouping.names == {"/a": "api-torch", "/b": "api-pandas", "/c": "api"}


def test_data_files_of_routes_count_too(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    for name in ("a", "b"):
        tree.route(name, files=(f"data/{name}.bin",))
        (tree.root / "data").mkdir(exist_ok=True)
        (tree.root / f"data/{name}.bin").write_bytes(bytes(1200 * KB))
    grouping, _ = tree.fitted(2000)
    assert grouping.names == {"/a": "api", "/b": "api-data-b-bin"}


def test_one_route_that_is_too_large_is_an_error_with_its_largest_distributions(tmp_path: Path) -> None:
    tree = Tree(tmp_path, torch=1800, pandas=500)
    tree.route("small")
    tree.route("large", "torch", "pandas")
    with pytest.raises(DiagnosticsError) as caught:
        tree.fitted(2000)
    (found,) = caught.value.diagnostics
    assert (found.rule, found.file) == ("size-limit", "app/large/route.py")
    assert "/large needs" in found.message
    assert "the largest in it: torch 1.80 MB, pandas 0.50 MB" in found.message


def test_the_manifests_rows_say_why_a_route_is_in_its_function(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.route("a")
    tree.route("b")
    found = rows(tree.app(), Grouping({"/a": "api", "/b": "api-torch"}, {"/b": "too large"}))
    assert [(row.function, row.reason) for row in found] == [
        ("api", reason(tree.routes[0])),
        ("api-torch", "too large"),
    ]
