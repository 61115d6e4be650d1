"""Decides how what is archived leaves an SQLite store, a little at a time; it must not know whether it is archived."""

import sqlite3
from typing import Final

from msgspec.structs import replace

from mfa_gate.core.checkpoints import Beginning, Entry
from mfa_gate.core.events import Event
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.chains import taken_over
from mfa_gate.stores.documents import Base, Documents, Removed
from mfa_gate.stores.retention import end_of, whole_step
from mfa_gate.stores.sqlite_commits import Transaction
from mfa_gate.stores.sqlite_connection import Connections
from mfa_gate.stores.sqlite_stream import checkpoint_of
from mfa_gate.stores.sqlite_trail import SHARD, base_of, beginning_of, ledger_of, removed_of

_OLDEST: Final = (
    "SELECT position, account, CAST(record AS BLOB), CAST(link AS BLOB) FROM audit "
    "WHERE position <= ? ORDER BY position LIMIT ?"
)
_OLD_CHECKPOINTS: Final = (
    "DELETE FROM checkpoint WHERE number IN "
    "(SELECT number FROM checkpoint WHERE number < ? ORDER BY number LIMIT ?)"
)


class SqliteRetention:
    """`ports.Retention` on one file."""

    def __init__(self, connections: Connections, documents: Documents, audit_keys: AuditKeys) -> None:
        self._connections = connections
        self._documents = documents
        self._audit_keys = audit_keys

    def begin(  # the port names a time, which stands in the events
        self,
        known: Beginning,
        to: Beginning,
        events: tuple[Event, ...],
        now: int,  # noqa: ARG002
    ) -> None:
        """Let the trail begin after a later checkpoint, in one commit with the events that say so."""
        with self._connections.writing() as db:
            Transaction(db, self._documents, self._audit_keys).move_beginning(known, to, events)

    def let_go(self, limit: int) -> int:
        """Take out the oldest records from before the beginning, about `limit`; how many."""
        with self._connections.writing() as db:
            beginning = beginning_of(db, self._documents)
            if not beginning.number:
                return 0
            end = end_of(beginning, checkpoint_of(db, beginning.number), SHARD)
            removed = removed_of(db, self._documents)
            if removed.count < end.count:
                return self._take_out(db, removed, end, limit)
            return db.execute(_OLD_CHECKPOINTS, (beginning.number, limit)).rowcount

    def _take_out(self, db: sqlite3.Connection, removed: Removed, end: Removed, limit: int) -> int:
        rows = db.execute(_OLDEST, (end.position, limit)).fetchall()
        entries = [
            Entry(position=position, account_id=str(account), record=record, link=link)
            for position, account, record, link in rows
        ]
        after = whole_step(SHARD, removed, end, entries)
        bases = {entry.account_id: self._base(db, entry.account_id) for entry in entries}
        taken, _ = taken_over(self._audit_keys, bases, entries)
        db.executemany(
            "REPLACE INTO base VALUES (?, ?)",
            [(account_id, self._documents.seal_base(account_id, base)) for account_id, base in taken.items()],
        )
        db.execute("REPLACE INTO removed VALUES (1, ?)", (self._documents.seal_removed(SHARD, after),))
        db.execute("DELETE FROM audit WHERE position <= ?", (after.position,))
        ledger = ledger_of(db, self._documents)
        fewer = replace(ledger, events=ledger.events - len(entries))
        db.execute("UPDATE store SET ledger = ?", (self._documents.seal_ledger(fewer),))
        return len(entries)

    def _base(self, db: sqlite3.Connection, account_id: str) -> Base:
        return self._documents.base(account_id, base_of(db, account_id))
