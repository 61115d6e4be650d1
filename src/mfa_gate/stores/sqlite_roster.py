"""Decides how the rows of an import lie in an SQLite store until it is in force and every account has been told."""

import sqlite3
from collections.abc import Iterator
from typing import Final

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import StaleState
from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.roster import RosterHead, RosterRow, listed
from mfa_gate.ports import Change, Plan
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.registers import Register
from mfa_gate.stores.sqlite_commits import Held, Transaction
from mfa_gate.stores.sqlite_connection import Connections
from mfa_gate.stores.sqlite_trail import register_of

DROPPED_AT_ONCE = 5_000
"""Rows; others want to write, too."""


ROOM_KIB: Final = 65_536
"""For pages that many accounts change: with less, each is written once for every few accounts."""


class SqliteRoster:
    """`ports.Roster` on one file."""

    def __init__(self, connections: Connections, documents: Documents, audit_keys: AuditKeys) -> None:
        self._connections = connections
        self._documents = documents
        self._audit_keys = audit_keys

    def head(self) -> RosterHead:
        """Which import is in force."""
        with self._connections.reading() as db:
            return self._head(db)

    def stage(self, import_id: str, rows: tuple[RosterRow, ...], now: int) -> None:
        """Add rows to an import that is not in force yet."""
        sealed = [(import_id, row.account_id, self._documents.seal_row(import_id, row)) for row in rows]
        with self._connections.writing() as db:
            db.execute("INSERT OR IGNORE INTO import VALUES (?, ?)", (import_id, now))
            db.executemany("REPLACE INTO staged VALUES (?, ?, ?)", sealed)

    def staged(
        self, import_id: str, after: str | None, limit: int
    ) -> tuple[str | None, tuple[RosterRow, ...]]:
        """Some rows of an import, and where to go on."""
        with self._connections.reading() as db:
            found = db.execute(
                "SELECT account, sealed FROM staged WHERE import = ? AND account > ? ORDER BY account LIMIT ?",
                (import_id, after or "", limit),
            ).fetchall()
        rows = tuple(self._documents.row(import_id, account, sealed) for account, sealed in found)
        return (found[-1][0] if len(found) == limit else None), rows

    def stagings(self) -> dict[str, int]:
        """All imports of which there are rows, and when each was begun."""
        with self._connections.reading() as db:
            return dict(db.execute("SELECT id, begun_at FROM import").fetchall())

    def drop(self, import_id: str) -> None:
        """Forget the rows of an import, some at a time."""
        dropped = DROPPED_AT_ONCE
        while dropped == DROPPED_AT_ONCE:
            with self._connections.writing() as db:
                if self._head(db).import_id == import_id:
                    raise StaleState(
                        f"The import {import_id} is in force, and not every account has been told."
                    )
                dropped = db.execute(
                    "DELETE FROM staged WHERE import = ?1 AND account IN "
                    "(SELECT account FROM staged WHERE import = ?1 LIMIT ?2)",
                    (import_id, DROPPED_AT_ONCE),
                ).rowcount
                if dropped < DROPPED_AT_ONCE:
                    db.execute("DELETE FROM import WHERE id = ?", (import_id,))

    def move(self, head: RosterHead, events: tuple[Event, ...], now: int) -> RosterHead:  # noqa: ARG002  # the port's
        """Let another import be in force, with its events, or raise `StaleState`."""
        with self._connections.writing() as db:
            return Transaction(db, self._documents, self._audit_keys).move_roster(head, events)

    def accounts(self, account_ids: tuple[str, ...]) -> dict[str, Account]:
        """Those of these accounts that are stored."""
        with self._connections.reading() as db:
            db.execute("BEGIN")
            held = ((account_id, self._held(db, account_id)[0]) for account_id in account_ids)
            return {account_id: account for account_id, account in held if account is not None}

    def rewrite_each(self, account_ids: tuple[str, ...], plan: Plan, now: int) -> tuple[str, ...]:
        """Commit what `plan` makes of each of many accounts; nobody can change one meanwhile."""
        with self._connections.writing() as db:
            refused: list[str] = []
            transaction = Transaction(db, self._documents, self._audit_keys)

            def planned() -> Iterator[tuple[Held, Change]]:
                for account_id in account_ids:
                    held = self._held(db, account_id)
                    if held[0] is None:
                        transaction.refuse_orphan(account_id)
                    change = plan(account_id, held[0])
                    if change is None:
                        continue
                    if change.account.version != (held[0].version if held[0] else 0):
                        refused.append(account_id)
                    else:
                        yield held, change

            (usual,) = db.execute("PRAGMA cache_size").fetchone()
            db.execute(f"PRAGMA cache_size = -{ROOM_KIB}")
            try:
                transaction.commit_all(planned(), now)
            finally:
                db.execute(f"PRAGMA cache_size = {usual}")
        return tuple(refused)

    def _held(self, db: sqlite3.Connection, account_id: str) -> Held:
        version, sealed, register = db.execute(
            "SELECT account.version, account.sealed, register.sealed FROM (SELECT ?1 AS id) AS wanted "
            "LEFT JOIN account USING (id) LEFT JOIN register ON register.account = wanted.id",
            (account_id,),
        ).fetchone()
        known = self._documents.register(account_id, register)
        return self._documents.account(account_id, version, sealed, known), known

    def told(
        self,
        db: sqlite3.Connection,
        organization: Register,
        account_id: str,
        account: Account | None,
        now: int,
    ) -> Account | None:
        """The account as the import in force has it, where it has not been told yet."""
        head = organization.roster
        if not head.import_id:
            return account
        row = db.execute(
            "SELECT sealed FROM staged WHERE import = ? AND account = ?", (head.import_id, account_id)
        ).fetchone()
        if row is None:
            return account
        staged = self._documents.row(head.import_id, account_id, row[0])
        return listed(account, staged, head.number, SYSTEM, now)[0]

    def _head(self, db: sqlite3.Connection) -> RosterHead:
        return self._documents.known_register(ORG, register_of(db, ORG)).roster
