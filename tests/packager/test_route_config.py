import pytest

from packager.literals import bindings
from packager.route_config import Declared, read
from packager.sources import Source
from packager.sources import read as read_source
from runtimes.table import Cors


def config(tmp_path, text):
    (tmp_path / "route.py").write_text(text)
    source = read_source(tmp_path, "route.py")
    assert isinstance(source, Source)
    return read(source, bindings(source.tree))


def test_a_route_that_says_nothing(tmp_path):
    assert config(tmp_path, "def GET(): pass\n") == (Declared(), ())


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('runtime = "auto"', "runtime", "auto"),
        ('runtime = "python"', "runtime", "python"),
        ("max_duration = 1", "max_duration", 1),
        ("memory = 128", "memory", 128),
        ('max_body_size = "2mb"', "max_body_size", 2 * 2**20),
        ('max_body_size = "1.5 KB"', "max_body_size", 1536),
        ('max_body_size = "10b"', "max_body_size", 10),
        ("max_body_size = 0", "max_body_size", 0),
        ("revalidate = 0", "revalidate", 0),
        ("revalidate = False", "revalidate", False),
        ("isolate = True", "isolate", True),
        ('files = ["templates/*.html"]', "files", ("templates/*.html",)),
        ('cors = {"origins": ["*"]}', "cors", Cors(("*",))),
        (
            'cors = {"origins": ["https://*.a.example:8443", "https://b.*.example"], "credentials": True}',
            "cors",
            Cors(("https://*.a.example:8443", "https://b.*.example"), credentials=True),
        ),
        ('cors = {"origins": ["http://[::1]:80", "null"]}', "cors", Cors(("http://[::1]:80", "null"))),
        (
            'cors = {"origins": ("https://a.example:8443",), "headers": [], "credentials": True, "max_age": 0}',
            "cors",
            Cors(("https://a.example:8443",), headers=(), credentials=True, max_age=0),
        ),
    ],
)
def test_values(tmp_path, text, name, value):
    declared, diagnostics = config(tmp_path, text)
    assert diagnostics == ()
    assert getattr(declared, name) == value
    assert type(getattr(declared, name)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *('runtime = "deno"', "runtime = None", "runtime = [1]", "max_duration = 0", "max_duration = 901"),
        *("max_duration = True", "max_duration = 1.5", "memory = 127", "memory = 10241", 'memory = "512"'),
        *(
            "max_body_size = -1",
            'max_body_size = "2 megabytes"',
            'max_body_size = "-1mb"',
            "max_body_size = None",
        ),
        *(
            "revalidate = True",
            "revalidate = -1",
            'revalidate = "60"',
            "isolate = 1",
            'files = "data/*"',
            "files = [1]",
            'isolate = "yes"',
        ),
        *(
            "cors = []",
            "cors = {}",
            'cors = {"origins": "*"}',
            'cors = {"origins": []}',
            'cors = {"origins": [1]}',
        ),
        *('cors = {"origins": ["*"], "origin": 1}', 'cors = {"origins": ["*"], "credentials": True}'),
        *('cors = {"origins": ["https://a.example/"]}', 'cors = {"origins": ["a.example"]}'),
        *('cors = {"origins": ["https://*"]}', 'cors = {"origins": ["https://*:8443"]}'),
        *('cors = {"origins": ["https://*a.example"]}', 'cors = {"origins": ["https://a.*"]}'),
        *('cors = {"origins": ["*://a.example"]}', 'cors = {"origins": ["http://a.example:*"]}'),
        *('cors = {"origins": ["https://*..example"]}', 'cors = {"origins": ["*.a.example"]}'),
        *('cors = {"origins": ["*"], "max_age": True}', 'cors = {"origins": ["*"], "credentials": 1}'),
        *('cors = {"origins": ["https://a.example"], "headers": ["*"], "credentials": True}',),
    ],
)
def test_a_value_that_breaks_its_rule_counts_as_absent(tmp_path, text):
    declared, diagnostics = config(tmp_path, f"\n{text}\n")
    assert declared == Declared()
    assert [(item.rule, item.file, item.line) for item in diagnostics] == [("invalid-config", "route.py", 2)]
    assert diagnostics[0].hint


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("import os\nruntime = os.environ['X']", 2, "computed"),
        ("runtime = 'edge'\nruntime = 'nodejs'", 2, "more than once"),
        ("if x:\n    runtime = 'edge'", 2, "other than by a plain assignment"),
        ("from lib import runtime", 1, "other than by a plain assignment"),
        ("memory: int", 1, "other than by a plain assignment"),
        ("cors = {\n    'origins': ORIGINS,\n}", 2, "'ORIGINS' is not bound once"),
    ],
)
def test_what_the_build_cannot_read_says_where(tmp_path, text, line, message):
    _, diagnostics = config(tmp_path, text)
    assert [item.line for item in diagnostics] == [line]
    assert message in diagnostics[0].message


def test_edge_stops_after_30_seconds(tmp_path):
    _, diagnostics = config(tmp_path, 'runtime = "edge"\nmax_duration = 31\n')
    assert [(item.rule, item.line, item.severity) for item in diagnostics] == [("invalid-config", 2, "error")]


def test_the_http_api_stops_waiting_after_30_seconds(tmp_path):
    declared, diagnostics = config(tmp_path, "max_duration = 60\n")
    assert [item.severity for item in diagnostics] == ["warning"]
    assert declared.max_duration == 60
