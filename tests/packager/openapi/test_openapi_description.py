import asyncio
import time
from pathlib import Path

import pytest

from packager.errors import PackagerError
from packager.openapi.description import Description

UNTYPED = "def GET(): ...\n"
ENDLESS = """import os, pathlib, time
pathlib.Path("started").write_text(str(os.getpid()))
time.sleep(50)

def POST(*, body: dict): ...
"""


def project(root, text=UNTYPED):
    (root / "app" / "x").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["pydantic>=2.9"]\n')
    (root / "app" / "x" / "route.py").write_text(text)
    return root


async def started(root):
    def wait():
        while not (root / "started").exists():
            time.sleep(0.02)

    await asyncio.to_thread(wait)


def test_it_is_made_once_for_all_who_ask_and_anew_after_a_save_that_matters(tmp_path):
    async def story():
        description = Description(project(tmp_path), print)
        first, same = await asyncio.gather(description.now(), description.now())
        assert first is same
        assert not description.saved({"web/api/schema.ts", "notes.md"})
        assert await description.now() is first
        (tmp_path / "app" / "x" / "route.py").write_text("def PUT(): ...\n")
        assert description.saved({"app/x/route.py"})
        assert list((await description.now()).document["paths"]["/x"]) == ["put"]

    asyncio.run(story())


def test_a_save_ends_the_import_before_and_who_waits_gets_the_newest(tmp_path):
    async def story():
        description = Description(project(tmp_path, ENDLESS), print)
        asked = asyncio.create_task(description.now())
        await started(tmp_path)
        (tmp_path / "app" / "x" / "route.py").write_text(UNTYPED)
        description.saved({"app/x/route.py"})
        assert "get" in (await asked).document["paths"]["/x"]

    asyncio.run(story())
    assert not Path(f"/proc/{(tmp_path / 'started').read_text()}").exists()


def test_who_waits_when_it_is_stopped_is_told(tmp_path):
    async def story():
        description = Description(project(tmp_path, ENDLESS), print)
        asked = asyncio.create_task(description.now())
        await started(tmp_path)
        description.stop()
        with pytest.raises(PackagerError):
            await asked
        description.saved({"app/x/route.py"})
        with pytest.raises(PackagerError):
            await description.now()

    asyncio.run(story())
