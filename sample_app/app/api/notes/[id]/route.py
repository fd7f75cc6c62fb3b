"""A typed segment of the URL, and two answers: what is returned decides, by its type."""

from typing import Annotated, TypedDict

from pydantic import BaseModel, Field

from lib import notes
from lib.notes import Note
from runtimes import status

cors = {"origins": ["http://localhost:5173"]}  # the front end in web/


class NoteId(TypedDict):
    id: Annotated[int, Field(ge=1, lt=2**31)]


class Problem(BaseModel):
    error: str


type NotFound = Annotated[Problem, status(404)]


def GET(*, params: NoteId) -> Note | NotFound:
    return notes.find(params["id"]) or Problem(error="there is no such note")


def DELETE(*, params: NoteId) -> Annotated[None, status(204)] | NotFound:
    return None if notes.delete(params["id"]) else Problem(error="there is no such note")
