"""The smallest route: JSON out, JSON in. Without a `runtime` it runs on nodejs, which is CPython on Lambda."""

import os

from runtimes import Request, Response


async def GET():
    return {"message": os.environ["GREETING"]}


async def POST(request: Request):
    return Response.json({"message": "Data received", "data": await request.json()}, status_code=201)
