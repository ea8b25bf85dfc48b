"""What the rehearsal remembers beside the emulated AWS: the objects of APIs that moto has not, and faults to play.

Plugins are processes that live for one engine run, so what they must remember lies in a SQLite file; SQLite owns the
locks. Refuses to own what a document means.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PATH_VARIABLE = "REHEARSAL_STORE"


class Store:
    """Documents by kind and key. Every call is a transaction of its own, safe between processes and threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(self._connect()) as database, database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS documents (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key))"
            )

    @classmethod
    def of_this_rehearsal(cls) -> Store:
        """Open the store that the rehearsal named in the environment of its plugins."""
        return cls(Path(os.environ[PATH_VARIABLE]))

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return a document, or None."""
        with closing(self._connect()) as database:
            row = database.execute("SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, key: str, document: dict[str, Any]) -> None:
        """Write a document, over an older one if there is one."""
        with closing(self._connect()) as database, database:
            database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, key, json.dumps(document)))

    def change(
        self, kind: str, key: str, edit: Callable[[dict[str, Any] | None], dict[str, Any] | None]
    ) -> dict[str, Any] | None:
        """Put ``edit`` of a document, None standing for one that is not there, in its place, and return it.

        Nobody else can write between the reading and the writing; ``edit`` must not use the store itself.
        """
        with closing(self._connect()) as database, database:
            database.execute("BEGIN IMMEDIATE")
            row = database.execute("SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key)).fetchone()
            edited = edit(json.loads(row[0]) if row else None)
            if edited is None:
                database.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))
            else:
                database.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, key, json.dumps(edited)))
        return edited

    def delete(self, kind: str, key: str) -> None:
        """Forget a document; one that is not there is forgotten already."""
        with closing(self._connect()) as database, database:
            database.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))

    def all(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return every document of a kind by its key, in the order of the keys."""
        with closing(self._connect()) as database:
            rows = database.execute("SELECT key, body FROM documents WHERE kind = ? ORDER BY key", (kind,)).fetchall()
        return {key: json.loads(body) for key, body in rows}

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)
