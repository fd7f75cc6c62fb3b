"""The notes of whoever is logged in, with types for what comes in and goes out."""

from typing import Annotated

from pydantic import BaseModel, Field
from runtimes import Request, Response

from lib.notes import NewNote, Note
from lib.store import store


class Page(BaseModel):
    limit: Annotated[int, Field(ge=1, le=100)] = 20


def GET(request: Request, *, query: Page) -> list[Note]:
    return store().notes_of(request.state.session["user"], query.limit)


def POST(request: Request, *, body: NewNote):
    note = store().add_note(request.state.session["user"], body)
    return Response.json(
        note.model_dump(mode="json"),
        status_code=201,
        headers={"Location": f"/api/notes/{note.id}"},
    )
