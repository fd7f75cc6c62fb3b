"""Notes, as routes and front end see them."""

from pydantic import BaseModel, Field
from sqlalchemy import select

from lib import database
from lib.database import notes


class NewNote(BaseModel):
    text: str = Field(min_length=1, max_length=500)
    tags: list[str] = Field(default=[], max_length=5)


class Note(NewNote):
    id: int


def page(number: int, size: int) -> list[Note]:
    """The notes of one page, the last one first."""
    query = select(notes).order_by(notes.c.id.desc()).limit(size).offset((number - 1) * size)
    with database.engine().connect() as connection:
        return [Note(**row._mapping) for row in connection.execute(query)]


def find(number: int) -> Note | None:
    with database.engine().connect() as connection:
        row = connection.execute(select(notes).where(notes.c.id == number)).first()
    return None if row is None else Note(**row._mapping)


def write(new: NewNote) -> Note:
    with database.engine().begin() as connection:
        number = connection.execute(notes.insert().values(**new.model_dump())).inserted_primary_key[0]
    return Note(id=number, **new.model_dump())


def delete(number: int) -> bool:
    """Whether there was such a note."""
    with database.engine().begin() as connection:
        return connection.execute(notes.delete().where(notes.c.id == number)).rowcount == 1
