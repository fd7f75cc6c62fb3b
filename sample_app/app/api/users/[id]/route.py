"""A dynamic segment: `[id]` arrives as a string in `params`."""

from lib import users
from runtimes import Request, Response, not_found


def GET(request: Request, params: dict):
    return users.find(number(params)) or not_found()


async def PATCH(request: Request, params: dict):
    changes = await request.json()
    if not isinstance(changes, dict) or not set(changes) <= {"name", "email"}:
        return Response.json({"error": "name and email can be changed"}, status_code=422)
    return users.change(number(params), changes) or not_found()


def number(params: dict) -> int:
    return int(params["id"]) if params["id"].isdecimal() else not_found()
