"""Every entry of the table of what edge lacks, tried in real Pyodide."""

import json
import sys

import in_pyodide
import pytest

from packager.branches import EDGE
from packager.edge_rules.banned import run_time_bans, table
from packager.stdlib import has_module
from runtimes.edge.guard import ESCAPES

# The first two print or open a browser when they are imported.
_NOT_FOR_IMPORT = {"antigravity", "this", "__main__"}

SCRIPT = """
import ast, asyncio, importlib, inspect, json, warnings
warnings.simplefilter("ignore")
rows = json.loads({rows!r})

def imported(name):
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True

async def failure(name, probe):
    try:
        modules = {{name.partition(".")[0]: importlib.import_module(name.partition(".")[0])}}
        imported(name) or imported(name.rpartition(".")[0])
        code = compile(probe, "probe", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, modules)
        if inspect.isawaitable(result):
            await result
    except BaseException as error:
        return type(error).__name__
    return None

out = {{
    "modules": {{name: imported(name) for name in rows["modules"]}},
    "rest": {{name: imported(name) for name in rows["rest"]}},
    "probes": {{name: await failure(name, probe) for name, probe in rows["probes"].items()}},
}}
from runtimes.edge import guard, pbkdf2
guard.install(rows["bans"], "/app", {{"tried.py": []}})
import tried
out["refused"] = [name for name in rows["bans"] if ":" not in name and tried.is_refused(name)]
pbkdf2.install()
import hashlib
out["pbkdf2"] = hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2).hex()
print(json.dumps(out))
"""
TRIED = """
import importlib

def is_refused(name):
    try:
        importlib.import_module(name)
    except ImportError as error:
        return "banned-import" in str(error)
    return False
"""


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    modules, attributes = table()
    every = {**modules, **attributes}
    there = {name for name in sys.stdlib_module_names if has_module(EDGE, name)}
    rows = {
        "modules": list(modules),
        "rest": sorted(there - modules.keys() - _NOT_FOR_IMPORT),
        "probes": {name: ban.probe for name, ban in every.items() if ban.probe},
        "bans": run_time_bans(),
    }
    script = SCRIPT.format(rows=json.dumps(rows))
    return in_pyodide.run(tmp_path_factory.mktemp("pyodide"), script, {"tried.py": TRIED}, runtime=True)


def test_what_is_called_absent_cannot_be_imported_and_the_rest_can(tried):
    modules, _ = table()
    assert tried["modules"] == {name: not ban.absent for name, ban in modules.items()}


def test_every_other_module_of_the_standard_library_can_be_imported(tried):
    assert [name for name, works in tried["rest"].items() if not works] == []


def test_what_the_table_says_fails_on_edge_does(tried):
    assert [name for name, error in tried["probes"].items() if error is None] == []
    # a probe that is wrong itself would fail as well
    odd = {
        name for name, error in tried["probes"].items() if error in ("NameError", "SyntaxError", "TypeError")
    }
    assert odd == set()
    _, attributes = table()
    missing = {name for name, error in tried["probes"].items() if error in ("AttributeError", "ImportError")}
    assert missing - {"webbrowser.open*"} == {name for name, ban in attributes.items() if ban.absent}


def test_every_entry_that_is_there_has_a_probe_or_leads_out_or_would_end_the_interpreter(tried):
    modules, attributes = table()
    without = {
        name
        for name, ban in {**modules, **attributes}.items()
        if not (ban.probe or ban.absent or ban.leads_out)
    }
    assert without == {"socketserver", "http.server", "xmlrpc.server", "wsgiref.simple_server"}


def test_the_guard_refuses_every_module_that_is_there(tried):
    assert set(tried["refused"]) == {name for name in run_time_bans() if ":" not in name}


def test_pbkdf2_is_supplied(tried):
    assert tried["pbkdf2"] == "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"


def test_what_leads_out_is_what_the_guard_seals():
    modules, _ = table()
    assert {name for name, ban in modules.items() if ban.leads_out} == ESCAPES
