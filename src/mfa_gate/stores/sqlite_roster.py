"""Decides how the rows of an import lie in an SQLite store until it is in force and every account has been told."""

import sqlite3

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import StaleState
from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.roster import RosterHead, RosterRow, listed
from mfa_gate.ports import Change
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.registers import Register
from mfa_gate.stores.sqlite_commits import Transaction
from mfa_gate.stores.sqlite_connection import Connections
from mfa_gate.stores.sqlite_trail import register_of

DROPPED_AT_ONCE = 5_000
"""Rows; others want to write, too."""


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
        found: dict[str, Account] = {}
        with self._connections.reading() as db:
            db.execute("BEGIN")
            for account_id in account_ids:
                version, sealed, register = db.execute(
                    "SELECT account.version, account.sealed, register.sealed FROM (SELECT ?1 AS id) AS wanted "
                    "LEFT JOIN account USING (id) LEFT JOIN register ON register.account = wanted.id",
                    (account_id,),
                ).fetchone()
                known = self._documents.register(account_id, register)
                account = self._documents.account(account_id, version, sealed, known)
                if account is not None:
                    found[account_id] = account
        return found

    def commit_each(self, changes: tuple[Change, ...], now: int) -> tuple[str, ...]:
        """Commit many accounts, each by itself; ids of those that somebody else had changed."""
        with self._connections.writing() as db:
            return Transaction(db, self._documents, self._audit_keys).commit_each(changes, now)

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
