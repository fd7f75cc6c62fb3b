"""Typed handlers: parameters are filled by their names, and what does not fit is a 422 that tells every fault."""

from typing import Annotated

from pydantic import BaseModel, Field

from lib import notes
from lib.notes import NewNote, Note
from runtimes import status

cors = {"origins": ["http://localhost:5173"]}  # the front end in web/


class Page(BaseModel):
    page: int = Field(default=1, ge=1, le=10_000)
    per_page: int = Field(default=10, ge=1, le=50)


def GET(*, query: Page) -> list[Note]:
    return notes.page(query.page, query.per_page)


def POST(*, body: NewNote) -> Annotated[Note, status(201)]:
    return notes.write(body)
