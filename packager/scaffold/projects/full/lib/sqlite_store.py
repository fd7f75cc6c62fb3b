"""The store of a laptop and of tests: one SQLite file."""

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from lib.notes import NewNote, Note

_TABLES = """
CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, password TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS notes (
    user TEXT, id TEXT, content TEXT NOT NULL, PRIMARY KEY (user, id)
);
"""


class SQLiteStore:
    def __init__(self, file: str) -> None:
        self._file = file
        with self._open() as database:
            database.executescript(_TABLES)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self._file)
        try:
            with database:
                yield database
        finally:
            database.close()

    def add_user(self, name: str, password: str) -> bool:
        with self._open() as database:
            done = database.execute(
                "INSERT OR IGNORE INTO users VALUES (?, ?)", (name, password)
            )
            return done.rowcount == 1

    def password_of(self, name: str) -> str | None:
        with self._open() as database:
            row = database.execute(
                "SELECT password FROM users WHERE name = ?", (name,)
            ).fetchone()
        return row[0] if row else None

    def add_note(self, user: str, note: NewNote) -> Note:
        number = f"{time.time_ns():016x}{secrets.token_hex(4)}"
        made = Note(id=number, created=datetime.now(UTC), **note.model_dump())
        with self._open() as database:
            database.execute(
                "INSERT INTO notes VALUES (?, ?, ?)",
                (user, number, made.model_dump_json()),
            )
        return made

    def notes_of(self, user: str, limit: int) -> list[Note]:
        query = "SELECT content FROM notes WHERE user = ? ORDER BY id DESC LIMIT ?"
        with self._open() as database:
            rows = database.execute(query, (user, limit)).fetchall()
        return [Note.model_validate_json(content) for (content,) in rows]

    def note(self, user: str, number: str) -> Note | None:
        query = "SELECT content FROM notes WHERE user = ? AND id = ?"
        with self._open() as database:
            row = database.execute(query, (user, number)).fetchone()
        return Note.model_validate_json(row[0]) if row else None

    def remove_note(self, user: str, number: str) -> None:
        with self._open() as database:
            database.execute(
                "DELETE FROM notes WHERE user = ? AND id = ?", (user, number)
            )
