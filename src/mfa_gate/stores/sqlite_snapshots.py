"""Decides how the daily snapshots lie in an SQLite store: a row each, which is written once."""

from mfa_gate.core.snapshots import SignedSnapshot
from mfa_gate.stores.sqlite_connection import Connections

_ROW = "SELECT CAST(body AS BLOB), CAST(key AS TEXT), CAST(signature AS BLOB) FROM snapshot WHERE day = ?"


class SqliteSnapshots:
    """`ports.Snapshots` on one file."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def days(self) -> tuple[int, ...]:
        """The days of which there is one, oldest first."""
        with self._connections.reading() as db:
            return tuple(day for (day,) in db.execute("SELECT day FROM snapshot ORDER BY day"))

    def of(self, days: tuple[int, ...]) -> tuple[SignedSnapshot, ...]:
        """Those of these days, in their order."""
        with self._connections.reading() as db:
            rows = [(day, db.execute(_ROW, (day,)).fetchone()) for day in days]
        return tuple(
            SignedSnapshot(day=day, body=row[0], key=row[1], signature=row[2]) for day, row in rows if row
        )

    def add(self, snapshot: SignedSnapshot) -> bool:
        """Keep it; False if there is one of that day."""
        row = (snapshot.day, snapshot.body, snapshot.key, snapshot.signature)
        with self._connections.writing() as db:
            return db.execute("INSERT OR IGNORE INTO snapshot VALUES (?, ?, ?, ?)", row).rowcount == 1
