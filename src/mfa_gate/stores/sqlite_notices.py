"""Decides how the queue of notices lies in an SQLite store: one row, written by whoever read it last."""

import sqlite3

from msgspec.structs import replace

from mfa_gate.core.errors import StaleState
from mfa_gate.core.notices import NoticeQueue
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.sqlite_connection import Connections


class SqliteNotices:
    """`ports.Notices` on one file."""

    def __init__(self, connections: Connections, documents: Documents) -> None:
        self._connections = connections
        self._documents = documents

    def queue(self) -> NoticeQueue:
        """The queue; one of version 0 if there never was any."""
        with self._connections.reading() as db:
            return self._read(db)

    def save(self, queue: NoticeQueue) -> NoticeQueue:
        """Write the queue as version + 1, or raise `StaleState`."""
        with self._connections.writing() as db:
            found = self._read(db).version
            if found != queue.version:
                raise StaleState(f"The queue of notices has version {found}, not {queue.version}.")
            written = replace(queue, version=queue.version + 1)
            sealed = self._documents.seal_notices(written)
            db.execute("REPLACE INTO notices VALUES (1, ?, ?)", (written.version, sealed))
        return written

    def _read(self, db: sqlite3.Connection) -> NoticeQueue:
        row = db.execute("SELECT version, sealed FROM notices").fetchone()
        return NoticeQueue() if row is None else self._documents.notices(row[0], row[1])
