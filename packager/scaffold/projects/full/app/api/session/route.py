"""Logging in and out: the session is a dict that middleware keeps in a cookie."""

from pydantic import BaseModel
from runtimes import Request, Response

from lib import passwords
from lib.store import store


class Credentials(BaseModel):
    name: str
    password: str


def POST(request: Request, *, body: Credentials):
    if not passwords.fits(body.password, store().password_of(body.name)):
        return Response.json({"error": "wrong name or password"}, status_code=401)
    request.state.session["user"] = body.name
    return {"name": body.name}


def DELETE(request: Request):
    request.state.session.clear()
    return Response(status_code=204)
