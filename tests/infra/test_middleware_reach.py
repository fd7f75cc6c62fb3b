"""No URL of the stacks reaches a route past its middleware: through CloudFront, or at the API's own address."""

import dataclasses
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

from front_doors import api_functions, behaviour_of
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import function, manifest_of
from trees import URLS, paths

from infra.behaviours import behaviours
from infra.errors import StackError
from infra.routes import api_routes, default_function
from packager.examine import examine
from packager.functions import functions
from packager.grouping import group, rows
from runtimes import chain
from runtimes.requests import Request
from runtimes.routing import Router
from runtimes.table import MiddlewareEntry

SOURCES = ["/a/:path*", "/:x/b", "/b", "/((?!a).*)", "/a/:id", "/:path*", "/%61/:p*"]
CONDITION = [{"type": "header", "key": "x-on"}]


@st.composite
def projects(draw):
    """Files of a project with middleware in several folders."""
    found, files = draw(paths(6)), {}
    folders = {"": "/"}
    for path in found:
        folder = f"app{path}" if path != "/" else "app"
        memory = draw(st.sampled_from([512, 1024]))
        files[f"{folder}/route.py"] = "\n".join(
            [
                f"runtime = {draw(st.sampled_from(['edge', 'nodejs']))!r}",
                f"memory = {memory}",
                f"revalidate = {draw(st.sampled_from([60, 0]))}",
                "def GET(request, params):\n    return {}\n",
            ]
        )
        parts = path.strip("/").split("/")
        folders |= {"/".join(["app", *parts[:depth]]): "" for depth in range(1, len(parts)) if parts[0]}
    for folder in draw(st.lists(st.sampled_from(sorted(folders)), max_size=3, unique=True)):
        sources = draw(st.lists(st.sampled_from(SOURCES), max_size=2))
        matcher = [
            {"source": source, "has": CONDITION} if draw(st.booleans()) else {"source": source}
            for source in sources
        ]
        config = f"config = {json.dumps({'matcher': matcher})}\n" if sources else ""
        place = f"{folder}/middleware.py" if folder else "middleware.py"
        files[place] = f"{config}def middleware(request):\n    return None\n"
    return files


def manifest_from(files, target):
    """The manifest that a build of these files would write, but for the artifacts."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        settings_ = f'[project]\nname = "p"\n\n[tool.packager.edge]\ntarget = "{target}"\n'
        for file, text in {"pyproject.toml": settings_, **files}.items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(text, encoding="utf-8")
        app = examine(root, lambda _line: None).app
        made = [
            function(row.name, row.runtime, target, middleware=tuple(item.file for item in row.middleware))
            for row in functions(app, group(app.routes))
        ]
        return dataclasses.replace(manifest_of(rows(app), functions=made), middleware=app.middleware)


def applying(guards, url, match):
    """The files of the middleware that the runtime would run before a route."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": url,
        "raw_path": url.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"x-on", b"1"), (b"host", b"x.example")],
    }
    return {item.file for item in guards if chain.applies(item, Request(scope), match)}


@settings(deadline=None, max_examples=25)
@given(projects(), st.sampled_from(["lambda-edge", "regional"]), st.lists(URLS, min_size=15))
def test_whoever_answers_has_every_middleware_of_the_route(files, target, urls):
    manifest = manifest_from(files, target)
    entries = [MiddlewareEntry(row.file, row.scope, row.matchers) for row in manifest.middleware]
    guards = chain.load(
        Path(), entries, lambda _root, _file: SimpleNamespace(middleware=lambda _request: None)
    )
    has = {row.name: set(row.middleware) for row in manifest.functions}
    assert has[default_function(manifest)] == {row.file for row in manifest.middleware}
    api = api_routes(manifest)
    try:
        cdn = behaviours(manifest)
    except StackError:
        cdn = ()
    router = Router((row.path, row) for row in manifest.routes)
    for url in urls:
        match = router.match(url.encode())
        if match is None:
            continue
        needed = applying(guards, url, match)
        direct = api_functions(api, url)
        taken = behaviour_of(cdn, url)
        first = {taken.function} if taken and taken.function else direct
        # a function answers for routes of its own, and hands on every other
        for name in (direct | first) & {match.value.function}:
            assert needed <= has[name], (url, match.value.path, name)
        if taken and taken.revalidate is not None:
            assert not needed, (url, taken)


@settings(deadline=None, max_examples=25)
@given(projects(), st.lists(URLS, min_size=15))
def test_no_middleware_can_match_what_is_answered_from_the_cache(files, urls):
    manifest = manifest_from(files, "regional")
    entries = [MiddlewareEntry(row.file, row.scope, row.matchers) for row in manifest.middleware]
    guards = chain.load(
        Path(), entries, lambda _root, _file: SimpleNamespace(middleware=lambda _request: None)
    )
    kept = [row for row in behaviours(manifest) if row.revalidate is not None]
    for url in urls:
        if behaviour_of(kept, url) and behaviour_of(behaviours(manifest), url).revalidate is not None:
            assert not applying(guards, url, None), url
