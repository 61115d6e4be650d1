"""Decides whether a commit to an SQLite store may happen, and writes all of it; transactions are its caller's."""

import sqlite3
from contextlib import suppress
from typing import Literal

import msgspec

from mfa_gate.core.accounts import Account
from mfa_gate.core.errors import RecordCorrupt, StaleState
from mfa_gate.core.events import ORG, Actor, Event, Head
from mfa_gate.core.policy import Policy
from mfa_gate.core.sessions import CAP as SESSION_CAP
from mfa_gate.core.sessions import Challenge, Session
from mfa_gate.ports import Change
from mfa_gate.stores import sqlite_trail as trail
from mfa_gate.stores.documents import CHALLENGE_CAP, TRAFFIC_CAP, Documents, Ledger, index_of

POLICY = "policy"
"""How the change table names a new policy."""

CHANGES_KEPT = 10_000


def found(
    db: sqlite3.Connection, documents: Documents, audit_key: bytes, *, store_id: str, now: int, actor: Actor
) -> None:
    """Write what a store has from its first moment: its id, the proof of its keys, and a policy that is off."""
    db.execute(
        "INSERT INTO store VALUES (1, ?, ?, ?)",
        (store_id, documents.seal_proof(audit_key), documents.seal_ledger(Ledger())),
    )
    policy = Policy(version=1, changed_at=now, changed_by=actor.subject)
    db.execute("INSERT INTO policy VALUES (1, ?, ?)", (policy.version, documents.seal_policy(policy)))
    made = Event(
        kind="store_created", account_id=ORG, subject="", at=now, actor=actor, details={"store": store_id}
    )
    trail.append(db, documents, audit_key, ORG, (made,), version=policy.version, head=None)


def commit(
    db: sqlite3.Connection, documents: Documents, audit_key: bytes, change: Change, now: int
) -> Account:
    """Write everything in `change`, or raise `StaleState`."""
    read = change.account
    head = _agreed(db, documents, read)
    if change.spend is not None:
        _spend(db, documents, read.id, change.spend, now)
    account = msgspec.structs.replace(read, version=read.version + 1)
    _write(db, documents, account)
    _end(db, account, change.end_sessions, now)
    if change.open_session is not None:
        _open_session(db, documents, account, change.open_session)
    if change.open_challenge is not None:
        _open_challenge(db, documents, account, change.open_challenge)
    trail.append(db, documents, audit_key, account.id, change.events, version=account.version, head=head)
    announce(db, account.id)
    return account


def commit_policy(
    db: sqlite3.Connection, documents: Documents, audit_key: bytes, policy: Policy, events: tuple[Event, ...]
) -> Policy:
    """Write `policy` as the next version, or raise `StaleState`."""
    head = documents.head(ORG, trail.head_of(db, ORG))
    if policy.version != head.version:
        raise StaleState(f"The policy has version {head.version}, not {policy.version}.")
    written = msgspec.structs.replace(policy, version=policy.version + 1)
    db.execute("REPLACE INTO policy VALUES (1, ?, ?)", (written.version, documents.seal_policy(written)))
    trail.append(db, documents, audit_key, ORG, events, version=written.version, head=head)
    announce(db, POLICY)
    return written


def record(db: sqlite3.Connection, documents: Documents, audit_key: bytes, events: tuple[Event, ...]) -> None:
    """Append events, each to the chain it names, and change no document."""
    chains: dict[str, tuple[Event, ...]] = {}
    for event in events:
        chains[event.account_id] = (*chains.get(event.account_id, ()), event)
    for account_id, chained in chains.items():
        head = documents.head(account_id, trail.head_of(db, account_id))
        trail.append(db, documents, audit_key, account_id, chained, version=head.version, head=head)


def end_session(
    db: sqlite3.Connection,
    documents: Documents,
    audit_key: bytes,
    session: Session,
    events: tuple[Event, ...],
    *,
    now: int,
) -> None:
    """End one session if it is alive, and record why."""
    row = db.execute(
        "SELECT expires_at FROM session WHERE account = ? AND key = ?", (session.account_id, session.key)
    ).fetchone()
    if row is None or row[0] <= now:
        return
    db.execute("DELETE FROM session WHERE account = ? AND key = ?", (session.account_id, session.key))
    head = documents.head(session.account_id, trail.head_of(db, session.account_id))
    trail.append(db, documents, audit_key, session.account_id, events, version=head.version, head=head)
    announce(db, session.account_id)


def touch(db: sqlite3.Connection, documents: Documents, keys: tuple[tuple[str, str], ...], now: int) -> None:
    """Move the idle clocks of live sessions forward.

    # Security: the time lies in the sealed document. In a column, whoever can write rows could keep a session awake.
    """
    for place in keys:
        row = db.execute("SELECT sealed FROM session WHERE account = ? AND key = ?", place).fetchone()
        if row is None:
            continue
        with suppress(
            RecordCorrupt
        ):  # a forged row must not keep everybody else's sessions from being touched
            session = documents.session(*place, row[0])
            if session.touched_at < now < session.expires_at:
                touched = documents.seal_session(msgspec.structs.replace(session, touched_at=now))
                db.execute("UPDATE session SET sealed = ? WHERE account = ? AND key = ?", (touched, *place))


def count_traffic(db: sqlite3.Connection, counts: dict[tuple[str, str], int]) -> None:
    """Add to the counters; beyond the cap a new pair is not counted."""
    for pair, count in counts.items():
        done = db.execute(
            "UPDATE traffic SET count = count + ? WHERE route = ? AND credential = ?", (count, *pair)
        )
        if not done.rowcount and db.execute("SELECT COUNT(*) FROM traffic").fetchone()[0] < TRAFFIC_CAP:
            db.execute("INSERT INTO traffic VALUES (?, ?, ?)", (*pair, count))


def announce(db: sqlite3.Connection, name: str) -> None:
    """Tell the feed what changed; old lines go, and who reads too late is told that everything changed."""
    seq = db.execute("INSERT INTO change (account) VALUES (?)", (name,)).lastrowid or 0
    db.execute("DELETE FROM change WHERE seq <= ?", (seq - CHANGES_KEPT,))


def last_change(db: sqlite3.Connection) -> int:
    """The newest number of the change feed."""
    return int(db.execute("SELECT COALESCE(MAX(seq), 0) FROM change").fetchone()[0])


def _agreed(db: sqlite3.Connection, documents: Documents, read: Account) -> Head | None:
    """The head of the chain, if the account still has the version that was read."""
    sealed = trail.head_of(db, read.id)
    stored = db.execute("SELECT version, sealed FROM account WHERE id = ?", (read.id,)).fetchone() or (
        None,
        None,
    )
    documents.account(read.id, version=stored[0], sealed=stored[1], head=sealed)
    head = None if sealed is None else documents.head(read.id, sealed)
    version = 0 if head is None else head.version
    if version != read.version:
        raise StaleState(f"Account {read.id} has version {version}, not {read.version}.")
    if head is None and db.execute("SELECT 1 FROM audit WHERE account = ? LIMIT 1", (read.id,)).fetchone():
        raise trail.orphaned(read.id)
    return head


def _spend(
    db: sqlite3.Connection, documents: Documents, account_id: str, challenge_id: str, now: int
) -> None:
    place = (account_id, challenge_id)
    row = db.execute("SELECT sealed FROM challenge WHERE account = ? AND id = ?", place).fetchone()
    if row is None or documents.challenge(*place, row[0]).expires_at <= now:
        raise StaleState("The challenge is spent, expired or was never there.")
    db.execute("DELETE FROM challenge WHERE account = ? AND id = ?", place)


def _write(db: sqlite3.Connection, documents: Documents, account: Account) -> None:
    index = index_of(account)
    db.execute(
        "REPLACE INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            account.id,
            account.version,
            documents.seal_account(account),
            index.name_key,
            index.email_key,
            index.subject_key,
            index.has_factor,
            index.paused_until,
            index.active,
            index.first_seen_at,
            index.last_verified_at,
            msgspec.json.encode(index.groups).decode(),
        ),
    )


def _end(db: sqlite3.Connection, account: Account, keys: tuple[str, ...] | Literal["all"], now: int) -> None:
    """End what the change names, and whatever died by itself: expired, or of an epoch that is over."""
    for table in ("session", "challenge"):
        db.execute(
            f"DELETE FROM {table} WHERE account = ? AND (expires_at <= ? OR epoch <> ?)",  # noqa: S608  # two fixed words
            (account.id, now, account.epoch),
        )
    if keys == "all":
        db.execute("DELETE FROM session WHERE account = ?", (account.id,))
    else:
        db.executemany(
            "DELETE FROM session WHERE account = ? AND key = ?", [(account.id, key) for key in keys]
        )


def _open_session(db: sqlite3.Connection, documents: Documents, account: Account, session: Session) -> None:
    _refuse_foreign(account, session.account_id)
    db.execute(
        "INSERT INTO session VALUES (?, ?, ?, ?, ?)",
        (account.id, session.key, session.epoch, session.expires_at, documents.seal_session(session)),
    )
    _keep_newest(db, "session", account, SESSION_CAP)


def _open_challenge(
    db: sqlite3.Connection, documents: Documents, account: Account, challenge: Challenge
) -> None:
    _refuse_foreign(account, challenge.account_id)
    db.execute(
        "INSERT INTO challenge VALUES (?, ?, ?, ?, ?)",
        (
            account.id,
            challenge.id,
            challenge.epoch,
            challenge.expires_at,
            documents.seal_challenge(challenge),
        ),
    )
    _keep_newest(db, "challenge", account, CHALLENGE_CAP)


def _keep_newest(
    db: sqlite3.Connection, table: Literal["session", "challenge"], account: Account, cap: int
) -> None:
    # By rowid, not by time: after the clock was set back, the newest would be the one to go.
    db.execute(
        f"DELETE FROM {table} WHERE account = ? AND rowid NOT IN "  # noqa: S608  # two fixed words
        f"(SELECT rowid FROM {table} WHERE account = ? ORDER BY rowid DESC LIMIT ?)",
        (account.id, account.id, cap),
    )


def _refuse_foreign(account: Account, owner: str) -> None:
    if owner != account.id:
        raise ValueError(f"What belongs to account {owner} cannot be opened in a commit of {account.id}.")
