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


_COLUMNS: Final = (
    "stands",
    "until",
    "seen_at",
    "made_at",
    "last_verified_at",
    "name_key",
    "email_key",
    "subject_key",
    "email_shared",
    "subject_shared",
)
WRITE_ACCOUNT: Final = (
    f"INSERT INTO account (id, version, sealed, {', '.join(_COLUMNS)}) "  # noqa: S608 (names of ours)
    f"VALUES (?, ?, ?, {', '.join('?' * len(_COLUMNS))}) ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{each} = excluded.{each}" for each in ("version", "sealed", *_COLUMNS))
)
"""An account's record, and its place among everybody: its id, version and document, then `columns_of`."""
WRITE_MEMBER: Final = "INSERT INTO member VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
"""The place of an account in a scope, as `members_of` gives it."""


def columns_of(row: IndexRow) -> tuple[object, ...]:
    """What places an account among everybody."""
    return tuple(getattr(row, name) for name in _COLUMNS)


def members_of(account_id: str, row: IndexRow) -> list[tuple[object, ...]]:
    """What places an account in each of its scopes."""
    times = (row.until, row.seen_at, row.made_at, row.last_verified_at)
    return [(scope, row.stands, row.name_key, account_id, *times) for scope in row.scopes]


def count_in(tally: Tally, row: IndexRow) -> None:
    """One more is in these lists."""
    for scope in (EVERYONE, *row.scopes):
        tally[scope, row.stands] += 1


def write_tally(db: sqlite3.Connection, tally: Tally) -> None:
    """Write by how much the lists have grown."""
    db.executemany(
        "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT (scope, stands) DO UPDATE SET size = size + excluded.size",
        [(*place, number) for place, number in tally.items() if number and place[1] not in {"", _UNREADABLE}],
    )


def take_away(db: sqlite3.Connection, account_id: str, tally: Tally) -> None:
    """Take an account out of the lists in which it is."""
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
                    _place(db, account_id, index_of(account))


def _place(db: sqlite3.Connection, account_id: str, row: IndexRow) -> None:
    tally: Tally = Counter()
    take_away(db, account_id, tally)
    db.execute(
        f"UPDATE account SET {' = ?, '.join(_COLUMNS)} = ? WHERE id = ?",  # noqa: S608 (names of ours)
        (*columns_of(row), account_id),
    )
    db.executemany(WRITE_MEMBER, members_of(account_id, row))
    count_in(tally, row)
    write_tally(db, tally)
