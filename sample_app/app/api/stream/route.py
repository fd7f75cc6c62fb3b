"""A response that is sent while it is made. Lambda collects an answer before it goes out, so this runs on edge."""

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

runtime = "edge"


async def ticks() -> AsyncIterator[str]:
    for tick in range(5):
        yield f"data: {tick}\n\n"
        await asyncio.sleep(0.05)


async def GET():
    return StreamingResponse(ticks(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
