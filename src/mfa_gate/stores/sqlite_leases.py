"""Decides who holds a lease in an SQLite store; it begins and ends no transaction."""

import sqlite3

from mfa_gate.ports import Lease


def take(db: sqlite3.Connection, name: str, holder: str, until: int, now: int) -> Lease | None:
    """Take or keep a lease; None while somebody else holds it. The token rises with every new holder."""
    row = db.execute("SELECT holder, until, token FROM lease WHERE name = ?", (name,)).fetchone()
    held_by, held_until, token = row or ("", 0, 0)
    if held_by != holder:
        if now < held_until:
            return None
        token += 1
    db.execute("REPLACE INTO lease VALUES (?, ?, ?, ?)", (name, holder, until, token))
    return Lease(name=name, holder=holder, token=token, until=until)


def is_newest(db: sqlite3.Connection, lease: Lease) -> bool:
    """True while nobody else has taken the lease."""
    row = db.execute("SELECT token FROM lease WHERE name = ?", (lease.name,)).fetchone()
    return row is not None and row[0] == lease.token
