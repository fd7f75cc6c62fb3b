"""Signing up."""

from typing import Annotated

from pydantic import BaseModel, Field
from runtimes import Request, Response

from lib import passwords
from lib.store import store


class NewUser(BaseModel):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{1,30}$")]
    password: Annotated[str, Field(min_length=8, max_length=200)]


def POST(request: Request, *, body: NewUser):
    if not store().add_user(body.name, passwords.hashed(body.password)):
        return Response.json({"error": "this name is taken"}, status_code=409)
    request.state.session["user"] = body.name
    return Response.json({"name": body.name}, status_code=201)
