"""Decides how an account is put into the lists of an SQLite store, and how those are counted."""

import sqlite3
from collections import Counter
from typing import Final

from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.index import EVERYONE, IndexRow, index_of
from mfa_gate.stores.sqlite_connection import Connections

_AT_ONCE: Final = 1000
"""Accounts that are put into the lists in one turn, so that nobody waits long to write."""
_UNREADABLE: Final = "unreadable"
"""How somebody stands whose record cannot be read: in no list."""


Tally = Counter[tuple[str, str]]
"""By how many the lists of (scope, how somebody stands) have grown."""


def place(
    db: sqlite3.Connection,
    account_id: str,
    row: IndexRow,
    tally: Tally | None = None,
    *,
    is_new: bool = False,
) -> None:
    """Put an account where it belongs, and take it away from where it was, unless it is new.

    Where many are placed together, `tally` collects what `write_tally` writes once they all are.
    """
    grown: Tally = Counter() if tally is None else tally
    if not is_new:
        _take_away(db, account_id, grown)
    db.execute(
        "UPDATE account SET stands = ?, until = ?, seen_at = ?, made_at = ?, last_verified_at = ?, name_key = ?, "
        "email_key = ?, subject_key = ?, email_shared = ?, subject_shared = ? WHERE id = ?",
        (
            row.stands,
            row.until,
            row.seen_at,
            row.made_at,
            row.last_verified_at,
            row.name_key,
            row.email_key,
            row.subject_key,
            row.email_shared,
            row.subject_shared,
            account_id,
        ),
    )
    db.executemany(
        "INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                scope,
                row.stands,
                row.name_key,
                account_id,
                row.until,
                row.seen_at,
                row.made_at,
                row.last_verified_at,
            )
            for scope in row.scopes
        ],
    )
    for scope in (EVERYONE, *row.scopes):
        grown[scope, row.stands] += 1
    if tally is None:
        write_tally(db, grown)


def write_tally(db: sqlite3.Connection, tally: Tally) -> None:
    """Write by how much the lists have grown."""
    db.executemany(
        "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT (scope, stands) DO UPDATE SET size = size + excluded.size",
        [(*place, number) for place, number in tally.items() if number and place[1] not in {"", _UNREADABLE}],
    )


def _take_away(db: sqlite3.Connection, account_id: str, tally: Tally) -> None:
    (stood,) = db.execute("SELECT stands FROM account WHERE id = ?", (account_id,)).fetchone()
    tally[EVERYONE, stood] -= 1
    for place in db.execute("SELECT scope, stands FROM member WHERE id = ?", (account_id,)).fetchall():
        tally[place] -= 1
    db.execute("DELETE FROM member WHERE id = ?", (account_id,))


def place_all(connections: Connections, documents: Documents) -> None:
    """Put everybody into the lists whom the schema's step has left out; some at a time, and each once."""
    while True:
        with connections.reading() as db:
            if db.execute("SELECT 1 FROM account WHERE stands = '' LIMIT 1").fetchone() is None:
                return
        with connections.writing() as db:
            rows = db.execute(
                "SELECT account.id, version, account.sealed, register.sealed FROM account "
                "LEFT JOIN register ON register.account = account.id WHERE stands = '' LIMIT ?",
                (_AT_ONCE,),
            ).fetchall()
            for account_id, version, sealed, register in rows:
                try:
                    known = documents.register(account_id, register)
                    account = documents.account(account_id, version, sealed, known)
                except RecordCorrupt:
                    account = None  # whoever asks for this record is told; the others can be listed
                if account is None:
                    db.execute("UPDATE account SET stands = ? WHERE id = ?", (_UNREADABLE, account_id))
                else:
                    place(db, account_id, index_of(account))
