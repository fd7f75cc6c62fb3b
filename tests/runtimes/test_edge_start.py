"""How edge workers start, from a snapshot and with Pyodide's own loader: each is a process of its own, and whole."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edge_artifact import Artifact, Served, build_artifact, changed, served, start, write_project
from serving import serving

pytestmark = pytest.mark.long

HOOKS = """\
import os

from runtimes import after_restore

calls = []


@after_restore
def first():
    calls.append(["first", os.environ.get("SETTING")])


after_restore(lambda: calls.append(["second", os.environ.get("SETTING")]))


def GET():
    return calls
"""
SMALL = """\
import os

from runtimes import after_restore


@after_restore
def connect():
    if os.environ.get("FAIL"):
        raise LookupError("no-such-database")


def GET():
    return {"ok": True}
"""
FILES = {
    "data/words.txt": "one\ntwo\n",
    "lib/draws.py": "import random\n\nGENERATOR = random.Random()\n",
    "lib/seldom.py": "VALUE = 'imported-late'\n",
    "app/api/random/route.py": """\
import random
import secrets
import tempfile
import uuid

from lib.draws import GENERATOR

OWN = random.Random()


def GET():
    return {
        "random": random.random(),
        "made at import": OWN.random(),
        "made by a module": GENERATOR.random(),
        "system": random.SystemRandom().random(),
        "secrets": secrets.token_hex(),
        "uuid": str(uuid.uuid4()),
        "tempfile": tempfile.mktemp(),
        "seeded later": random.Random(7).random(),
    }
""",
    "app/api/environment/route.py": "import os\n\n\ndef GET():\n    return dict(os.environ)\n",
    "app/api/hash/route.py": (
        "TABLE = {'abc': hash('abc')}\n\n\ndef GET():\n    return [TABLE['abc'], hash('abc'), 'abc' in TABLE]\n"
    ),
    "app/api/late/route.py": """\
def GET():
    import colorsys
    import csv
    import io

    import starlette.middleware.gzip
    from lib.seldom import VALUE

    rows = next(csv.reader(io.StringIO("a,b")))
    return [rows, colorsys.__name__, starlette.middleware.gzip.__file__, VALUE]
""",
    "app/api/files/route.py": """\
import os
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).parents[3]


def GET():
    with open("data/words.txt") as file:
        words = file.read()
    return [words == (ROOT / "data" / "words.txt").read_text(), os.getcwd(), sorted(os.listdir("data"))]
""",
    "app/api/fails/route.py": "def GET():\n    value = 1\n    raise LookupError('fails-on-purpose')  # the line\n",
    "app/api/clock/route.py": """\
import time

IMPORTED = time.monotonic()


def GET():
    return {"time": time.time(), "later": time.monotonic() >= 0}
""",
    "app/api/loop/route.py": """\
import asyncio


async def fails():
    raise KeyError("x")


async def GET():
    order = []
    await asyncio.gather(*(asyncio.sleep(0.01 * n, order.append(n)) for n in range(3)))
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
    except TimeoutError:
        order.append("timeout")
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
    except* KeyError:
        order.append("group")
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, event.set)
    await asyncio.wait_for(event.wait(), 60)
    return [*order, await asyncio.to_thread(len, "abc"), len(asyncio.all_tasks())]
""",
    "app/api/hooks/route.py": HOOKS,
    "app/api/modules/route.py": "import sys\n\n\ndef GET():\n    return sorted(sys.modules)\n",
}


@pytest.fixture(scope="module", params=["snapshot", "stock"])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp(request.param) / "shop"
    return build_artifact(write_project(folder, FILES, loader=request.param, include=("data/*",)))


@pytest.fixture(scope="module")
def pair(artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Served]]:
    """Two workers of one artifact."""
    log = tmp_path_factory.mktemp("log")
    with (
        served(artifact.folder, log / "one", SETTING="one") as one,
        served(artifact.folder, log / "two", SETTING="two", OTHER="ä") as two,
    ):
        yield one, two


def test_two_workers_draw_differently(pair: tuple[Served, Served]) -> None:
    one, two = (server.get("/api/random").json() for server in pair)
    assert {name for name in one if one[name] == two[name]} == {"seeded later"}
    again = pair[0].get("/api/random").json()
    assert {name for name in one if one[name] == again[name]} == {"seeded later"}


def test_the_environment_is_exactly_what_was_given(pair: tuple[Served, Served]) -> None:
    for server in pair:
        assert server.get("/api/environment").json() == server.environment


def test_hashes_made_at_build_hold(pair: tuple[Served, Served]) -> None:
    for server in pair:
        frozen, now, found = server.get("/api/hash").json()
        assert (frozen == now, found) == (True, True)


def test_what_was_not_imported_yet_is_imported_in_a_handler(pair: tuple[Served, Served]) -> None:
    rows, module, distribution, own = pair[0].get("/api/late").json()
    assert (rows, module, own) == (["a", "b"], "colorsys", "imported-late")
    assert distribution == "/app/starlette/middleware/gzip.py"


def test_a_data_file_of_the_project_is_there(pair: tuple[Served, Served]) -> None:
    assert pair[0].get("/api/files").json() == [True, "/app", ["words.txt"]]


def test_a_traceback_shows_file_line_and_source(pair: tuple[Served, Served]) -> None:
    assert pair[1].get("/api/fails").status_code == 500
    log = pair[1].log()
    assert 'File "/app/app/api/fails/route.py", line 3, in GET\n' in log
    assert "raise LookupError('fails-on-purpose')  # the line" in log


def test_the_clock_is_this_moments(pair: tuple[Served, Served], tmp_path: Path) -> None:
    (tmp_path / "now").touch()
    answer = pair[0].get("/api/clock").json()
    assert abs(answer["time"] - (tmp_path / "now").stat().st_mtime) < 60
    assert answer["later"]


def test_the_event_loop_sleeps_gathers_and_times_out(pair: tuple[Served, Served]) -> None:
    assert pair[0].get("/api/loop").json() == [0, 1, 2, "timeout", "group", 3, 1]


def test_hooks_run_once_in_order_with_the_environment_there(pair: tuple[Served, Served]) -> None:
    for server in pair:
        for _ in range(2):
            value = server.environment["SETTING"]
            assert server.get("/api/hooks").json() == [["first", value], ["second", value]]


def test_what_leads_out_of_the_sandbox_is_out_of_reach_again(pair: tuple[Served, Served]) -> None:
    modules = pair[0].get("/api/modules").json()
    assert not {"js", "pyodide", "pyodide_js", "ctypes", "_ctypes", "pyodide.ffi"} & set(modules)


def test_hooks_run_on_nodejs_too(tmp_path: Path) -> None:
    project = write_project(
        tmp_path / "shop",
        {"app/api/hooks/route.py": f'runtime = "nodejs"\n{HOOKS}', ".env": "SETTING=both\n"},
    )
    with serving(project) as server:
        for _ in range(2):
            answer = json.loads(server.ask("GET", "/api/hooks").body)
            assert answer == [["first", "both"], ["second", "both"]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact with a snapshot, to be damaged."""
    files = {"app/api/ok/route.py": SMALL}
    return build_artifact(write_project(tmp_path_factory.mktemp("small") / "shop", files), check=True).folder


def test_a_hook_that_fails_ends_the_worker_with_its_traceback(small: Path, tmp_path: Path) -> None:
    with start(small, tmp_path / "log", "--port", "0", FAIL="1") as process:
        assert process.wait(60) == 1
    log = (tmp_path / "log").read_text()
    assert "LookupError: no-such-database" in log
    assert 'File "/app/app/api/ok/route.py", line 9, in connect' in log


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another artifact with a snapshot: another route, and what was compiled for it."""
    files = {"app/api/ok/route.py": "def GET():\n    return {'other': True}\n"}
    return build_artifact(write_project(tmp_path_factory.mktemp("foreign") / "shop", files)).folder


def _cut(file: str, share: float) -> Callable[[Path, Path], object]:
    return lambda folder, _: os.truncate(folder / file, int((folder / file).stat().st_size * share))


def _flip(file: str, share: float) -> Callable[[Path, Path], object]:
    def flip(folder: Path, _: Path) -> None:
        content = bytearray((folder / file).read_bytes())
        content[int(len(content) * share)] ^= 0xFF
        (folder / file).write_bytes(content)

    return flip


def _from(file: str) -> Callable[[Path, Path], object]:
    return lambda folder, other: (folder / file).write_bytes((other / file).read_bytes())


CODE_CHANGES = {
    "truncated": _cut("code.bin", 0.9),
    "of a few bytes": lambda folder, _: (folder / "code.bin").write_bytes(b"code"),
    "empty": _cut("code.bin", 0),
    "text": lambda folder, _: (folder / "code.bin").write_text("<html>not found</html>" * 100),
    "with a damaged start": _flip("code.bin", 0),
    "with damaged script code": _flip("code.bin", 0.05),
    "with damaged module code": _flip("code.bin", 0.9),
    "of another module": lambda folder, _: (folder / "pyodide/restore.wasm").write_bytes(
        # a custom section (WebAssembly core specification, 5.5.3), which changes nothing
        (folder / "pyodide/restore.wasm").read_bytes() + b"\x00\x02\x01x"
    ),
    "missing": lambda folder, _: (folder / "code.bin").unlink(),
}


@pytest.mark.parametrize("change", CODE_CHANGES.values(), ids=CODE_CHANGES)
def test_a_bad_code_cache_is_one_warning_and_the_worker_serves(
    small: Path, foreign: Path, tmp_path: Path, change: Callable[[Path, Path], object]
) -> None:
    folder = changed(small, tmp_path / "copy", lambda copy: change(copy, foreign))
    with served(folder, tmp_path / "log") as server:
        assert server.get("/api/ok").json() == {"ok": True}
    [line] = server.log().splitlines()
    assert re.fullmatch("warning: .*which takes longer", line)


def test_a_good_code_cache_is_taken_without_a_word(small: Path, tmp_path: Path) -> None:
    with served(small, tmp_path / "log") as server:
        assert server.get("/api/ok").json() == {"ok": True}
    assert server.log() == ""


HEAP_CHANGES = {
    "truncated": (_cut("heap.bin", 0.5), "heap.bin is cut off"),
    "cut in its head": (lambda folder, _: os.truncate(folder / "heap.bin", 100), "heap.bin is cut off"),
    "empty": (_cut("heap.bin", 0), "heap.bin is not a memory snapshot"),
    "damaged at its start": (_flip("heap.bin", 0), "heap.bin is not a memory snapshot"),
    "of another build": (_from("heap.bin"), "heap.bin is of another build than worker.json"),
    "missing": (lambda folder, _: (folder / "heap.bin").unlink(), "heap.bin"),
}


@pytest.mark.parametrize(("change", "reason"), HEAP_CHANGES.values(), ids=HEAP_CHANGES)
def test_a_bad_snapshot_ends_the_worker_with_the_reason(
    small: Path, foreign: Path, tmp_path: Path, change: Callable[[Path, Path], object], reason: str
) -> None:
    folder = changed(small, tmp_path / "copy", lambda copy: change(copy, foreign))
    with start(folder, tmp_path / "log", "--port", "0") as process:
        assert process.wait(60) == 1
    log = (tmp_path / "log").read_text()
    assert reason in log
    assert len(log) < 3000
