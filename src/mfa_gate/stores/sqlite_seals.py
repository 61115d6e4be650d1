"""Decides in which steps everything in an SQLite store is sealed anew; what a record says stays as it is."""

import sqlite3
from collections.abc import Iterator

from mfa_gate.core.events import ORG
from mfa_gate.ports import Resealed
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.documents import (
    Documents,
    Place,
    Reseal,
    base_place,
    notices_place,
    removed_place,
    run_place,
    staged_place,
)
from mfa_gate.stores.sqlite_connection import Connections
from mfa_gate.stores.sqlite_trail import SHARD

Row = tuple[object, Place, str, tuple[object, ...]]
"""(sealed, its place, the statement that replaces it, whose row it is)."""


class SqliteSeals:
    """`ports.Seals` on one file."""

    def __init__(self, connections: Connections, documents: Documents, audit_keys: AuditKeys) -> None:
        self._connections = connections
        self._documents = documents
        self._audit_keys = audit_keys

    def reseal(self, after: str | None, limit: int) -> Resealed:
        """Seal what is not sealed with the newest key anew, of at most `limit` accounts."""
        with self._connections.writing() as db:
            if after is None:
                self._prove_anew(db)
            step = Reseal(self._documents)
            accounts = _accounts(db, after, limit)
            for sealed, place, statement, whose in _rows(db, after, accounts):
                fresh = step.fresh(sealed, place)
                if fresh is not None:
                    db.execute(statement, (fresh, *whose))
        return step.done(_next(accounts, limit))

    def survey(self, after: str | None, limit: int) -> Resealed:
        """Look at the same in the same steps, and change nothing."""
        with self._connections.reading() as db:
            db.execute("BEGIN")
            step = Reseal(self._documents)
            accounts = _accounts(db, after, limit)
            for sealed, place, _, _ in _rows(db, after, accounts):
                step.look(sealed, place)
        return step.done(_next(accounts, limit))

    def _prove_anew(self, db: sqlite3.Connection) -> None:
        """Let the newest audit key show whose store this is, so that an older one is not needed for that."""
        (proof,) = db.execute("SELECT proof FROM store").fetchone()
        if self._documents.is_proof(proof, self._audit_keys):
            db.execute("UPDATE store SET proof = ?", (self._documents.seal_proof(self._audit_keys.newest),))


def _accounts(db: sqlite3.Connection, after: str | None, limit: int) -> list[str]:
    rows = db.execute(
        "SELECT id FROM (SELECT account AS id FROM register UNION SELECT id FROM account "
        "UNION SELECT account FROM live) WHERE id > ? ORDER BY id LIMIT ?",
        (after or "", limit),
    )
    return [row[0] for row in rows]


def _next(accounts: list[str], limit: int) -> str | None:
    return accounts[-1] if len(accounts) == limit else None


def _rows(db: sqlite3.Connection, after: str | None, accounts: list[str]) -> Iterator[Row]:
    if after is None:
        yield from _of_the_store(db)
    for account in accounts:
        whose = (account,)
        for version, sealed in db.execute(
            "SELECT version, sealed FROM account WHERE id = ?", whose
        ).fetchall():
            yield sealed, ("account", account, version), "UPDATE account SET sealed = ? WHERE id = ?", whose
        for (sealed,) in db.execute("SELECT sealed FROM register WHERE account = ?", whose).fetchall():
            yield sealed, ("register", account), "UPDATE register SET sealed = ? WHERE account = ?", whose
        for (sealed,) in db.execute("SELECT sealed FROM base WHERE account = ?", whose).fetchall():
            yield sealed, base_place(account), "UPDATE base SET sealed = ? WHERE account = ?", whose
        for kind, key, sealed in db.execute(
            "SELECT kind, key, sealed FROM live WHERE account = ?", whose
        ).fetchall():
            statement = "UPDATE live SET sealed = ? WHERE account = ? AND kind = ? AND key = ?"
            yield sealed, (kind, account, key), statement, (account, kind, key)


def _of_the_store(db: sqlite3.Connection) -> Iterator[Row]:
    for (sealed,) in db.execute("SELECT proof FROM store").fetchall():
        yield sealed, ("proof",), "UPDATE store SET proof = ?", ()
    for (sealed,) in db.execute("SELECT ledger FROM store").fetchall():
        yield sealed, ("ledger",), "UPDATE store SET ledger = ?", ()
    for (sealed,) in db.execute("SELECT sealed FROM removed").fetchall():
        yield sealed, removed_place(SHARD), "UPDATE removed SET sealed = ?", ()
    for version, sealed in db.execute("SELECT version, sealed FROM policy").fetchall():
        yield sealed, ("policy", ORG, version), "UPDATE policy SET sealed = ?", ()
    for version, sealed in db.execute("SELECT version, sealed FROM policy_version").fetchall():
        statement = "UPDATE policy_version SET sealed = ? WHERE version = ?"
        yield sealed, ("policy", ORG, version), statement, (version,)
    for run_id, version, sealed in db.execute("SELECT id, version, sealed FROM run").fetchall():
        place = run_place(run_id, version)
        yield sealed, place, "UPDATE run SET sealed = ? WHERE id = ?", (run_id,)
    for version, sealed in db.execute("SELECT version, sealed FROM notices").fetchall():
        yield sealed, notices_place(version), "UPDATE notices SET sealed = ?", ()
    for name, account, sealed in db.execute("SELECT import, account, sealed FROM staged"):
        statement = "UPDATE staged SET sealed = ? WHERE import = ? AND account = ?"
        yield sealed, staged_place(name, account), statement, (name, account)
