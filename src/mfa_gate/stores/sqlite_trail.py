"""Decides how events join their account's chain in an SQLite store, and how they are read; it changes no document."""

import sqlite3
from collections.abc import Iterator

from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.events import Event, Head, canonical, extend
from mfa_gate.ports import Recorded
from mfa_gate.stores.chains import Link, Sealed, first_break
from mfa_gate.stores.documents import Documents, Ledger, read_event

_READ = "SELECT position, CAST(record AS BLOB), CAST(link AS BLOB) FROM audit"


def head_of(db: sqlite3.Connection, account_id: str) -> bytes | None:
    """The sealed head of one account's chain."""
    row = db.execute("SELECT sealed FROM head WHERE account = ?", (account_id,)).fetchone()
    return None if row is None else bytes(row[0])


def orphaned(account_id: str) -> RecordCorrupt:
    """What to raise where events speak of an account that has neither record nor head.

    # Security: somebody who was seen and whose record was deleted is not somebody new, who may enroll.
    """
    return RecordCorrupt(f"Account {account_id} has events but no record; restore it from a backup.")


def append(
    db: sqlite3.Connection,
    documents: Documents,
    key: bytes,
    account_id: str,
    events: tuple[Event, ...],
    *,
    version: int,
    head: Head | None,
) -> None:
    """Add `events` to the chain that ends with `head` (None: a new chain) and write its head with `version`."""
    for event in events:
        if event.account_id != account_id:
            raise ValueError(f"An event of {event.account_id} cannot join the chain of {account_id}.")
    after, links = extend(key, head or Head(), events, version)
    db.executemany(
        "INSERT INTO audit (account, kind, at, record, link) VALUES (?, ?, ?, ?, ?)",
        [
            (account_id, event.kind, event.at, canonical(event).decode(), link)
            for event, link in zip(events, links, strict=True)
        ],
    )
    db.execute("REPLACE INTO head VALUES (?, ?)", (account_id, documents.seal_head(account_id, after)))
    if events or head is None:
        ledger = _ledger(db, documents)
        ledger = Ledger(chains=ledger.chains + (head is None), events=ledger.events + len(events))
        db.execute("UPDATE store SET ledger = ?", (documents.seal_ledger(ledger),))


def events(
    db: sqlite3.Connection, account_id: str | None, kind: str | None, before: int | None, limit: int
) -> tuple[Recorded, ...]:
    """Newest first, below position `before`."""
    wanted = [
        (condition, value)
        for condition, value in (("account = ?", account_id), ("kind = ?", kind), ("position < ?", before))
        if value is not None
    ]
    where = " WHERE " + " AND ".join(condition for condition, _ in wanted) if wanted else ""
    rows = db.execute(
        f"{_READ}{where} ORDER BY position DESC LIMIT ?",
        (*(value for _, value in wanted), limit),
    )
    return tuple(Recorded(position=row[0], event=read_event(row[1]), link=row[2]) for row in rows)


def broken_chain(db: sqlite3.Connection, documents: Documents, key: bytes) -> str | None:
    """Recompute every chain on one state of the store."""
    db.execute("BEGIN")
    try:
        return first_break(key, documents, _links(db), _heads(db), _ledger(db, documents))
    except RecordCorrupt as error:
        return str(error)


def _links(db: sqlite3.Connection) -> Iterator[Link]:
    rows = db.execute(
        "SELECT account, position, CAST(record AS BLOB), CAST(link AS BLOB) FROM audit ORDER BY account, position"
    )
    for account_id, position, record, link in rows:
        yield Link(account_id=account_id, position=position, record=record, link=link)


def _heads(db: sqlite3.Connection) -> Iterator[Sealed]:
    for account_id, head in db.execute("SELECT account, sealed FROM head ORDER BY account"):
        yield Sealed(account_id=account_id, head=head)


def _ledger(db: sqlite3.Connection, documents: Documents) -> Ledger:
    row = db.execute("SELECT ledger FROM store").fetchone()
    return documents.ledger(row and row[0])
