import json

import pytest

from packager.branches import EDGE
from packager.edge_rules import run_time_rules
from packager.examine import examine
from packager.imports import reach
from packager.project import load

ROUTE = "app/a/route.py"


def found_in(write, text, runtime="edge", **files):
    route = f'{text}\nruntime = "{runtime}"\ndef GET(): pass\n'
    root = write({ROUTE: route, **{name.replace("__", "/") + ".py": value for name, value in files.items()}})
    return examine(root).diagnostics


def rules(found):
    return [item.rule for item in found]


@pytest.mark.parametrize(
    "text",
    [
        *("def f(): return eval('1')", "def f(): exec('x = 1')", "code = compile('1', 'x', 'eval')"),
        *(
            "e = eval\ndef f(): return e('1')",
            "list(map(eval, ['1']))",
            "import builtins\nbuiltins.exec('1')",
        ),
        *("import builtins as b\ngetattr(b, 'eval')('1')", "from builtins import eval as run\nrun('1')"),
        *("import importlib\ndef f(x): return importlib.import_module(x)", "def f(x): __import__(x)"),
        *(
            "from importlib import import_module as load\nload(f'lib.{x}')",
            "import runpy\nrunpy.run_path('x')",
        ),
        "class A:\n    def eval(self): return eval('1')",
        "class A:\n    eval = None\n    def f(self): return eval('1')",
    ],
)
def test_code_made_at_run_time(write, text):
    found = found_in(write, text)
    assert rules(found) == ["dynamic-code"]
    assert found[0].hint.endswith('set runtime = "nodejs" in the route.')


@pytest.mark.parametrize(
    "text",
    [
        *(
            "import re\nre.compile('x')",
            "from re import compile\ncompile('x')",
            "import ast\nast.literal_eval('1')",
        ),
        *("class M:\n    def eval(self): pass\nM().eval()", "def f(model): model.eval(); model.compile()"),
        *("def exec(x): return x\nexec(1)", "def f(eval): return eval(1)", "f = lambda compile: compile(1)"),
        *("import sys\nif sys.platform != 'emscripten':\n    eval('1')", "[eval for eval in (int,)]"),
        "def f():\n    def compile(x): return x\n    return [compile(x) for x in (1,)]",
        "match [1]:\n    case [exec]: exec(1)",
        "def f():\n    global eval\n    eval = int\neval('1')",
    ],
)
def test_look_alikes_of_dynamic_code(write, text):
    assert found_in(write, text) == ()


@pytest.mark.parametrize(
    "text",
    [
        *("def f(): return open('data.txt').read()", "import io\nio.open('x')", "import os\nos.listdir('.')"),
        *(
            "import os as o\no.walk('.')",
            "from os import scandir as s\ns()",
            "import shutil\nshutil.copy('a', 'b')",
        ),
        *("import shutil\nshutil.copy('/tmp/a', 'b')", "import glob\nglob.glob('*')", "open(__file__)"),
        *("from pathlib import Path\nPath('x').read_text()", "import pathlib\npathlib.Path('x').open()"),
        "import pathlib as p\np.Path(__file__).parent.joinpath('x').read_bytes()",
        "from pathlib import Path\n(Path(__file__).parents[1] / 'x').resolve().write_text('')",
        "from pathlib import Path\nDATA = Path('x')\ndef f(): return DATA.read_text()",
        "from pathlib import Path\ndef f(p: Path): return p.iterdir()",
        "from pathlib import Path\nif p := Path('x'): p.unlink()",
        "import pathlib\ndef f(): return getattr(pathlib, 'Path')('x').read_text()",
        *("import sqlite3\nsqlite3.connect('app.db')", "import gzip\ngzip.open('x.gz')"),
        "import zipfile\nfrom pathlib import Path\nzipfile.ZipFile(Path('x'))",
        *("from starlette.responses import FileResponse\nFileResponse('x')", "open(f'{x}/tmp/y')"),
        "import logging\nlogging.FileHandler('app.log')",
        "try:\n    from io import open\nexcept ImportError:\n    open = None\nopen('x')",
    ],
)
def test_files_of_the_project(write, text):
    found = found_in(write, text)
    assert rules(found) == ["filesystem-access"]
    assert "/tmp" in found[0].hint
    assert 'runtime = "nodejs"' in found[0].hint


@pytest.mark.parametrize(
    "text",
    [
        *("def open(x): return x\nopen('x')", "class Door:\n    def open(self): pass\nDoor().open()"),
        *(
            "import webbrowser as w\ndef f(valve): valve.open(); valve.read_text()",
            "from lib.x import open\nopen('x')",
        ),
        *("open('/tmp/x', 'w')", "def f(name): return open(f'/tmp/{name}')", "NAME = '/tmp/x'\nopen(NAME)"),
        "from pathlib import Path\n(Path('/tmp') / 'x').write_text('')",
        "from pathlib import Path\nROOT = Path('/tmp')\ndef f(): return (ROOT / 'x').resolve().read_text()",
        "import os\nopen(os.path.join('/tmp', 'x'))",
        "import tempfile\ndef f():\n    with tempfile.TemporaryDirectory() as d: open(d + '/x')",
        "import tempfile\ndef f():\n    handle, path = tempfile.mkstemp()\n    open(path)",
        "import tempfile\nfrom pathlib import Path\ndef f(): return Path(tempfile.gettempdir(), 'x').read_text()",
        "import shutil\nshutil.move('/tmp/a', '/tmp/b')",
        *(
            "import sqlite3\nsqlite3.connect(':memory:')",
            "import sqlite3\nsqlite3.connect('file::memory:', uri=True)",
        ),
        *(
            "import io, zipfile\nzipfile.ZipFile(io.BytesIO())",
            "import gzip\ndef f(body): return gzip.open(body)",
        ),
        *("import shutil\nshutil.which('x')", "from pathlib import PurePosixPath\nPurePosixPath('x').parent"),
        "import importlib.resources as r\nr.files('lib').joinpath('x').read_text()",
    ],
)
def test_look_alikes_of_files_and_what_edge_has(write, text):
    assert found_in(write, text, lib__x="def open(x): return x\n") == ()


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        *(("import random\nX = random.random()", 2, 5), ("from uuid import uuid4\nX = str(uuid4())", 2, 9)),
        *(
            ("import secrets\nclass A:\n    X = secrets.token_hex()", 3, 9),
            ("import os\nX = os.urandom(8)", 2, 5),
        ),
        ("import uuid\ndef f(x=uuid.uuid1()): pass", 2, 9),
        ("import random\ndef d(n): return lambda f: f\n@d(random.random())\ndef f(): pass", 3, 4),
        ("import random\nR = random.Random()", 2, 5),
        ("import random, time\nrandom.seed(time.time())", 2, 1),
        ("import random, time\nR = random.Random(int(time.time()))", 2, 5),
        ("import tempfile\nD = tempfile.mkdtemp()", 2, 5),
        ("import random\nX = ''.join(random.choice('ab') for _ in range(9))", 2, 13),
        ("import random\nX = random.SystemRandom().choice('ab')", 2, 5),
        ("import numpy as np\nX = np.random.default_rng()", 2, 5),
        ("import secrets\ndef make():\n    return secrets.token_hex()\nX = make()", 3, 12),
        ("import random\nif True:\n    X = random.random()", 3, 9),
    ],
)
def test_random_values_at_import(write, text, line, column):
    found = [item for item in found_in(write, text) if item.rule != "unresolved-import"]
    assert [(item.rule, item.line, item.column) for item in found] == [("import-time-entropy", line, column)]
    assert "in the handler" in found[0].hint


def test_a_draw_in_a_function_says_which_line_calls_it_at_import(write):
    found = found_in(
        write, "import secrets\ndef make():\n    return secrets.token_hex()\nX = make()\nY = make()"
    )
    [message] = [item.message for item in found]
    assert message.startswith(
        "secrets.token_hex() runs while the module is imported, by the call in line 4: "
    )


@pytest.mark.parametrize(
    "text",
    [
        *(
            "import random\ndef f(): return random.random()",
            "import random\nR = random.Random(42)\nX = R.random()",
        ),
        *("import random\nrandom.seed(-1)", "import random\nSEED = 7\nR = random.Random(SEED)"),
        *(
            "import uuid\nNAMESPACE = uuid.UUID(int=1)\nX = uuid.uuid5(NAMESPACE, 'x')",
            "import random\nf = random.random",
        ),
        *("import secrets\nmake = lambda: secrets.token_hex()", "import random\nR = random.SystemRandom()"),
        *("import time\nSTART = time.time()", "import tempfile\nT = tempfile.gettempdir()"),
        "import uuid, dataclasses as d\n@d.dataclass\nclass A:\n    id: str = d.field(default_factory=uuid.uuid4)",
        "import secrets\nasync def make(): return secrets.token_hex()\nX = make",
        "class Dice:\n    def random(self): return 4\nrandom = Dice()\nX = random.random()",
        "import random\nif __name__ == '__main__':\n    random.random()",
    ],
)
def test_what_may_run_at_import(write, text):
    assert found_in(write, text) == ()


@pytest.mark.parametrize(
    "text", ["eval('1')", "open('x')", "import random\nX = random.random()", "import_module(x)"]
)
def test_nodejs_may_do_all_of_it(write, text):
    assert found_in(write, text, runtime="nodejs") == ()


def test_a_finding_in_a_library_of_the_project_has_the_chain_to_it(write):
    library = "def read():\n    return open('x')\n"
    [found] = found_in(write, "import lib.data", lib__data=library)
    assert (found.rule, found.file, found.line, found.column) == ("filesystem-access", "lib/data.py", 2, 12)
    assert found.chain == (f"{ROUTE}:1 import lib.data",)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("eval('1')  # packager: allow[{}] arithmetic of our own", "dynamic-code"),
        ("open('x')  # packager: allow[{}] comes with include", "filesystem-access"),
        ("import random\nX = random.random()  # packager: allow[{}] a test", "import-time-entropy"),
    ],
)
def test_a_comment_with_a_reason_allows_it(write, text, rule):
    assert found_in(write, text.format(rule)) == ()
    assert rules(found_in(write, text.format("other-rule"))) == [rule]


def test_auto_routes_that_need_it_run_on_nodejs(write):
    root = write(
        {
            ROUTE: 'runtime = "auto"\ndef GET(): return open("x")\n',
            "app/b/route.py": 'runtime = "auto"\ndef GET(): return {}\n',
        }
    )
    examined = examine(root)
    assert [route.runtime for route in examined.app.routes] == ["nodejs", "edge"]
    assert examined.diagnostics == ()


def test_deep_and_circular_names_are_not_followed_forever(write):
    text = "a = b\nb = a\na.open()\nx = " + " / ".join(["a"] * 900) + "\nx.read_text()"
    assert found_in(write, text) == ()


def test_numbers_divided_in_circles_take_no_time(write):
    lines = [f"{name} = {name} / b / {name} / a" for name in "abcabcabc"]
    assert found_in(write, "a = b = c = 1\n" + "\n".join(lines) + "\na.read_text()") == ()


@pytest.mark.parametrize(
    "text",
    [
        *("from importlib import import_module as im\nim('socket')", "load = __import__\nload('socket')"),
        *("import importlib\nimportlib.__import__('x')", "import builtins\nbuiltins.__import__('x')"),
    ],
)
def test_literal_imports_that_the_build_does_not_see(write, text):
    [found] = found_in(write, text)
    assert found.rule == "dynamic-code"
    assert "the build does not see" in found.message


@pytest.mark.parametrize(
    "text",
    [
        *("import sys\nsys.modules['os'].system('x')", "import os\nos.__dict__['system']('x')"),
        *("import os\nvars(os)['popen']('x')", "import posix\nposix.system('x')", "from posix import system"),
        *("import shutil\nshutil.os.system('x')", "import os\nos.path.os.fork()"),
        *(
            "import os\nif (run := os.system): pass",
            "import os\nclass A:\n    @os.system\n    def f(self): pass",
        ),
        *("import os\nmatch os.system:\n    case x: pass", "import hashlib\nhashlib.scrypt(b'')"),
        *("import hashlib\nhashlib.new('ripemd160')", "import hmac\nhmac.new(b'', digestmod='sm3')"),
        *(
            "import time\ntime.tzset()",
            "import signal\nsignal.alarm(1)",
            "from zoneinfo import ZoneInfo as Z\nZ('UTC')",
        ),
        *("from concurrent.futures import ThreadPoolExecutor as T", "import asyncio\nasyncio.run(f())"),
        "try:\n    import pwd\nexcept ImportError:\n    import socket",
    ],
)
def test_what_edge_lacks_in_disguise(write, text):
    assert set(rules(found_in(write, text))) == {"banned-import"}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "import my\nsocket = my.socket\nsocket.socket()",
            "import js\njs.x",
            "from lib.x import os\nos.system()",
        ),
        *("try:\n    import tomllib\nexcept ImportError:\n    import tomli as tomllib",),
        *("try:\n    import json\nexcept ImportError:\n    import subprocess",),
        *("try:\n    import ujson as json\nexcept ImportError:\n    import json",),
        *(
            "import time\nif hasattr(time, 'tzset'):\n    time.tzset()",
            "import hashlib\ngetattr(hashlib, 'scrypt', None)",
        ),
        *(
            "import threading\ndef f(t: threading.Thread) -> threading.Thread: return t",
            "import fcntl\nfcntl.flock",
        ),
        *("import hashlib\nhashlib.new('SHA256')", "import hmac\nhmac.new(b'', b'', 'sha3_256')"),
        *(
            "import hashlib\nhashlib.pbkdf2_hmac('sha256', b'', b'', 1)",
            "import asyncio\nasyncio.to_thread(print)",
        ),
        *("from zoneinfo import ZoneInfoNotFoundError", "import sys\nsys.modules['x']"),
        *("from importlib.util import find_spec\nif find_spec('nowhere'):\n    import nowhere",),
    ],
)
def test_what_only_looks_like_it(write, text):
    library = "class os:\n    def system(): pass\n"
    assert found_in(write, text, lib__x=library, my="socket = 1\n", js="x = 1\n") == ()


def test_a_fallback_that_is_missing_as_well_is_reported(write):
    found = found_in(write, "try:\n    import nowhere\nexcept ImportError:\n    import elsewhere")
    assert [item.message for item in found] == ["nothing provides the module elsewhere"]


def test_a_compiled_module_of_the_project(write):
    root = write(
        {ROUTE: 'import lib.fast\nruntime = "edge"\ndef GET(): pass\n', "lib/fast.cpython-313.so": "ELF"}
    )
    [found] = examine(root).diagnostics
    assert (found.rule, found.file, found.line) == ("native-extension", ROUTE, 1)
    assert "lib/fast.cpython-313.so" in found.message
    write({"lib/fast.py": ""})
    assert examine(root).diagnostics == ()


def test_the_guard_in_the_worker_is_told_the_bans_and_what_comments_allow(write):
    text = "import socket\nimport subprocess  # packager: allow[banned-import] the exception\nimport pwd\n"
    project = load(write({ROUTE: text, "lib/x.py": "", "data.txt": ""}))
    found = reach(project, [ROUTE], EDGE)
    rules = json.loads(run_time_rules(project, found, [*found.files, "lib/x.py", "data.txt"]))
    assert rules["project"] == {ROUTE: ["subprocess"], "lib/x.py": []}
    assert rules["bans"]["socket"] == "edge has no sockets"
    assert rules["bans"]["os:exec*"] == "edge cannot start processes"
    assert "pwd" not in rules["bans"]
