"""Tests of what counts as saved."""

import asyncio
import contextlib

from packager.dev import watch


def first_save(root, save):
    """What is told first after `save` has run, in a project that is watched already."""

    async def watched():
        stop = asyncio.Event()
        saves = watch.saved(root, stop)
        task = asyncio.ensure_future(anext(saves))
        while not task.done():
            # Only what is written once the watch has begun is told, and nothing says when that is.
            save()
            await asyncio.wait({task}, timeout=0.5)
        stop.set()
        with contextlib.suppress(StopAsyncIteration):
            await anext(saves)
        return task.result()

    return asyncio.run(asyncio.wait_for(watched(), 20))


def test_a_saved_file_is_told_relative_to_the_project(write):
    root = write({"lib/x.py": "1\n"})
    assert first_save(root, lambda: (root / "lib/x.py").write_text("2\n")) == {"lib/x.py"}


def test_what_no_build_reads_is_not_told(write):
    skipped = [".git/x", ".packager/cache/x.py", "lib/__pycache__/x.pyc", "node_modules/x.js", ".venv/x.py"]
    root = write(dict.fromkeys([*skipped, ".env"], "1\n"))

    def save():
        for name in (*skipped, ".env"):
            (root / name).write_text("2\n")

    assert first_save(root, save) == {".env"}


def test_a_project_in_a_folder_with_such_a_name_is_watched(tmp_path):
    root = (tmp_path / "node_modules" / ".venv").resolve()
    root.mkdir(parents=True)
    assert first_save(root, lambda: (root / "x.py").write_text("2\n")) == {"x.py"}
