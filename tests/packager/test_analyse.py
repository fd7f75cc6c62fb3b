import pytest

from packager.analyse import analyse
from packager.discover import discover
from packager.place import place
from packager.project import load

GET = "def GET(): pass\n"


def analysed(write, files):
    project = load(write({"app/keep.txt": "", **files}))
    sources, diagnostics = analyse(project, discover(project)[0])
    return place(sources).app, diagnostics


def rules(diagnostics):
    return [(item.rule, item.file, item.line) for item in diagnostics]


@pytest.mark.parametrize(
    ("text", "methods"),
    [
        (GET, ("GET", "HEAD", "OPTIONS")),
        ("async def POST(): pass\ndef DELETE(): pass\n", ("DELETE", "OPTIONS", "POST")),
        ("def HEAD(): pass\n", ("HEAD", "OPTIONS")),
        ("def OPTIONS(): pass\n", ("OPTIONS",)),
        ("def QUERY(): pass\n", ("OPTIONS", "QUERY")),
        ("def f(): pass\nGET = f\nPOST = wrap(f)\n", ("GET", "HEAD", "OPTIONS", "POST")),
        ("from lib.x import GET, handler as PUT\n", ("GET", "HEAD", "OPTIONS", "PUT")),
        ("@wrapped\ndef PATCH(): pass\n", ("OPTIONS", "PATCH")),
        ("if x:\n    def GET(): pass\nelse:\n    GET = y\n", ("GET", "HEAD", "OPTIONS")),
        ("GET = POST = view\n", ("GET", "HEAD", "OPTIONS", "POST")),
    ],
)
def test_methods_are_what_the_module_binds_and_what_is_automatic(write, text, methods):
    app, diagnostics = analysed(write, {"app/route.py": text})
    assert diagnostics == ()
    assert app.routes[0].methods == methods


@pytest.mark.parametrize(
    "text", ["", "GET = None\n", "def f():\n    def GET(): pass\n", "class A:\n    GET = 1\n"]
)
def test_a_route_without_handlers_is_left_out(write, text):
    app, diagnostics = analysed(write, {"app/route.py": text})
    assert app.routes == ()
    assert rules(diagnostics) == [("no-handlers", "app/route.py", 1)]


def test_a_handler_in_small_letters(write):
    app, diagnostics = analysed(write, {"app/route.py": f"{GET}\nasync def post(): pass\ndef Put(): pass\n"})
    assert rules(diagnostics) == [
        ("lowercase-method", "app/route.py", 3),
        ("lowercase-method", "app/route.py", 4),
    ]
    assert "POST" in diagnostics[0].hint
    assert len(app.routes) == 1


def test_helpers_that_are_no_handlers_may_have_small_letters(write):
    text = f"from httpx import get\n{GET}def query(): pass\nclass A:\n    def post(self): pass\n"
    assert analysed(write, {"app/route.py": text})[1] == ()


def test_defaults_of_nodejs_and_edge(write):
    app, _ = analysed(write, {"app/a/route.py": GET, "app/b/route.py": f'runtime = "edge"\n{GET}'})
    assert [
        (route.runtime, route.max_duration, route.memory, route.max_body_size, route.revalidate, route.cors)
        for route in app.routes
    ] == [("nodejs", 30, 512, 6 * 2**20, None, None), ("edge", 30, 256, 2**20, None, None)]


def test_python_is_another_name_of_nodejs(write):
    app, _ = analysed(write, {"app/route.py": f'runtime = "python"\n{GET}'})
    assert (app.routes[0].runtime, app.routes[0].declared_runtime) == ("nodejs", "python")


def test_a_syntax_error_leaves_the_other_routes(write):
    app, diagnostics = analysed(write, {"app/a/route.py": "def GET(:\n", "app/b/route.py": GET})
    assert [route.path for route in app.routes] == ["/b"]
    assert rules(diagnostics) == [("syntax-error", "app/a/route.py", 1)]


@pytest.mark.parametrize(
    ("config", "matchers"),
    [
        ("", None),
        ("config = {}\n", None),
        ("config = {'matcher': '/a'}\n", ("/a",)),
        ("PATHS = ['/a', {'source': '/b'}]\nconfig = {'matcher': PATHS}\n", ("/a", {"source": "/b"})),
    ],
)
def test_matchers(write, config, matchers):
    app, diagnostics = analysed(write, {"middleware.py": f"{config}def middleware(request): pass\n"})
    assert diagnostics == ()
    assert app.middleware[0].matchers == matchers


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("config = {'matcher': '/*'}\ndef middleware(r): pass\n", "invalid-matcher"),
        ("config = {'matcher': 5}\ndef middleware(r): pass\n", "invalid-matcher"),
        ("config = {'matcher': None}\ndef middleware(r): pass\n", "invalid-matcher"),
        ("config = {'matcher': f()}\ndef middleware(r): pass\n", "invalid-config"),
        ("config = {'match': '/a'}\ndef middleware(r): pass\n", "invalid-config"),
        ("config = ['/a']\ndef middleware(r): pass\n", "invalid-config"),
        ("from x import config\ndef middleware(r): pass\n", "invalid-config"),
        ("config = {'matcher': '/a'}\ndef proxy(r): pass\n", "no-handlers"),
        ("def middleware(r)\n", "syntax-error"),
    ],
)
def test_middleware_with_a_fault_stays_before_its_folder(write, text, rule):
    app, diagnostics = analysed(write, {"middleware.py": text})
    assert [(item.rule, item.file) for item in diagnostics] == [(rule, "middleware.py")]
    assert [item.file for item in app.middleware] == ["middleware.py"]
    assert app.middleware[0].matchers in (None, ("/a",))
