"""`packager types --watch`: the files again with every save that changes them."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from packager.dev import watch
from packager.errors import PackagerError
from packager.openapi.generate import generate, write
from packager.project import load

type Report = Callable[[str], None]


async def follow(
    root: Path,
    out: Path | None,
    stop: asyncio.Event,
    *,
    report: Report,
    failed: Callable[[PackagerError], None],
) -> None:
    """Write the files of the project in `root`, an absolute path, now and anew with every save, until `stop`.

    `report` gets a line for what is written, `failed` what keeps it from being written; the next save tries again.
    """
    # meanwhile saves are watched: none is missed
    first = asyncio.create_task(asyncio.to_thread(_again, root, out, report, failed))
    async for changed in watch.saved(root, stop):
        await first
        if any(_matters(name) for name in changed):
            await asyncio.to_thread(_again, root, out, report, failed)
    await first


def until_interrupted(
    folder: Path, out: Path | None, *, report: Report, failed: Callable[[PackagerError], None]
) -> signal.Signals:
    """`follow` until SIGINT or SIGTERM, which is returned. Raises what `load` raises if `folder` is no project."""
    root = load(folder).root

    async def run() -> signal.Signals:
        loop = asyncio.get_running_loop()
        received: asyncio.Queue[signal.Signals] = asyncio.Queue()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, received.put_nowait, number)
        stop = asyncio.Event()
        following = asyncio.create_task(follow(root, out, stop, report=report, failed=failed))
        ended = await received.get()
        stop.set()
        await following
        return ended

    return asyncio.run(run())


def _matters(name: str) -> bool:
    """Whether a saved file can change what the routes say."""
    return name.endswith(".py") or name in watch.SETTINGS or name in watch.ENVIRONMENT


def _again(root: Path, out: Path | None, report: Report, failed: Callable[[PackagerError], None]) -> None:
    try:
        generated = generate(root, out, report)
        for name in write(generated):
            report(f"wrote {generated.out / name}")
    except PackagerError as error:
        failed(error)
