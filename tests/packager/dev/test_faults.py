"""Tests of the pages and documents that faults become."""

import json

from packager.dev import faults


def described(**more):
    document = {"error": "ValueError: no", "importing": False, "place": "app/r/route.py GET", "frames": []}
    return json.dumps({**document, **more}).encode()


def frame(file, line, function="f"):
    return {"file": file, "line": line, "function": function}


def test_the_place_is_the_last_line_of_the_project(write):
    root = write({"app/r/route.py": "a\nb\n", "lib/x.py": "one\ntwo\nthree\n"})
    steps = [frame("runtimes/app.py", 9), frame("app/r/route.py", 2, "GET"), frame("lib/x.py", 2)]
    fault = faults.of_response(root, described(frames=[*steps, frame("/usr/lib/python3/json.py", 7)]))
    assert (fault.file, fault.line) == ("lib/x.py", 2)
    assert fault.excerpt == ((1, "one"), (2, "two"), (3, "three"))
    assert json.loads(faults.to_json(fault))["chain"] == [
        "app/r/route.py:2 GET",
        "lib/x.py:2 f",
        "/usr/lib/python3/json.py:7 f",
    ]


def test_without_a_line_of_the_project_it_is_the_function_that_was_called(write):
    root = write({"app/r/route.py": "import os\n\n\nasync def GET():\n    pass\n"})
    fault = faults.of_response(root, described())
    assert (fault.file, fault.line) == ("app/r/route.py", 4)


def test_files_outside_the_project_and_virtual_environments_are_not_its_own(write):
    root = write({".venv/lib/x.py": "1\n", "app/r/route.py": "def GET(): pass\n"})
    fault = faults.of_response(
        root, described(frames=[frame(".venv/lib/x.py", 1), frame("../etc/passwd", 1)])
    )
    assert fault.file == "app/r/route.py"
    assert "passwd" not in str(fault.excerpt)


def test_the_page_shows_source_and_message_as_text(write):
    root = write({"app/r/route.py": "def GET(): return '<b>'\n"})
    fault = faults.of_response(
        root, described(error="ValueError: <i>$HOME", frames=[frame("app/r/route.py", 1)])
    )
    page = faults.to_html(fault, "GET /<x>").decode()
    assert "ValueError: &lt;i&gt;$HOME" in page
    assert "return &#x27;&lt;b&gt;&#x27;" in page
    assert "GET /&lt;x&gt;" in page
    assert "<b>" not in page


def test_a_page_for_an_unknown_url_lists_the_routes():
    page = faults.not_found_html("/a<b", ["/api/[id]"]).decode()
    assert "/a&lt;b" in page
    assert "<li>/api/[id]</li>" in page
