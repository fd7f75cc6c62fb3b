"""Sessions are rows: the cookie carries a random token and nothing else."""

import secrets
import time

from lib import database, passwords
from lib.database import sessions, users

LIFETIME = 8 * 3600
"""Seconds."""


def open_session(name: str, password: str) -> str | None:
    """A new session's token; None if name or password is wrong."""
    with database.engine().begin() as connection:
        user = connection.execute(users.select().where(users.c.name == name)).first()
        if not passwords.fits(password, user.password if user else None):
            return None
        token = secrets.token_urlsafe(32)
        connection.execute(
            sessions.insert().values(token=token, user_id=user.id, expires=time.time() + LIFETIME)
        )
        return token


def close_session(token: str) -> None:
    with database.engine().begin() as connection:
        connection.execute(sessions.delete().where(sessions.c.token == token))


def user_of(token: str | None) -> dict | None:
    """Who a token belongs to; None if it is unknown or too old."""
    if not token:
        return None
    query = (
        users.select()
        .join(sessions, sessions.c.user_id == users.c.id)
        .where(sessions.c.token == token, sessions.c.expires > time.time())
    )
    with database.engine().connect() as connection:
        user = connection.execute(query).first()
    return None if user is None else {"name": user.name, "admin": user.admin}
