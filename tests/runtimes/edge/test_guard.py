"""The guard in real Pyodide: what it refuses, to whom, and that Pyodide's own Python goes on working."""

import json

import in_pyodide
import pytest

from packager.edge_rules.banned import run_time_bans

SCRIPT = """
import asyncio, json, sys, traceback
import js
from pyodide.ffi import JsException, to_js
promise = js.Promise
import runtimes.app
from runtimes.context import RequestContext, enter
from runtimes.edge import guard
project = {"mine/__init__.py": [], "mine/tried.py": [], "mine/other.py": [], "mine/allowed.py": ["subprocess"]}
guard.install(json.loads(BANS), "/app", {**project, "ctypes.py": []})
import ctypes, mine.tried, mine.allowed, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import theirs

async def fails():
    1 / 0

async def loop():
    running = asyncio.get_running_loop()
    await asyncio.sleep(0.001)
    out = {"gather": await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0.001, 2))}
    future = running.create_future()
    running.call_later(0.001, future.set_result, 5)
    out["call_later"] = await future
    out["task"] = await asyncio.create_task(asyncio.sleep(0, "done"))
    out["to_thread"] = await asyncio.to_thread(len, "abc")
    out["executor"] = await running.run_in_executor(None, len, "abcd")
    out["promise"] = await promise.resolve(7)
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(1)
    except TimeoutError:
        out["timeout"] = True
    try:
        await asyncio.create_task(fails())
    except ZeroDivisionError:
        out["traceback"] = traceback.format_exc()
    try:
        await promise.reject(js.Error.new("from-outside"))
    except JsException as error:
        out["rejected"] = str(error)
    return out

out = {"tried": mine.tried.out, "allowed": mine.allowed.name, "theirs": theirs.out, "loop": await loop()}
out["own"] = ctypes.OWN
out["warned"] = [item.filename for item in caught]
context = RequestContext(None)
context.route = "/api/users/[id]"
enter(context)
out["served"] = mine.tried.attempt("import socket")
sealed = lambda: sorted(name for name in sys.modules if name.partition(".")[0] in guard.ESCAPES)
finders = lambda: [type(item).__name__ for item in sys.meta_path]
out["sealed"] = sealed(), "JsFinder" in finders()
guard.unseal()
out["unsealed"] = {"js", "pyodide", "_pyodide"} <= set(sealed()), "JsFinder" in finders()
import pyodide.code
guard.seal()
out["sealed again"] = sealed(), "JsFinder" in finders(), len(finders())
try:
    guard.install({}, "/app", {})
except RuntimeError as error:
    out["twice"] = str(error)
print(json.dumps(out))
"""

TRIED = """
import importlib, os, pkgutil

def attempt(text, names=None):
    try:
        exec(text, globals() if names is None else names)
    except (ImportError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return "works"

ESCAPES = [
    "import js", "from js import fetch", "from pyodide.code import run_js", "import pyodide_js", "import _ctypes",
    "import _pyodide_core", "import _pyodide._base", "__import__('js')", "importlib.import_module('pyodide.ffi')",
    "importlib.__import__('js')", "importlib._bootstrap._gcd_import('js')", "pkgutil.resolve_name('js:eval')",
]
DEAD = [
    "import subprocess", "from socket import socket", "import multiprocessing.pool", "from http import client",
    "import urllib.request", "importlib.import_module('subprocess')", "from asyncio import subprocess",
]
CALLS = ["os.system('ls')", "os.execv('/bin/ls', [])", "os.fork()", "os.popen('ls')", "os.spawnlp(0, 'ls')",
         "from os import system; system('ls')", "import posix; posix.system('ls')", "import asyncio; asyncio.run(None)"]
FINE = ["import asyncio, logging.handlers, urllib.parse, uuid, http.cookies", "from http import HTTPStatus",
        "from . import other", "import concurrent.futures", "import threading", "from os import path"]
out = {text: attempt(text) for text in (*ESCAPES, *DEAD, *CALLS, *FINE)}
out["evaluated"] = attempt("import subprocess", {})
"""

THEIRS = """
import subprocess, socket, multiprocessing, warnings
warnings.warn("old", stacklevel=2)
out = {}
for name in ("js", "pyodide.ffi", "_ctypes"):
    try:
        __import__(name)
    except ImportError as error:
        out[name] = str(error)
"""

FILES = {
    "mine/__init__.py": "",
    "mine/tried.py": TRIED,
    "mine/other.py": "",
    "mine/allowed.py": "import subprocess\nname = subprocess.__name__\n",
    "theirs.py": THEIRS,
    "ctypes.py": "OWN = True\n",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    script = SCRIPT.replace("BANS", repr(json.dumps(run_time_bans())))
    return in_pyodide.run(tmp_path_factory.mktemp("pyodide"), script, FILES, runtime=True)


def test_nobody_imports_what_leads_out_of_the_sandbox(out):
    escapes = list(out["tried"].items())[:12]
    assert [text for text, answer in escapes if "ImportError: banned-import: " not in answer] == []
    assert sorted(out["theirs"]) == ["_ctypes", "js", "pyodide.ffi"]


def test_the_projects_files_do_not_import_what_is_dead(out):
    dead = list(out["tried"].items())[12:19]
    assert [text for text, answer in dead if "ImportError: banned-import: " not in answer] == []
    assert out["tried"]["evaluated"].startswith("ImportError: banned-import: subprocess")


def test_functions_that_are_banned_raise(out):
    calls = list(out["tried"].items())[19:27]
    assert [
        text for text, answer in calls if "banned-import: " not in answer or "OSError" not in answer
    ] == []


def test_everything_else_is_imported(out):
    assert {answer for _, answer in list(out["tried"].items())[27:33]} == {"works"}


def test_what_a_comment_allows_and_what_the_app_names_so_itself_is_imported(out):
    assert out["allowed"] == "subprocess"
    assert out["own"] is True


def test_the_message_names_rule_reason_place_and_route(out):
    reason = "banned-import: socket does not work on edge: edge has no sockets"
    assert out["served"] == f"ImportError: {reason} (mine/tried.py:1, while /api/users/[id] is served)"
    assert out["tried"]["import subprocess"].endswith("(mine/tried.py:1)")


def test_a_warning_at_import_points_at_the_code_that_imports(out):
    assert out["warned"] == ["/script.py"]


def test_pyodides_own_python_goes_on(out):
    loop = out["loop"]
    assert "in fails\n" in loop.pop("traceback")
    assert "from-outside" in loop.pop("rejected")
    assert loop.pop("timeout") is True
    assert loop == {
        "gather": [1, 2],
        "call_later": 5,
        "task": "done",
        "to_thread": 3,
        "executor": 4,
        "promise": 7,
    }


def test_the_seal_is_broken_for_pyodides_loader_and_made_anew(out):
    assert out["sealed"] == [["ctypes"], False]
    assert out["unsealed"] == [True, True]
    assert out["sealed again"][:2] == out["sealed"]
    assert out["twice"] == "the guard is installed already"
