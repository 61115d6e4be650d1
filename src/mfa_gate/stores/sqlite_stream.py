"""Decides how the trail of an SQLite store is read from end to end, and keeps what is signed about it.

The whole trail is one shard: positions rise with each commit, and only one writes at a time.
"""

import sqlite3
from collections.abc import Mapping

from mfa_gate.core.checkpoints import Beginning, Entry, Reached, Signed
from mfa_gate.core.errors import RecordCorrupt, StaleState
from mfa_gate.core.events import ORG
from mfa_gate.ports import Misfit
from mfa_gate.stores.chains import lost_event, misfit
from mfa_gate.stores.documents import Documents
from mfa_gate.stores.sqlite_connection import Connections
from mfa_gate.stores.sqlite_trail import SHARD, beginning_of, register_of, removed_of

_ENTRIES = (
    "SELECT position, account, CAST(record AS BLOB), CAST(link AS BLOB) FROM audit "
    "WHERE position > ? ORDER BY position LIMIT ?"
)
_FIRST = -(2**63)
_CHECKPOINTS = "SELECT number, CAST(body AS BLOB), CAST(key AS TEXT), CAST(signature AS BLOB) FROM checkpoint"
_JUDGED = """
    SELECT register.sealed, account.version, account.sealed, policy.version, policy.sealed,
        (SELECT CAST(link AS BLOB) FROM audit WHERE audit.account = :account ORDER BY position DESC LIMIT 1),
        base.sealed
    FROM (SELECT 1)
    LEFT JOIN register ON register.account = :account
    LEFT JOIN account ON account.id = :account
    LEFT JOIN policy ON :account = :org
    LEFT JOIN base ON base.account = :account"""


class SqliteStream:
    """`ports.Stream` on one file."""

    shards: tuple[str, ...] = (SHARD,)

    def __init__(self, connections: Connections, documents: Documents, store_id: str) -> None:
        self._connections = connections
        self._documents = documents
        self._store_id = store_id

    def entries(self, shard: str, after: int | None, limit: int) -> tuple[Entry, ...]:  # noqa: ARG002  # the port's
        """The oldest events above position `after`, in order, at most `limit`."""
        with self._connections.reading() as db:
            rows = db.execute(_ENTRIES, (_FIRST if after is None else after, limit)).fetchall()
        return tuple(
            Entry(position=position, account_id=str(account), record=record, link=link)
            for position, account, record, link in rows
        )

    def reached(self) -> Reached:
        """How far the store has come."""
        with self._connections.reading() as db:
            db.execute("BEGIN")
            position = db.execute("SELECT COALESCE(MAX(position), 0) FROM audit").fetchone()[0]
            removed = removed_of(db, self._documents)
            newest = db.execute(f"{_CHECKPOINTS} ORDER BY number DESC LIMIT 1").fetchone()
            register = self._documents.known_register(ORG, register_of(db, ORG))
        return Reached(
            store=self._store_id,
            positions={SHARD: max(position, removed.position)},
            policy_version=register.head.version,
            checkpoint=newest and signed_in(*newest),
            beginning=register.begins,
        )

    def beginning(self) -> Beginning:
        """After which checkpoint the trail begins."""
        with self._connections.reading() as db:
            return beginning_of(db, self._documents)

    def checkpoint(self, number: int) -> Signed | None:
        """The checkpoint of this number."""
        with self._connections.reading() as db:
            return checkpoint_of(db, number)

    def checkpoints(self, after: int, limit: int) -> tuple[Signed, ...]:
        """Checkpoints above number `after`, in order, at most `limit`."""
        with self._connections.reading() as db:
            rows = db.execute(
                f"{_CHECKPOINTS} WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
            ).fetchall()
        return tuple(signed_in(*row) for row in rows)

    def add_checkpoint(self, signed: Signed) -> None:
        """Keep the next checkpoint. Raises `StaleState` unless its number is the newest plus one."""
        with self._connections.writing() as db:
            (newest,) = db.execute("SELECT COALESCE(MAX(number), 0) FROM checkpoint").fetchone()
            if signed.number != newest + 1:
                raise StaleState(f"The newest checkpoint is {newest}; {signed.number} does not follow it.")
            row = (signed.number, signed.body, signed.key, signed.signature)
            db.execute("INSERT INTO checkpoint VALUES (?, ?, ?, ?)", row)

    def misfits(self, seen: Mapping[str, bytes | None]) -> tuple[Misfit, ...]:
        """Those whose record or chain head is not what their newest event belongs to."""
        with self._connections.reading() as db:
            db.execute("BEGIN")
            found = [
                (account_id, self._judged(db, account_id) or _lost(db, account_id, link))
                for account_id, link in seen.items()
            ]
        return tuple(Misfit(account_id=each, text=text) for each, text in found if text is not None)

    def account_ids(self, after: str | None, limit: int) -> tuple[str | None, tuple[str, ...]]:
        """Some ids of accounts that have a chain, and where to go on."""
        with self._connections.reading() as db:
            rows = db.execute(
                "SELECT account FROM register WHERE account > ? ORDER BY account LIMIT ?",
                (after or "", limit),
            ).fetchall()
        ids = tuple(str(account) for (account,) in rows)
        return (ids[-1] if len(ids) == limit else None), ids

    def _judged(self, db: sqlite3.Connection, account_id: str) -> str | None:
        sealed_register, version, sealed, policy_version, policy, newest, base = db.execute(
            _JUDGED, {"account": account_id, "org": ORG}
        ).fetchone()
        try:
            register = self._documents.register(account_id, sealed_register)
            if account_id == ORG:
                self._documents.policy(policy_version, policy, register)
            else:
                self._documents.account(account_id, version, sealed, register)
            if newest is None and base is not None:
                newest = self._documents.base(account_id, base).link
        except RecordCorrupt as error:
            return str(error)
        return misfit(account_id, None if register is None else register.head, newest)


def _lost(db: sqlite3.Connection, account_id: str, link: bytes | None) -> str | None:
    if link is None:
        return None
    wanted = "SELECT 1 FROM audit WHERE account = ? AND CAST(link AS BLOB) = ?"
    return None if db.execute(wanted, (account_id, link)).fetchone() else lost_event(account_id)


def checkpoint_of(db: sqlite3.Connection, number: int) -> Signed | None:
    """The checkpoint of this number."""
    row = db.execute(f"{_CHECKPOINTS} WHERE number = ?", (number,)).fetchone()
    return row and signed_in(*row)


def signed_in(number: int, body: bytes, key: str, signature: bytes) -> Signed:
    """A checkpoint as its row has it."""
    return Signed(number=number, body=body, key=key, signature=signature)
