"""Where users and notes are kept: a DynamoDB table, or SQLite on this machine."""

import os
from functools import cache
from typing import Protocol

from lib.notes import NewNote, Note


class Store(Protocol):
    def add_user(self, name: str, password: str) -> bool:
        """Keep a new user with the hash of a password; False if the name is taken."""

    def password_of(self, name: str) -> str | None:
        """The hash of a user's password; None if there is no such user."""

    def add_note(self, user: str, note: NewNote) -> Note:
        """Keep a note, and give it with its id."""

    def notes_of(self, user: str, limit: int) -> list[Note]:
        """The latest notes first."""

    def note(self, user: str, number: str) -> Note | None:
        """One note of that user."""

    def remove_note(self, user: str, number: str) -> None:
        """Forget a note, if it is there."""


@cache
def store() -> Store:
    """That of the table `TABLE_NAME`; without one, that of a file."""
    table = os.environ.get("TABLE_NAME")
    if table:
        from lib.dynamodb_store import DynamoDBStore

        return DynamoDBStore(table)
    from lib.sqlite_store import SQLiteStore

    return SQLiteStore(os.environ.get("SQLITE_FILE", "/tmp/packager-template.sqlite3"))
