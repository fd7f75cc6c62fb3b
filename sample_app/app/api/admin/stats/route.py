"""Guarded as well: the matcher takes everything below `/api/admin`."""

from lib import users
from runtimes import Request


def GET(request: Request):
    return {"users": users.count(), "asked_by": request.state.user["name"]}
