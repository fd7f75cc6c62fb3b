import json

GET = "def GET(): pass\n"


def test_a_project_without_faults(write, packager):
    ended = packager("check", write({"app/route.py": GET}))
    assert (ended.status, ended.out, ended.err) == (0, "no errors, no warnings in 1 route\n", "")


def test_json_is_one_document_with_every_diagnostic(write, packager):
    root = write({"app/route.py": f'import lib.x\nruntime = "edge"\n{GET}', "lib/x.py": "import socket\n"})
    ended = packager("check", root, "--json")
    assert (ended.status, ended.err) == (1, "")
    assert json.loads(ended.out) == {
        "diagnostics": [
            {
                "rule": "banned-import",
                "severity": "error",
                "file": "lib/x.py",
                "line": 1,
                "column": 1,
                "message": "socket does not work on edge: edge has no sockets",
                "hint": 'To use it, set runtime = "nodejs" in the route.',
                "chain": ["app/route.py:1 import lib.x", "lib/x.py:1 import socket"],
            }
        ]
    }


def test_text_has_place_chain_and_hint(write, packager):
    root = write({"app/route.py": f'import lib.x\nruntime = "edge"\n{GET}', "lib/x.py": "import socket\n"})
    ended = packager("check", root)
    assert ended.status == 1
    assert ended.err.splitlines() == [
        "error[banned-import] lib/x.py:1:1 socket does not work on edge: edge has no sockets",
        "    app/route.py:1 import lib.x",
        "    lib/x.py:1 import socket",
        '    hint: To use it, set runtime = "nodejs" in the route.',
    ]
    assert ended.out == "1 error, no warnings in 1 route\n"


def test_warnings_alone_are_no_failure(write, packager):
    ended = packager("check", write({"app/route.py": f"max_duration = 60\n{GET}"}), "--json")
    assert ended.status == 0
    assert [item["severity"] for item in json.loads(ended.out)["diagnostics"]] == ["warning"]


def test_variables_are_checked_too(write, packager):
    ended = packager("check", write({"app/route.py": GET, ".env": "AWS_REGION=x\n"}), "--json")
    assert [item["rule"] for item in json.loads(ended.out)["diagnostics"]] == ["env-name"]


def test_names_that_could_steer_a_terminal_are_spelled_out(write, packager):
    ended = packager(
        "check",
        write({"app/\x1b[31m\udcff/route.py": GET}),
    )
    assert ended.status == 1
    assert "\x1b" not in ended.err
    assert "\\x1b[31m" in ended.err
