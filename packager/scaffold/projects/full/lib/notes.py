"""What a note is."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field


class NewNote(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(max_length=10_000)] = ""


class Note(NewNote):
    id: str
    created: datetime
