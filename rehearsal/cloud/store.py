"""What the rehearsal remembers beside the emulated AWS: the objects of APIs that moto has not, and faults to play.

Plugins are processes that live for one engine run, so what they must remember lies in a SQLite file; SQLite owns the
locks. Refuses to own what a document means.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PATH_VARIABLE = "REHEARSAL_STORE"


class Store:
    """Documents by kind and key. Every call is a transaction of its own, safe between processes and threads.

    A thread opens the file once: the rehearsal reads it a few hundred times a second. Made after a fork, not before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._of_this_thread = threading.local()
        with self._database as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS documents (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key))"
            )

    @classmethod
    def of_this_rehearsal(cls) -> Store:
        """Open the store that the rehearsal named in the environment of its plugins."""
        return cls(Path(os.environ[PATH_VARIABLE]))

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return a document, or None."""
        return _one(self._database, kind, key)

    def put(self, kind: str, key: str, document: dict[str, Any]) -> None:
        """Write a document, over an older one if there is one."""
        with self._database as database:
            database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, key, json.dumps(document)))

    def change(
        self, kind: str, key: str, edit: Callable[[dict[str, Any] | None], dict[str, Any] | None]
    ) -> dict[str, Any] | None:
        """Put ``edit`` of a document, None standing for one that is not there, in its place, and return it.

        Nobody else can write between the reading and the writing; ``edit`` must not use the store itself.
        """
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            edited = edit(_one(database, kind, key))
            if edited is None:
                database.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))
            else:
                database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, key, json.dumps(edited)))
        return edited

    def delete(self, kind: str, key: str) -> None:
        """Forget a document; one that is not there is forgotten already."""
        with self._database as database:
            database.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return every document of a kind by its key, in the order of the keys."""
        asked = "SELECT key, body FROM documents WHERE kind = ? ORDER BY key"
        return {key: json.loads(body) for key, body in self._database.execute(asked, (kind,)).fetchall()}

    @property
    def _database(self) -> sqlite3.Connection:
        known: sqlite3.Connection | None = getattr(self._of_this_thread, "database", None)
        if known is None:
            known = self._of_this_thread.database = sqlite3.connect(self._path, timeout=30)
            known.execute("PRAGMA synchronous = OFF")  # a rehearsal does not outlive its machine
        return known


def _one(database: sqlite3.Connection, kind: str, key: str) -> dict[str, Any] | None:
    rows = database.execute("SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key)).fetchall()
    return json.loads(rows[0][0]) if rows else None
