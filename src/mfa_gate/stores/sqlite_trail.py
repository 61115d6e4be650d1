"""Decides how the trail of an SQLite store is read; it writes nothing."""

import sqlite3
from collections.abc import Iterator

from mfa_gate.core.checkpoints import Beginning
from mfa_gate.core.errors import RecordCorrupt
from mfa_gate.core.events import ORG
from mfa_gate.ports import Recorded
from mfa_gate.stores.audit_keys import AuditKeys
from mfa_gate.stores.chains import Link, SealedRegister, first_break
from mfa_gate.stores.documents import Documents, Ledger, Removed, read_event

SHARD = "0"
"""The whole trail is one."""

_FROM = "SELECT position, at FROM audit WHERE position >= ? ORDER BY position LIMIT 1"
_REGISTERS = """
    SELECT register.account, register.sealed, base.sealed FROM register LEFT JOIN base USING (account)
    UNION ALL
    SELECT account, NULL, sealed FROM base WHERE account NOT IN (SELECT account FROM register)
    ORDER BY 1"""
_READ = "SELECT position, CAST(record AS BLOB), CAST(link AS BLOB) FROM audit"


def register_of(db: sqlite3.Connection, account_id: str) -> bytes | None:
    """The sealed register of one account."""
    row = db.execute("SELECT sealed FROM register WHERE account = ?", (account_id,)).fetchone()
    return None if row is None else row[0]


def ledger_of(db: sqlite3.Connection, documents: Documents) -> Ledger:
    """The ledger of the store."""
    row = db.execute("SELECT ledger FROM store").fetchone()
    return documents.ledger(row and row[0])


def beginning_of(db: sqlite3.Connection, documents: Documents) -> Beginning:
    """After which checkpoint the trail begins."""
    return documents.known_register(ORG, register_of(db, ORG)).begins


def base_of(db: sqlite3.Connection, account_id: str) -> bytes | None:
    """What the chain of one account goes on from, sealed."""
    row = db.execute("SELECT sealed FROM base WHERE account = ?", (account_id,)).fetchone()
    return None if row is None else row[0]


def removed_of(db: sqlite3.Connection, documents: Documents) -> Removed:
    """How much of the trail has left for the archive."""
    row = db.execute("SELECT sealed FROM removed").fetchone()
    return documents.removed(SHARD, row and row[0])


def orphaned(account_id: str) -> RecordCorrupt:
    """What to raise where events speak of an account that has neither record nor register.

    # Security: somebody who was seen and whose record was deleted is not somebody new, who may enroll.
    """
    return RecordCorrupt(f"Account {account_id} has events but no record; restore it from a backup.")


def last_change(db: sqlite3.Connection) -> int:
    """The newest number of the change feed."""
    return int(db.execute("SELECT COALESCE(MAX(seq), 0) FROM change").fetchone()[0])


def events(
    db: sqlite3.Connection,
    *,
    account_id: str | None,
    kind: str | None,
    before: int | None,
    after: int,
    limit: int,
) -> tuple[Recorded, ...]:
    """Newest first, below position `before` and above `after`."""
    # One person has far fewer events than a kind; without the sign SQLite may go by the kind.
    of_kind = "kind = ?" if account_id is None else "+kind = ?"
    wanted = [
        (condition, value)
        for condition, value in (
            ("account = ?", account_id),
            (of_kind, kind),
            ("position < ?", before),
            ("position > ?", after or None),
        )
        if value is not None
    ]
    where = " WHERE " + " AND ".join(condition for condition, _ in wanted) if wanted else ""
    rows = db.execute(
        f"{_READ}{where} ORDER BY position DESC LIMIT ?",
        (*(value for _, value in wanted), limit),
    )
    return tuple(_recorded(*row) for row in rows)


def latest(db: sqlite3.Connection, kinds: tuple[str, ...], limit: int) -> tuple[Recorded, ...]:
    """The newest events of any of these kinds, newest first; each kind is looked up by itself."""
    each = " UNION ALL ".join(
        ["SELECT * FROM (SELECT position FROM audit WHERE kind = ? ORDER BY position DESC LIMIT ?)"]
        * len(kinds)
    )
    rows = db.execute(
        f"{_READ} WHERE position IN ({each}) ORDER BY position DESC LIMIT ?",
        (*(value for kind in kinds for value in (kind, limit)), limit),
    )
    return tuple(_recorded(*row) for row in rows)


def position_at(db: sqlite3.Connection, at: int) -> int | None:
    """The position of the first event that was written at `at` or later, by halving."""
    db.execute("BEGIN")
    lowest, highest = db.execute("SELECT MIN(position), MAX(position) FROM audit").fetchone()
    if highest is None:
        return None
    found = None
    while lowest <= highest:
        middle = (lowest + highest) // 2
        position, written = db.execute(_FROM, (middle,)).fetchone()
        if written >= at:
            found, highest = position, middle - 1
        else:
            lowest = position + 1
    return found


def broken_chain(db: sqlite3.Connection, documents: Documents, keys: AuditKeys) -> str | None:
    """Recompute every chain on one state of the store."""
    db.execute("BEGIN")
    try:
        ledger, removed = ledger_of(db, documents), removed_of(db, documents)
        return first_break(keys, documents, _links(db), _registers(db), ledger, removed=removed)
    except RecordCorrupt as error:
        return str(error)


def _recorded(position: int, record: bytes, link: bytes) -> Recorded:
    return Recorded(position=position, event=read_event(record), link=link)


def _links(db: sqlite3.Connection) -> Iterator[Link]:
    rows = db.execute(
        "SELECT account, position, CAST(record AS BLOB), CAST(link AS BLOB) FROM audit ORDER BY account, position"
    )
    for account_id, position, record, link in rows:
        yield Link(account_id=account_id, position=position, record=record, link=link)


def _registers(db: sqlite3.Connection) -> Iterator[SealedRegister]:
    for account_id, sealed, base in db.execute(_REGISTERS):
        yield SealedRegister(account_id=account_id, sealed=sealed, base=base)
