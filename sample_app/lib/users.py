"""The users, without their passwords."""

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from lib import database
from lib.database import users

COLUMNS = (users.c.id, users.c.name, users.c.email)


def page(number: int, size: int) -> tuple[list[dict], int]:
    """The users of one page, and how many there are in all."""
    query = select(*COLUMNS).order_by(users.c.id).limit(size).offset((number - 1) * size)
    with database.engine().connect() as connection:
        return [dict(row._mapping) for row in connection.execute(query)], _count(connection)


def count() -> int:
    with database.engine().connect() as connection:
        return _count(connection)


def _count(connection) -> int:
    return connection.execute(select(func.count()).select_from(users)).scalar_one()


def find(number: int) -> dict | None:
    with database.engine().connect() as connection:
        row = connection.execute(select(*COLUMNS).where(users.c.id == number)).first()
    return None if row is None else dict(row._mapping)


def create(name: str) -> dict | None:
    """The new user, or None if the name is taken."""
    try:
        with database.engine().begin() as connection:
            number = connection.execute(users.insert().values(name=name)).inserted_primary_key[0]
    except IntegrityError:
        return None
    return find(number)


def change(number: int, changes: dict) -> dict | None:
    """The changed user, or None if there is none."""
    if changes:
        with database.engine().begin() as connection:
            connection.execute(users.update().where(users.c.id == number).values(changes))
    return find(number)
