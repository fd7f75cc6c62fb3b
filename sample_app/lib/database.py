"""The database: SQLite in `/tmp` unless `DATABASE_URL` names another one.

On Lambda every environment has a `/tmp` of its own: set `DATABASE_URL` (for example
`postgresql+pg8000://user:password@host/name`, as a secret) before you deploy.
"""

import os
from contextlib import suppress
from functools import cache

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from lib.passwords import hashed

metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(80), nullable=False, unique=True),
    Column("email", String(200)),
    Column("password", String(200)),
    Column("admin", Boolean, nullable=False, default=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("expires", Float, nullable=False),
)

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", String(500), nullable=False),
    Column("tags", JSON, nullable=False),
)

FIRST_USERS = (
    {"name": "ada", "email": "ada@example.com", "password": "lovelace", "admin": True},
    {"name": "grace", "email": "grace@example.com", "password": "hopper", "admin": False},
    {"name": "alan", "email": "alan@example.com", "password": "turing", "admin": False},
)


@cache
def engine() -> Engine:
    """The engine, its tables made and the first users in them."""
    made = create_engine(os.environ.get("DATABASE_URL", "sqlite:////tmp/packager-sample-app.db"))
    with made.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
        empty = connection.execute(users.select().limit(1)).first() is None
    if empty:
        # another process may be doing the same at this moment: whoever is second finds the names taken
        with suppress(IntegrityError), made.begin() as connection:
            rows = [{**user, "password": hashed(user["password"])} for user in FIRST_USERS]
            connection.execute(users.insert(), rows)
    return made
