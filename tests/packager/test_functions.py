from dataclasses import replace
from pathlib import Path

import pytest

from infra.manifest import Middleware, Runtime
from packager.functions import functions
from packager.model import App, LambdaSettings, Project, Route, Settings
from runtimes.site_rules import RewriteRule, Site


def app(root: Path, routes: dict[str, Runtime], scopes: tuple[str, ...] = (), source: str = "") -> App:
    """Routes by their path and, for each scope, a middleware that imports the module `guard`."""
    files = {path: f"app{path}/route.py" for path in routes}
    guards = {scope: "middleware.py" if scope == "/" else f"app{scope}/middleware.py" for scope in scopes}
    for file, text in (
        *((file, source) for file in files.values()),
        *((file, "import guard") for file in guards.values()),
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    return App(
        Project(root, "x", "app", "", (), Settings(nodejs=LambdaSettings(python="3.12"))),
        tuple(Route(files[path], path, (), ("GET",), run, run, 30, 256, 100) for path, run in routes.items()),
        tuple(Middleware(file, scope, None) for scope, file in guards.items()),
    )


def test_every_route_is_in_exactly_one_function(tmp_path: Path) -> None:
    found = functions(
        app(tmp_path, {"/b": "nodejs", "/a": "nodejs", "/c": "edge"}), {"/a": "x", "/b": "x", "/c": "e"}
    )
    assert {item.name: [route.path for route in item.routes] for item in found} == {
        "e": ["/c"],
        "x": ["/b", "/a"],
    }


@pytest.mark.parametrize("routes", [{"/a": "nodejs", "/b": "edge"}])
def test_a_function_of_mixed_runtimes_is_refused(tmp_path: Path, routes: dict[str, Runtime]) -> None:
    with pytest.raises(AssertionError, match="two runtimes"):
        functions(app(tmp_path, routes), {"/a": "one", "/b": "one"})


def test_middleware_is_where_its_routes_are_and_all_of_it_where_unmatched_urls_go(tmp_path: Path) -> None:
    routes: dict[str, Runtime] = {"/a": "nodejs", "/b": "nodejs", "/c": "edge"}
    made = app(tmp_path, routes, ("/", "/b", "/c"))
    found = {item.name: item for item in functions(made, {"/a": "a", "/b": "b", "/c": "c"})}
    assert [row.scope for row in found["a"].middleware] == ["/", "/b", "/c"]
    assert [row.scope for row in found["b"].middleware] == ["/", "/b"]
    assert [row.scope for row in found["c"].middleware] == ["/", "/c"]
    assert {item.module for item in found["c"].reach.imports} == {"guard"}


def test_without_nodejs_unmatched_urls_go_to_edge(tmp_path: Path) -> None:
    (found,) = functions(app(tmp_path, {"/a": "edge"}, ("/", "/other")), {"/a": "edge"})
    assert [row.scope for row in found.middleware] == ["/", "/other"]


def test_branches_of_other_platforms_are_not_followed(tmp_path: Path) -> None:
    source = (
        "import sys\n"
        "if sys.platform == 'emscripten':\n    import for_edge\nelse:\n    import for_lambda\n"
        "if sys.version_info < (3, 13):\n    import for_old\n"
    )
    made = app(tmp_path, {"/a": "nodejs", "/b": "edge"}, source=source)
    found = {
        item.runtime: {row.module for row in item.reach.imports}
        for item in functions(made, {"/a": "a", "/b": "b"})
    }
    assert found["nodejs"] == {"sys", "for_lambda", "for_old"}
    assert found["edge"] == {"sys", "for_edge"}


def test_an_app_without_routes_has_no_functions(tmp_path: Path) -> None:
    assert functions(app(tmp_path, {}), {}) == ()


@pytest.mark.parametrize("stage", ["before_files", "after_files", "fallback"])
def test_with_rewrites_every_function_has_all_middleware(tmp_path: Path, stage: str) -> None:
    made = app(tmp_path, {"/a": "nodejs", "/c": "edge"}, ("/", "/a"))
    rules = Site(**{stage: (RewriteRule("/v1/:path*", "/:path*"),)})  # type: ignore[arg-type]
    project = replace(made.project, settings=replace(made.project.settings, site=rules))
    found = functions(replace(made, project=project), {"/a": "a", "/c": "c"})
    assert [[row.scope for row in item.middleware] for item in found] == [["/", "/a"], ["/", "/a"]]
