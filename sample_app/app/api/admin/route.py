"""Guarded by `app/api/middleware.py`, which hands on who is logged in."""

from runtimes import Request


async def GET(request: Request):
    return {"admin": True, "name": request.state.user["name"]}
